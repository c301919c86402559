"""Diagnostics of latents in closed form."""

from __future__ import annotations

import pytest
import torch

from splitvae import metrics
from splitvae.models.posteriors import GaussianPosterior


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_counts_compare_variances_with_their_thresholds() -> None:
    signs = torch.tensor([-1.0, 1.0, -1.0, 1.0])[:, None]  # the variance of a column is its deviation squared
    mean = 3 + signs * torch.tensor([0.0, 0.09, 0.11, 0.22, 0.23, 1.0])
    assert metrics.inactive_by_mean(mean) == 4  # 0.22^2 < 0.05 < 0.23^2
    assert metrics.active_units(mean) == 4  # 0.09^2 < 0.01 < 0.11^2
    logvar = torch.tensor([0.90, 0.94, 0.96, 1.0]).log().expand(4, 4) + signs * 1e-4
    assert metrics.inactive_by_variance(logvar) == 2


def test_the_counts_do_not_depend_on_a_large_offset_of_the_means() -> None:
    mean = 4096 + 0.25 * torch.tensor([[-1.0], [1.0]]).repeat(5000, 1)
    assert metrics.inactive_by_mean(mean) == 0


def test_the_variance_law_holds_for_the_exact_posterior_of_a_linear_model() -> None:
    z = torch.randn(1000, 1, dtype=torch.float64, generator=generator())
    v = torch.tensor([0.1, 1.0, 9.0], dtype=torch.float64)  # x = z + noise of variance v
    x = (z - z.mean()) / z.std(correction=0) * (1 + v).sqrt()
    law = metrics.variance_law(x / (1 + v), (v / (1 + v)).log().expand(1000, 3))
    assert law.dtype == torch.float64
    assert torch.allclose(law, torch.ones(3, dtype=torch.float64), atol=1e-12)


def test_the_kl_of_dimensions_is_that_of_torch_and_sums_to_that_of_the_posterior() -> None:
    mean, logvar = torch.randn(2, 50, 6, generator=generator())
    kl = metrics.kl_by_dimension(mean, logvar)
    q, p = torch.distributions.Normal(mean, (logvar / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    assert torch.allclose(kl.float(), torch.distributions.kl_divergence(q, p).mean(0), rtol=1e-5)
    assert float(kl.sum()) == pytest.approx(float(GaussianPosterior(mean, logvar).kl().mean()), rel=1e-5)
