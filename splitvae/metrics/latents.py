"""TODO docstring of metrics.latents."""

from __future__ import annotations

from torch import Tensor

__all__ = ["active_units", "inactive_by_mean", "inactive_by_variance", "kl_by_dimension", "variance_law"]


MIN_DEVIATION = 1e-6  # deviations below this are rounding in float32, and no structure is read into them


def as_float64(values: Tensor) -> Tensor:
    return values.detach().cpu().double()


# ---------------------------------------------------------------- latents


def inactive_by_mean(mean: Tensor) -> int:
    """The number of latents with var_x(mu_j) < .05: the paper's first count."""
    return int((as_float64(mean).var(0, correction=0) < 0.05).sum())


def inactive_by_variance(logvar: Tensor) -> int:
    """The number of latents with mean_x(sigma_j^2) > .95: the paper's second count."""
    return int((as_float64(logvar).exp().mean(0) > 0.95).sum())


def active_units(mean: Tensor) -> int:
    """The number of latents with var_x(mu_j) > .01 (Burda et al., section 5.2)."""
    return int((as_float64(mean).var(0, correction=0) > 0.01).sum())


def variance_law(mean: Tensor, logvar: Tensor) -> Tensor:
    """var_x(mu_j) + mean_x(sigma_j^2) of each latent, shape (D,); 1 at an optimum."""
    return as_float64(mean).var(0, correction=0) + as_float64(logvar).exp().mean(0)


def kl_by_dimension(mean: Tensor, logvar: Tensor | None) -> Tensor:
    """mean_x KL(q(z_j|x) || N(0, 1)) of each latent, shape (D,), in nats; of codes without noise mean_x z_j^2 / 2."""
    mean = as_float64(mean)
    if logvar is None:
        return 0.5 * mean.square().mean(0)
    logvar = as_float64(logvar)
    return 0.5 * (mean.square() + logvar.exp() - logvar - 1).mean(0)
