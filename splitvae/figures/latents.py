"""A chart of the latents of a model: the KL of each, and how its variance is divided."""

from __future__ import annotations

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from ..metrics.latents import kl_by_dimension, variance_law
from ..models.codes import Codes
from .style import OKABE_ITO, STYLE, WIDTH, add_grid, new_chart

__all__ = ["plot_latent_spectrum"]


def plot_latent_spectrum(codes: Codes) -> Figure:
    """Plots the KL of each latent in nats, largest first, and below it var_x(mu) and mean_x(sigma^2).

    The sum of both variances is 1 at an optimum of the ELBO. The dashed lines are the thresholds at which the Split-VAE
    paper counts a latent as inactive: var_x(mu) < 0.05, or mean_x(sigma^2) > 0.95. For codes without noise the upper panel
    shows the mean of z^2 / 2 in place of the KL, and the lower panel the variance of the codes alone.
    """
    noisy = codes.logvar is not None
    kl = kl_by_dimension(codes.mean, codes.logvar).numpy()
    order = np.argsort(-kl)
    explained = codes.mean.double().var(0, correction=0).numpy()[order]
    total = variance_law(codes.mean, codes.logvar).numpy()[order] if codes.logvar is not None else explained
    ranks = np.arange(1, len(kl) + 1)
    with rc_context(STYLE):
        figure = new_chart(WIDTH, 4.6)
        upper, lower = figure.subplots(2, 1)
        upper.bar(ranks, kl[order], width=0.8, color=OKABE_ITO[0])
        upper.set_title("KL, nats" if noisy else "rate: mean of $z^2/2$")
        size = 2.6 if len(kl) <= 64 else 1.4
        if noisy:
            lower.plot(ranks, total, color="#999999", linewidth=0.8, label="their sum")
            lower.plot(ranks, total - explained, "s", color=OKABE_ITO[1], markersize=size, label=r"mean $\sigma^2$")
            lower.axhline(0.95, color=OKABE_ITO[1], linewidth=0.7, linestyle=(0, (4, 2)))
        lower.plot(ranks, explained, "o", color=OKABE_ITO[0], markersize=size, label=r"var $\mu$")
        lower.axhline(0.05, color=OKABE_ITO[0], linewidth=0.7, linestyle=(0, (4, 2)))
        lower.set_title("variance of the means, and mean variance" if noisy else "variance of the codes")
        lower.set_ylim(0, 1.25 * float(total[np.isfinite(total)].max(initial=1.0)))  # with room for the legend
        lower.legend(ncols=3, loc="upper left", handletextpad=0.4, columnspacing=1.2)
        for axes in (upper, lower):
            axes.set_xlabel("latents, by KL")
            axes.set_xlim(0.2, len(kl) + 0.8)
            add_grid(axes)
    return figure
