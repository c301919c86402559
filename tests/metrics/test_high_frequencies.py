"""Sharpness: closed forms, and that neither blur nor noise wins."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from splitvae.metrics.high_frequencies import high_frequency_power, power_ratio, sharpness

SIDE = 32


def noise(seed: int, n: int = 400, channels: int = 1) -> Tensor:
    """White noise of variance 0.01."""
    return 0.5 + 0.1 * torch.randn(n, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def blurred(images: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)


def test_white_noise_has_the_power_of_the_frequencies_outside_a_disc() -> None:
    # A square of frequencies of area 1 without a disc of radius 1/4; 400 images: deviation 0.2 %.
    power = high_frequency_power(noise(0))
    assert power.dtype == torch.float64 and power.shape == (400,)
    assert float(power.mean()) == pytest.approx(0.01 * (1 - math.pi / 16), rel=0.01)


@pytest.mark.parametrize(("frequency", "share"), [(0.1, 0.0), (0.4, 1.0)])
def test_the_power_of_a_wave_is_its_variance_or_zero_by_its_frequency(frequency: float, share: float) -> None:
    wave = 0.5 + 0.2 * torch.cos(2 * math.pi * frequency * torch.arange(SIDE) + 0.3)
    power = high_frequency_power(wave.expand(1, 1, SIDE, SIDE))
    assert float(power) == pytest.approx(share * 0.2**2 / 2, rel=0.02, abs=1e-6)


def test_equal_images_have_sharpness_zero_and_the_order_of_the_sets_does_not_matter() -> None:
    assert sharpness(noise(0), noise(0)) == 0
    assert sharpness(noise(0), 0.5 * noise(1)) == pytest.approx(sharpness(0.5 * noise(1), noise(0)))
    assert sharpness(noise(0), 0.5 * noise(0)) == pytest.approx(math.log(4), rel=1e-5)


def test_blurred_and_noisy_samples_are_less_sharp_than_images() -> None:
    images = blurred(noise(0))
    others = blurred(noise(1))
    assert sharpness(others, images) < 0.02
    for worse in (blurred(others), others + 0.2 * (noise(2) - 0.5)):
        assert sharpness(worse, images) > 0.2
    powers = [high_frequency_power(x) for x in (blurred(others), others + 0.2 * (noise(2) - 0.5), images)]
    assert power_ratio(powers[0], powers[2]) < 1 < power_ratio(powers[1], powers[2])


def test_colours_count_as_their_mean() -> None:
    x = noise(0, channels=3)
    assert torch.allclose(high_frequency_power(x), high_frequency_power(x.mean(1, keepdim=True)), rtol=1e-4)


def test_the_sharpness_of_images_without_detail_is_large_and_finite() -> None:
    flat = torch.full((30, 1, SIDE, SIDE), 0.3)
    assert sharpness(flat, flat) == 0
    assert 10 < sharpness(flat, noise(0)) < 40
