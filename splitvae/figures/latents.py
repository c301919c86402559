"""TODO docstring of figures.latents."""

from __future__ import annotations

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..metrics.latents import kl_by_dimension, variance_law
from ..models.codes import Codes
from .style import DPI, PALETTE, STYLE, _gridded

__all__ = ["latent_spectrum"]


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
