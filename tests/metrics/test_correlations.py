"""The mean correlation of two images: its extremes, and agreement with NumPy's correlation matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from splitvae.metrics.correlations import directions, excess_correlation, mean_pairwise_correlation


def test_it_is_the_mean_of_the_correlation_matrix_off_its_diagonal() -> None:
    images = torch.rand(12, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    matrix = np.corrcoef(images.flatten(1).double().numpy())
    expected = (matrix.sum() - 12) / (12 * 11)
    assert float(mean_pairwise_correlation(directions(images))) == pytest.approx(expected, rel=1e-10)


def test_one_picture_has_one_and_brightness_and_contrast_do_not_count() -> None:
    picture = torch.rand(1, 1, 8, 8)
    alike = torch.cat([picture, 0.5 * picture, picture + 3, picture])
    assert float(mean_pairwise_correlation(directions(alike))) == pytest.approx(1, abs=1e-6)
    assert float(mean_pairwise_correlation(directions(torch.cat([picture, -picture])))) == pytest.approx(-1, abs=1e-6)
    assert float(mean_pairwise_correlation(directions(torch.ones(5, 1, 8, 8)))) == 0


def test_noise_has_less_in_common_than_images_of_one_kind() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(200, 1, 8, 8, generator=generator)
    images = torch.rand(1, 1, 8, 8, generator=generator) + 0.3 * torch.rand(200, 1, 8, 8, generator=generator)
    assert abs(float(mean_pairwise_correlation(directions(noise)))) < 0.01
    assert float(excess_correlation(directions(noise), directions(images))) < -0.5
    assert float(excess_correlation(directions(images), directions(images))) == 0
