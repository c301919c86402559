"""All distances together: the jackknife, and what too few images cannot tell."""

from __future__ import annotations

import pytest
import torch

from splitvae.errors import UserError
from splitvae.metrics.distances import jackknife_deviation, measure_distances
from splitvae.metrics.fid import frechet_distance


def test_the_jackknife_leaves_out_a_tenth_at_a_time() -> None:
    real, fake = torch.randn(200, 3).double(), 1.1 * torch.randn(200, 3).double()
    left = []
    for i in range(10):
        keep = torch.arange(200) % 10 != i
        left.append(frechet_distance(real[keep], fake[keep]))
    values = torch.tensor(left, dtype=torch.float64)
    assert jackknife_deviation(real, fake) == pytest.approx(
        float((0.9 * (values - values.mean()).square().sum()).sqrt()), rel=1e-6
    )


def test_the_jackknife_is_the_deviation_of_repeated_experiments() -> None:
    pairs = [(torch.randn(500, 4).double(), 0.5 + torch.randn(500, 4).double()) for _ in range(60)]
    repeated = torch.tensor([frechet_distance(a, b) for a, b in pairs]).std()
    estimated = torch.tensor([jackknife_deviation(a, b) for a, b in pairs]).mean()
    assert 0.6 < estimated / repeated < 1.6


def test_distances_that_need_more_rows_are_none() -> None:
    distances = measure_distances(torch.randn(4, 3), torch.randn(4, 3))
    assert distances["fid"]["value"] is not None
    many = measure_distances(torch.randn(100, 3), torch.randn(100, 3))
    assert many["kid"]["deviation"] > 1e-6  # blocks are smaller than the sets
    assert distances["fid"]["deviation"] is distances["fid_infinity"]["value"] is distances["recall"]["value"] is None
    assert distances["fid_infinity"]["reason"] == "needs 15 generated images"
    assert "reason" not in measure_distances(torch.randn(4, 3), torch.randn(15, 3))["fid_infinity"]
    with pytest.raises(UserError):
        measure_distances(torch.randn(1, 3), torch.randn(4, 3))
    with pytest.raises(UserError, match="finite"):
        measure_distances(torch.full((9, 3), torch.nan), torch.randn(9, 3))
