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
from matplotlib.ticker import LogFormatter, MaxNLocator

from .metrics import kl_by_dimension, variance_law
from .runs import Codes

__all__ = ["DPI", "STYLE", "curves", "latent_spectrum", "logarithmic", "sample_distances"]

DPI = 200
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK = "#222222"
STYLE: Any = {
    "font.size": 8,
    "mathtext.fontset": "cm",
    "text.color": INK,
    "axes.edgecolor": "#777777",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
}
TICKS = {"color": "#555555", "labelsize": 7, "major.width": 0.6}
STYLE |= {f"{axis}tick.{key}": value for axis in "xy" for key, value in TICKS.items()}

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


def _colour(i: int) -> str:
    return PALETTE[i % len(PALETTE)]


def logarithmic(axes: Axes) -> None:
    """Makes the vertical axis logarithmic, with numbers as one writes them."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(LogFormatter())


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


def _gridded(axes: Axes) -> None:
    axes.grid(True, axis="y", color="#e8e8e8", linewidth=0.5)
    axes.set_axisbelow(True)


def latent_spectrum(codes: Codes) -> Figure:
    """The KL of each latent in nats, largest first; beside it var_x(mu) and mean_x(sigma^2), whose sum is 1 at an optimum.

    Dashed: below var = .05, or above sigma^2 = .95, the paper counts a latent as inactive. Codes without noise have their
    rate z^2 / 2 and the variance of the means alone.
    """
    noisy = codes.logvar is not None
    kl = kl_by_dimension(codes.mean, codes.logvar).numpy()
    order = np.argsort(-kl)
    explained = codes.mean.double().var(0, correction=0).numpy()[order]
    law = variance_law(codes.mean, codes.logvar).numpy()[order] if codes.logvar is not None else explained
    ranks = np.arange(1, len(kl) + 1)
    with rc_context(STYLE):
        figure = Figure((7.2, 2.5), dpi=DPI, layout="constrained")
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2)
        left.bar(ranks, kl[order], width=0.8, color=PALETTE[0])
        left.set_title("KL, nats" if noisy else "rate: mean of $z^2/2$")
        size = 2.6 if len(kl) <= 64 else 1.4
        if noisy:
            right.plot(ranks, law, color="#999999", linewidth=0.8, label="their sum")
            right.plot(ranks, law - explained, "s", color=PALETTE[1], markersize=size, label=r"mean $\sigma^2$")
            right.axhline(0.95, color=PALETTE[1], linewidth=0.7, linestyle=(0, (4, 2)))
        right.plot(ranks, explained, "o", color=PALETTE[0], markersize=size, label=r"var $\mu$")
        right.axhline(0.05, color=PALETTE[0], linewidth=0.7, linestyle=(0, (4, 2)))
        right.set_title("variance of the means, and mean variance" if noisy else "variance of the codes")
        right.set_ylim(0, 1.25 * max(1.0, float(law.max())))  # with room for the legend
        right.legend(ncols=3, loc="upper left", handletextpad=0.4, columnspacing=1.2)
        for axes in (left, right):
            axes.set_xlabel("latents, by KL")
            axes.set_xlim(0.2, len(kl) + 0.8)
            _gridded(axes)
    return figure
