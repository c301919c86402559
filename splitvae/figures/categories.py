"""A chart of the Fréchet distances of the categories of a data set (studies/categories.py)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..utils.text import format_number
from .style import OKABE_ITO, STYLE, TEXT_COLOUR, add_grid, new_chart

__all__ = ["plot_categories"]

ROW_INCHES = 0.2  # height of one category
TWO_PANELS_INCHES, ONE_PANEL_INCHES, MAX_HEIGHT_INCHES = 7.2, 6.0, 20.0


def plot_categories(result: Mapping[str, Any]) -> Figure:
    """Plots the Fréchet distance of each category, and beside it that of growing sets of classes.

    Both panels share their rows: the right one shows the distance of a class together with all classes above it. Vertical
    lines mark the mix of all images and the floor. Attributes have no growing sets and are sorted by distance. A category
    with fewer images than requested has their number beside its name.

    Arguments:
        result: The result of `compare_categories`.
    """
    categories, growing = list(result["categories"]), result["growing"]
    if not growing:
        categories.sort(key=lambda c: -1.0 if c["value"] is None else c["value"], reverse=True)
    names = [c["name"] + ("" if c["images"] == result["count"] else f" ({c['images']:,})") for c in categories]
    with rc_context(STYLE):
        width = TWO_PANELS_INCHES if growing else ONE_PANEL_INCHES
        figure = new_chart(width, min(MAX_HEIGHT_INCHES, 1.2 + ROW_INCHES * len(categories)))
        panels = figure.subplots(1, 2 if growing else 1, sharey=True, sharex=True, squeeze=False)[0]
        panels[0].set_title(f"distance of each {'class' if growing else 'attribute'}")
        panels[0].barh(range(len(categories)), _column(categories, "value"), height=0.72, color=OKABE_ITO[5])
        _plot_distances(panels[0], categories, (4, 0), va="center", fmt="none", ecolor=TEXT_COLOUR)
        panels[0].set_yticks(range(len(categories)), names)
        panels[0].set_ylim(len(categories) - 0.4, -0.6)
        if growing:
            panels[1].set_title("of it and all those above")
            _plot_distances(panels[1], growing, (3, -1.5), va="top", color=OKABE_ITO[0], marker="o", markersize=3)
        for axes in panels:
            _plot_reference_lines(axes, result)
            axes.margins(x=0.12)  # room for the numbers
            axes.set_xlim(0)
            axes.tick_params("y", length=0)
            add_grid(axes, "x")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower left")
    return figure


def _column(sets: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    """Returns one value of each set, NaN where it was not measured."""
    return [math.nan if s[key] is None else s[key] for s in sets]


def _plot_distances(
    axes: Axes, sets: Sequence[Mapping[str, Any]], offset: tuple[float, float], va: str, **style: Any
) -> None:
    """Plots the distances of sets, one a row, with error bars and numbers.

    Arguments:
        axes: The axes to draw on.
        sets: Sets with "value" and "deviation".
        offset: The place of a number, in points to the right of and above the end of its error bar.
        va: The vertical alignment of the numbers.
        style: Options of `Axes.errorbar`.
    """
    values, deviations = _column(sets, "value"), _column(sets, "deviation")
    axes.errorbar(values, range(len(sets)), xerr=deviations, elinewidth=0.8, **style)
    for row, (value, deviation) in enumerate(zip(values, deviations, strict=True)):
        if not math.isnan(value):
            end = value + (0.0 if math.isnan(deviation) else deviation), row
            axes.annotate(format_number(value), end, offset, textcoords="offset points", va=va, fontsize=6)


def _plot_reference_lines(axes: Axes, result: Mapping[str, Any]) -> None:
    """Plots vertical lines at the distances of the mix and of the floor."""
    lines: dict[str, tuple[str, Any, str]] = {
        "mix": (OKABE_ITO[1], "-", f"a mix of all {'classes' if result['growing'] else 'images'}"),
        "floor": (TEXT_COLOUR, (0, (2, 1.5)), "all training images as they are"),
    }
    for name, (colour, dashes, description) in lines.items():
        value = result[name]["value"]
        label = f"{description}: {format_number(value)} ({result[name]['images']:,} images)"
        axes.axvline(value, color=colour, linestyle=dashes, linewidth=1, label=label)
