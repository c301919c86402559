r"""Diagnostics of latents, as functions of posterior means and log-variances, (N, D), of N images. All are in float64.

A latent that the encoder ignores has a posterior mean mu ~ 0 and a posterior variance sigma^2 ~ 1 for every image. If the
decoder can rescale z freely, then the KL is stationary only where every latent obeys, whatever the weight of the KL,

    var_x(mu_j) + mean_x(sigma_j^2) = 1     (the variance law).

References:
    Enhancing variational generation through self-decomposition (Asperti, Bugo, Filippini, 2022),
    https://doi.org/10.1109/ACCESS.2022.3185654: the two counts of inactive latents, as in its public code.
    About generative aspects of variational autoencoders (Asperti, 2019): the variance law.
    Importance weighted autoencoders (Burda, Grosse, Salakhutdinov, 2016), https://arxiv.org/abs/1509.00519: active units.
"""

from __future__ import annotations

from torch import Tensor

from .checks import as_float64

__all__ = ["active_units", "inactive_by_mean", "inactive_by_variance", "kl_by_dimension", "variance_law"]


def inactive_by_mean(mean: Tensor) -> int:
    """Returns the number of latents with var_x(mu_j) < 0.05, the first count of the Split-VAE paper."""
    return int((as_float64(mean).var(0, correction=0) < 0.05).sum())


def inactive_by_variance(logvar: Tensor) -> int:
    """Returns the number of latents with mean_x(sigma_j^2) > 0.95, the second count of the Split-VAE paper."""
    return int((as_float64(logvar).exp().mean(0) > 0.95).sum())


def active_units(mean: Tensor) -> int:
    """Returns the number of latents with var_x(mu_j) > 0.01 (Burda et al., section 5.2)."""
    return int((as_float64(mean).var(0, correction=0) > 0.01).sum())


def variance_law(mean: Tensor, logvar: Tensor) -> Tensor:
    """Returns var_x(mu_j) + mean_x(sigma_j^2) of each latent, shape (D,); it is 1 at an optimum."""
    return as_float64(mean).var(0, correction=0) + as_float64(logvar).exp().mean(0)


def kl_by_dimension(mean: Tensor, logvar: Tensor | None) -> Tensor:
    """Returns mean_x KL(q(z_j|x) || N(0, 1)) of each latent, in nats, shape (D,).

    Arguments:
        mean: The posterior means, (N, D).
        logvar: The posterior log-variances, (N, D), or None for codes without noise, whose value is mean_x z_j^2 / 2.
    """
    mean = as_float64(mean)
    if logvar is None:
        return 0.5 * mean.square().mean(0)
    logvar = as_float64(logvar)
    return 0.5 * (mean.square() + logvar.exp() - logvar - 1).mean(0)
