"""Pictures of what a data set owes to its labels and to its mean image (data_studies.py)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..utils.text import format_number
from .style import DPI, INK, PALETTE, STYLE

__all__ = ["category_chart"]


ROW = 0.2  # inches that a category takes


WIDE, NARROW, TALLEST = 7.2, 6.0, 20.0  # inches


MEANS, LARGEST, COLUMN = 1800, 384, 280  # pixels: a row of mean images, the tallest, the narrowest column


GAP, HEAD, FOOT, LETTERS = 24, 44, 88, 24  # pixels between columns, above and below; letters of a name


def category_chart(result: Mapping[str, Any]) -> Figure:
    """The Fréchet distance of each category, with the mix and the floor as lines; beside it that of growing sets.

    Both panels share the rows: to the right a row has the distance of its class together with all those above it.
    Attributes, which have no growing sets, are in the order of their distances. A category with fewer images than were
    asked for has their number beside its name.
    """
    shown, growing = list(result["categories"]), result["growing"]
    if not growing:
        shown.sort(key=lambda c: -1.0 if c["value"] is None else c["value"], reverse=True)
    names = [c["name"] + ("" if c["images"] == result["count"] else f" ({c['images']:,})") for c in shown]
    with rc_context(STYLE):
        figure = Figure((WIDE if growing else NARROW, min(TALLEST, 1.2 + ROW * len(shown))), dpi=DPI, layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, 2 if growing else 1, sharey=True, sharex=True, squeeze=False)[0]
        panels[0].set_title(f"Fréchet distance of each {'class' if growing else 'attribute'} from test images")
        panels[0].barh(range(len(shown)), _column(shown, "value"), height=0.72, color=PALETTE[5])
        _marked(panels[0], shown, (4, 0), va="center", fmt="none", ecolor=INK)
        panels[0].set_yticks(range(len(shown)), names)
        panels[0].set_ylim(len(shown) - 0.4, -0.6)
        if growing:
            panels[1].set_title("of this class together with all those above")
            _marked(panels[1], growing, (3, -1.5), va="top", color=PALETTE[0], marker="o", markersize=3)
        for axes in panels:
            _references(axes, result)
            axes.margins(x=0.12)  # room for the numbers
            axes.set_xlim(0)
            axes.tick_params("y", length=0)
            axes.grid(True, axis="x", color="#e8e8e8", linewidth=0.5)
            axes.set_axisbelow(True)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower left", ncols=2)
    return figure


def _column(sets: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    return [math.nan if s[key] is None else s[key] for s in sets]


def _marked(axes: Axes, sets: Sequence[Mapping[str, Any]], off: tuple[float, float], va: str, **look: Any) -> None:
    """The distances of sets, a row each, with deviations, and numbers so many points `off` the deviation's end."""
    values, deviations = _column(sets, "value"), _column(sets, "deviation")
    axes.errorbar(values, range(len(sets)), xerr=deviations, elinewidth=0.8, **look)
    for row, (value, deviation) in enumerate(zip(values, deviations, strict=True)):
        if not math.isnan(value):
            end = value + (0.0 if math.isnan(deviation) else deviation), row
            axes.annotate(format_number(value), end, off, textcoords="offset points", va=va, fontsize=6)


def _references(axes: Axes, result: Mapping[str, Any]) -> None:
    """Lines at the mix and at the floor."""
    looks: dict[str, tuple[str, Any, str]] = {
        "mix": (PALETTE[1], "-", f"a mix of all {'classes' if result['growing'] else 'images'}"),
        "floor": (INK, (0, (2, 1.5)), "all training images as they are"),
    }
    for name, (colour, dashes, what) in looks.items():
        value = result[name]["value"]
        label = f"{what}: {format_number(value)} ({result[name]['images']:,} images)"
        axes.axvline(value, color=colour, linestyle=dashes, linewidth=1, label=label)
