"""Charts of numbers: the curves of a training, and the spectrum of the latents; and the style of every figure.

The colours are those of Okabe and Ito, which colour-blind readers tell apart; lines differ by dashes too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from .style import DPI, INK, PALETTE, STYLE, _colour, _gridded, logarithmic

__all__ = ["curves", "kl_chart", "sample_distances"]


PANELS = (  # title, the lines' keys and names, logarithmic
    ("loss, nats", {"loss": "training", "val_loss": "validation"}, False),
    ("distortion SSE / 2v, nats", {"rec": "training"}, False),
    ("KL, nats", {"kl": "training", "val_kl": "validation"}, False),
    ("MSE", {"mse": "training", "val_mse": "validation"}, True),
    ("variance, and weight of the KL", {"v": "$v$", "beta_v": r"$\beta v$"}, True),
    ("learning rate", {"lr": ""}, True),
)


INSTEAD = {  # a term that some histories have, and panels, by title, in whose place another shows such a run better
    "kl_content": {"KL, nats": ("KL, nats", {"kl_content": "content, a group", "kl_style": "style, an image"})},
    "kl_real": {
        "KL, nats": ("KL, nats", {"kl_real": "images", "kl_rec": "reconstructions", "kl_fake": "samples"}),
        "distortion SSE / 2v, nats": (r"$L_{AE}$, SSE / 2", {"rec": "training"}),
        "variance, and weight of the KL": ("weights", {"alpha": r"$\alpha$", "beta": r"$\beta$"}),
    },
}


History = Sequence[Mapping[str, Any]]


def curves(history: History | Mapping[str, History]) -> Figure:
    """Training curves of one history (rows, one an epoch), or of several runs overlaid, as name -> history.

    The first tenth of the epochs, far off scale, does not decide the range of the loss and the distortion.
    """
    runs = dict(history) if isinstance(history, Mapping) else {"": history}
    terms = {key for rows in runs.values() for row in rows for key in row}
    special = {title: panel for term, panels in INSTEAD.items() if term in terms for title, panel in panels.items()}
    panels = [(*special.get(title, (title, names)), log) for title, names, log in PANELS]
    with rc_context(STYLE):
        figure = Figure((7.2, 4.0), dpi=DPI, layout="constrained")
        FigureCanvasAgg(figure)
        for axes, (title, names, log) in zip(figure.subplots(2, 3, sharex=True).flat, panels, strict=True):
            axes.set_title(title)
            _panel(axes, runs, names, log)
        for axes in figure.axes[3:]:
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if len(runs) > 1:
            handles = [Line2D([], [], color=_colour(i), label=name) for i, name in enumerate(runs)]
            figure.legend(handles=handles, loc="outside upper left", ncols=min(4, len(runs)))
    return figure


def sample_distances(history: History) -> Figure:
    """The Frechet distance of samples during training, of the blend and of each component alone."""
    keys = sorted({key for row in history for key in row if key == "fid" or key.startswith("fid_")})
    with rc_context(STYLE):
        figure = Figure((7.2, 2.8), dpi=DPI, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for i, key in enumerate(keys):
            points = [(row["epoch"], row[key]) for row in history if row.get(key) is not None]
            name = r"$\hat x$" if key == "fid" else rf"$\hat x_{{{key.removeprefix('fid_x')}}}$"
            axes.plot(*zip(*points, strict=True), color=_colour(i), marker=".", label=name)
        logarithmic(axes)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_title("Fréchet distance of samples of the prior")
        axes.legend()
        _gridded(axes)
    return figure


def _panel(axes: Axes, runs: Mapping[str, History], names: Mapping[str, str], log: bool) -> None:
    """Draws the same keys of all runs: a colour a run (a key, where one run is alone), the second key dashed."""
    drawn = {}
    settled: list[float] = []  # values after the first tenth
    for i, rows in enumerate(runs.values()):
        for j, key in enumerate(names):
            points = [(row["epoch"], row[key]) for row in rows if row.get(key) is not None]
            if points:
                look: dict[str, Any] = {"linestyle": (0, (3, 1.2)) if j else "-"}
                look["marker"] = "." if len(points) == 1 else ""
                axes.plot(*zip(*points, strict=True), color=_colour(j if len(runs) == 1 else i), **look)
                legend: dict[str, Any] = {
                    "color": _colour(j) if len(runs) == 1 else "#555555",
                    "linestyle": look["linestyle"],
                }
                drawn[key] = Line2D([], [], label=names[key], **legend)
                settled += [value for _, value in points[len(points) // 10 :]]
    if log and settled and min(np.min(line.get_ydata()) for line in axes.lines) > 0:
        logarithmic(axes)
    elif settled:
        margin = 0.06 * (max(settled) - min(settled)) or 1e-3
        axes.set_ylim(min(settled) - margin, max(settled) + margin)
    if len(drawn) > 1:
        axes.legend(handles=list(drawn.values()), loc="best")
    _gridded(axes)


KLS = {"kl_real": "images", "kl_rec": "reconstructions", "kl_fake": "samples"}


DASHES = ("-", (0, (3, 1.2)), (0, (1, 1)))


LEAST = 1e-2  # nats, below which a logarithmic chart says nothing


def kl_chart(history: Sequence[Mapping[str, Any]], margin: float) -> Figure:
    """The KLs of images, reconstructions and samples over epochs, in nats on a logarithmic axis, and the margin as a line.

    The line follows the history where that tells the margin, which a schedule or a rollback moves.
    """
    with rc_context(STYLE):
        figure = Figure((3.4, 2.3), dpi=DPI, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for i, (key, name) in enumerate(KLS.items()):
            points = [(row["epoch"], max(LEAST, row[key])) for row in history if row.get(key) is not None]
            if points:
                marker = "." if len(points) == 1 else ""
                axes.plot(*zip(*points, strict=True), color=PALETTE[i], linestyle=DASHES[i], marker=marker, label=name)
        moved = [(row["epoch"], row["margin"]) for row in history if row.get("margin") is not None]
        if len({value for _, value in moved}) > 1:
            axes.plot(*zip(*moved, strict=True), color=INK, linewidth=0.8, drawstyle="steps-mid", label="margin")
        else:
            axes.axhline(moved[0][1] if moved else margin, color=INK, linewidth=0.8, label="margin")
        logarithmic(axes)
        axes.set_title("KL, nats")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        figure.legend(loc="outside lower center", ncols=4, fontsize=6, columnspacing=1)
        axes.grid(True, axis="y", color="#e8e8e8", linewidth=0.5)
        axes.set_axisbelow(True)
    return figure
