"""Charts of a training history: the curves of every run, the KLs of introspective runs, the distances of samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from .style import OKABE_ITO, STYLE, TEXT_COLOUR, WIDTH, add_grid, line_colour, new_chart, use_log_scale

__all__ = ["plot_kls", "plot_sample_distances", "plot_training_curves"]

History = Sequence[Mapping[str, Any]]  # rows of history.jsonl, one an epoch

PANELS = (  # the title, the keys of the history with the names of their lines, and whether the axis is logarithmic
    ("loss, nats", {"loss": "training", "val_loss": "validation"}, False),
    ("distortion SSE / 2v, nats", {"rec": "training"}, False),
    ("KL, nats", {"kl": "training", "val_kl": "validation"}, False),
    ("MSE", {"mse": "training", "val_mse": "validation"}, True),
    ("variance, and weight of the KL", {"v": "$v$", "beta_v": r"$\beta v$"}, True),
    ("learning rate", {"lr": ""}, True),
)

PANEL_OVERRIDES = {  # a key that some histories have -> the panels, by title, that such histories show in another way
    "kl_content": {"KL, nats": ("KL, nats", {"kl_content": "content, a group", "kl_style": "style, an image"})},
    "kl_real": {
        "KL, nats": ("KL, nats", {"kl_real": "images", "kl_rec": "reconstructions", "kl_fake": "samples"}),
        "distortion SSE / 2v, nats": (r"$L_{AE}$, SSE / 2", {"rec": "training"}),
        "variance, and weight of the KL": ("weights", {"alpha": r"$\alpha$", "beta": r"$\beta$"}),
    },
}

KL_LINES = {"kl_real": "images", "kl_rec": "reconstructions", "kl_fake": "samples"}
LINE_STYLES = ("-", (0, (3, 1.2)), (0, (1, 1)))  # of the first, second and third key of a panel: solid, dashed, dotted
MIN_NATS = 1e-2  # smaller KLs are drawn here, since a logarithmic axis has no 0


def plot_training_curves(history: History | Mapping[str, History]) -> Figure:
    """Plots the loss, its terms and its weights over the epochs of one run, or of several runs together.

    The range of a linear axis follows the values after the first tenth of the epochs.

    Arguments:
        history: The history of one run, or the histories of several runs by name.
    """
    runs = dict(history) if isinstance(history, Mapping) else {"": history}
    keys = {key for rows in runs.values() for row in rows for key in row}
    overrides = {title: panel for key, panels in PANEL_OVERRIDES.items() if key in keys for title, panel in panels.items()}
    panels = [(*overrides.get(title, (title, names)), log) for title, names, log in PANELS]
    with rc_context(STYLE):
        figure = new_chart(WIDTH, 5.4)
        for axes, (title, names, log) in zip(figure.subplots(3, 2, sharex=True).flat, panels, strict=True):
            axes.set_title(title)
            _plot_panel(axes, runs, names, log)
        for axes in figure.axes[4:]:
            _label_epochs(axes)
        if len(runs) > 1:
            handles = [Line2D([], [], color=line_colour(i), label=name) for i, name in enumerate(runs)]
            figure.legend(handles=handles, loc="outside upper left", ncols=min(3, len(runs)))
        _free_legends(figure)
    return figure


def _free_legends(figure: Figure) -> None:
    """Raises the upper end of each vertical axis whose legend hides a line, so that the legend lies above all lines."""
    figure.draw_without_rendering()  # places legends where they hide least
    for axes in figure.axes:
        if (legend := axes.get_legend()) is None:
            continue
        box = legend.get_window_extent()
        if not any(_crosses(line, box) for line in axes.lines):
            continue
        share = (box.height + 8) / axes.bbox.height  # of the axis, with some pixels around
        (low, high), stretch = axes.get_ylim(), 1 / (1 - share)
        axes.set_ylim(top=low * (high / low) ** stretch if axes.get_yscale() == "log" else low + (high - low) * stretch)
        legend.set_loc("upper right")


def _crosses(line: Line2D, box: Bbox) -> bool:
    """Returns whether a line goes through a box, in pixels."""
    return bool(line.get_path().transformed(line.get_transform()).intersects_bbox(box, filled=False))


def plot_sample_distances(history: History) -> Figure:
    """Plots the Fréchet distance of samples over the epochs, of the blend and of each component alone."""
    keys = sorted({key for row in history for key in row if key == "fid" or key.startswith("fid_")})
    with rc_context(STYLE):
        figure = new_chart(WIDTH, 2.8)
        axes = figure.subplots()
        for i, key in enumerate(keys):
            name = r"$\hat x$" if key == "fid" else rf"$\hat x_{{{key.removeprefix('fid_x')}}}$"
            axes.plot(*zip(*_points(history, key), strict=True), color=line_colour(i), marker=".", label=name)
        use_log_scale(axes)
        _label_epochs(axes)
        axes.set_title("Fréchet distance of samples of the prior")
        axes.legend()
        add_grid(axes)
    return figure


def plot_kls(history: History, margin: float) -> Figure:
    """Plots the KLs of images, reconstructions and samples over the epochs, and the margin of an introspective run.

    The vertical axis is logarithmic, in nats; smaller KLs than `MIN_NATS` are drawn there.

    Arguments:
        history: The history of the run.
        margin: The margin in nats, drawn as a constant line unless the history has a margin that changed, as it does
            after a schedule or after a rollback.
    """
    with rc_context(STYLE):
        figure = new_chart(3.4, 2.3)
        axes = figure.subplots()
        for i, (key, name) in enumerate(KL_LINES.items()):
            points = [(epoch, max(MIN_NATS, kl)) for epoch, kl in _points(history, key)]
            if points:
                style: dict[str, Any] = {
                    "color": OKABE_ITO[i],
                    "linestyle": LINE_STYLES[i],
                    "marker": _marker(points),
                }
                axes.plot(*zip(*points, strict=True), label=name, **style)
        margins = _points(history, "margin")
        if len({value for _, value in margins}) > 1:
            line: dict[str, Any] = {"color": TEXT_COLOUR, "linewidth": 0.8, "drawstyle": "steps-mid"}
            axes.plot(*zip(*margins, strict=True), label="margin", **line)
        else:
            axes.axhline(margins[0][1] if margins else margin, color=TEXT_COLOUR, linewidth=0.8, label="margin")
        use_log_scale(axes)
        axes.set_title("KL, nats")
        _label_epochs(axes)
        figure.legend(loc="outside lower center", ncols=2, fontsize=8, columnspacing=1)
        add_grid(axes)
    return figure


def _plot_panel(axes: Axes, runs: Mapping[str, History], names: Mapping[str, str], log: bool) -> None:
    """Plots the same keys of all runs.

    With one run, each key has a colour of its own. With several, each run has one. The dashes of each key are its own.
    """
    legend: dict[str, Line2D] = {}
    late_values: list[float] = []  # values after the first tenth of the epochs
    for i, rows in enumerate(runs.values()):
        for j, key in enumerate(names):
            points = _points(rows, key)
            if not points:
                continue
            line: Any = LINE_STYLES[j]
            colour = line_colour(j if len(runs) == 1 else i)
            axes.plot(*zip(*points, strict=True), color=colour, linestyle=line, marker=_marker(points))
            legend_colour = colour if len(runs) == 1 else "#555555"
            legend[key] = Line2D([], [], label=names[key], color=legend_colour, linestyle=line)
            late_values += [value for _, value in points[len(points) // 10 :]]
    if log and late_values and min(np.min(line.get_ydata()) for line in axes.lines) > 0:
        use_log_scale(axes)
    elif late_values:
        low, high = min(late_values), max(late_values)
        margin = 0.06 * (high - low) or 1e-3
        axes.set_ylim(low - margin, high + margin)
    if len(legend) > 1:
        axes.legend(handles=list(legend.values()), loc="best")
    add_grid(axes)


def _points(history: Iterable[Mapping[str, Any]], key: str) -> list[tuple[int, float]]:
    """Returns (epoch, value) of the rows that have a finite value."""
    return [(row["epoch"], row[key]) for row in history if row.get(key) is not None and np.isfinite(row[key])]


def _marker(points: Sequence[object]) -> str:
    """Returns a dot for a single point, which is no line, and no marker for several."""
    return "." if len(points) == 1 else ""


def _label_epochs(axes: Axes) -> None:
    """Labels the horizontal axis as epochs, with ticks at whole numbers."""
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
