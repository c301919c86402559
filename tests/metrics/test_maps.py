"""Diagnostics of a split, in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from splitvae import metrics
from splitvae.models.split import Canvas, compose

SIDE = 32


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pair(first: Tensor) -> Tensor:
    """Maps (N, H, W) in [0, 1] and their complements, as masks (N, 2, 1, H, W)."""
    return torch.stack((first, 1 - first), 1).unsqueeze(2)


def wave(frequency: float) -> Tensor:
    """A map that oscillates across, with so many cycles a pixel."""
    return (0.5 + 0.2 * torch.cos(2 * math.pi * frequency * torch.arange(SIDE) + 0.3)).expand(1, SIDE, SIDE)


CHECKERBOARD = ((torch.arange(SIDE)[:, None] + torch.arange(SIDE)) % 2).float()[None]
RAMP = (torch.arange(SIDE) / SIDE).expand(1, SIDE, SIDE)
NOISE = torch.rand(64, SIDE, SIDE, generator=generator())


@pytest.mark.parametrize(
    ("maps", "share", "tolerance"),
    [
        (CHECKERBOARD, 1.0, 1e-6),
        (RAMP, 0.0, 1e-3),
        (NOISE, 1 - math.pi / 16, 0.01),  # the area of the square of frequencies outside the disc of radius 1/4
        (wave(0.15), 0.0, 1e-3),
        (wave(0.35), 1.0, 1e-3),
        (wave(0.1) + wave(0.4), 0.5, 1e-3),  # two waves of equal energy
    ],
    ids=["checkerboard", "ramp", "noise", "low wave", "high wave", "both waves"],
)
def test_the_high_frequency_share_is_the_energy_outside_a_disc(maps: Tensor, share: float, tolerance: float) -> None:
    assert metrics.high_frequency_share(pair(maps)) == pytest.approx(share, abs=tolerance)


def test_the_share_does_not_depend_on_offset_scale_orientation_or_how_a_map_is_divided() -> None:
    maps = wave(0.1) + 0.3 * wave(0.4)
    share = metrics.high_frequency_share(pair(maps))
    assert share == pytest.approx(metrics.high_frequency_share(pair(0.2 + 0.3 * maps)), rel=1e-4)
    assert share == pytest.approx(metrics.high_frequency_share(pair(1 - maps)), rel=1e-6)
    assert share == pytest.approx(metrics.high_frequency_share(pair(maps.mT)), rel=1e-6)
    three = torch.stack((0.4 * maps, 0.6 * maps, 1 - maps), 1).unsqueeze(2)
    assert share == pytest.approx(metrics.high_frequency_share(three), rel=1e-4)


def test_a_map_counts_as_much_as_it_varies() -> None:
    faint = 0.5 + 0.01 * (CHECKERBOARD - 0.5)
    assert metrics.high_frequency_share(pair(torch.cat((wave(0.1), faint)))) < 0.01


def test_the_edges_of_an_affine_function_of_an_image_overlap_fully() -> None:
    x = torch.rand(5, 1, SIDE, SIDE, dtype=torch.float64, generator=generator())
    assert metrics.edge_overlap(pair(0.8 - 0.5 * x[:, 0]), x) == pytest.approx(1, abs=1e-12)
    assert metrics.edge_overlap(pair(x[:, 0]), x.expand(-1, 3, -1, -1)) == pytest.approx(1, abs=1e-12)


def test_unrelated_edges_do_not_overlap() -> None:
    x = torch.rand(64, 3, SIDE, SIDE, generator=generator(1))
    assert abs(metrics.edge_overlap(pair(NOISE), x) or 0) < 0.02  # 64 correlations of 961 values: deviation 0.004


def test_a_contour_overlaps_with_its_silhouette_and_a_checkerboard_does_not() -> None:
    row, column = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    disc = ((row - 15.5) ** 2 + (column - 15.5) ** 2 < 100).float()[None]
    assert metrics.edge_overlap(pair(0.2 + 0.6 * disc), disc[None]) == pytest.approx(1)
    assert metrics.edge_overlap(pair(CHECKERBOARD), disc[None]) == 0


@pytest.mark.parametrize("level", [0.0, 1 / 3, 0.5, 1.0])
def test_measures_of_constant_maps_and_images_are_zero_and_never_nan(level: float) -> None:
    flat, x = torch.full((3, SIDE, SIDE), level), torch.rand(3, 1, SIDE, SIDE, generator=generator())
    assert metrics.high_frequency_share(pair(flat)) == 0
    assert metrics.edge_overlap(pair(flat), x) == 0
    assert metrics.edge_overlap(pair(x[:, 0]), flat[:, None]) == 0
    assert metrics.map_contrast(pair(flat)) == pytest.approx(0, abs=1e-7)


def test_the_contrast_of_a_map_of_black_and_white_halves_is_one_half() -> None:
    assert metrics.map_contrast(pair(CHECKERBOARD)) == pytest.approx(0.5)


@pytest.mark.parametrize("split", [2, 3])
def test_ambiguity_is_the_amount_by_which_blending_lowers_the_error_of_components(split: int) -> None:
    canvas = compose(torch.randn(4, 4 * split - 1, 8, 8, generator=generator()), split)
    x = torch.rand(4, 3, 8, 8, generator=generator(1))
    components = (canvas.masks * (x.unsqueeze(1) - canvas.images).square()).sum(1).mean()
    assert metrics.mean_ambiguity(canvas) == pytest.approx(float(components - (x - canvas.image).square().mean()), rel=1e-4)


def test_measures_of_an_unsplit_canvas_are_none() -> None:
    canvas = compose(torch.randn(2, 1, 8, 8), 1)
    assert metrics.high_frequency_share(canvas.masks) is None
    assert metrics.edge_overlap(canvas.masks, canvas.image) is None
    assert metrics.map_contrast(canvas.masks) is None
    assert metrics.mean_ambiguity(canvas) is None


def test_checkerboards_are_classified_as_syntactic_and_contours_as_semantic() -> None:
    row, column = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    radius = ((row - 15.5) ** 2 + (column - 15.5) ** 2).sqrt()[None]
    x, contour = (radius < 10).float(), ((radius - 10).abs() < 0.6).float()

    def verdict(masks: Tensor) -> str:
        share, overlap = metrics.high_frequency_share(masks), metrics.edge_overlap(masks, x[None])
        assert share is not None and overlap is not None
        return metrics.classify_split(share, overlap)

    assert verdict(pair(CHECKERBOARD)) == "syntactic"
    assert verdict(pair(0.5 + (CHECKERBOARD - 0.5) * x)) == "syntactic"  # although it fades with the image
    assert verdict(pair(x)) == "semantic"
    assert verdict(pair(contour)) == "semantic"  # although its energy lies at high frequencies
    assert verdict(pair(RAMP)) == "mixed"


def test_map_energies_of_a_batch_are_those_of_each_image() -> None:
    canvas = compose(torch.randn(6, 3, 16, 16, generator=generator()), 2)
    high, total = metrics.map_energies(canvas.masks)
    one = Canvas(canvas.images[3:4], canvas.masks[3:4])
    assert torch.allclose(metrics.map_energies(one.masks)[0], high[3:4])
    assert bool((high <= total).all())
