"""Planes of codes and shifts of latents: what stands where."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor

from splitvae.config import Config
from splitvae.figures.introvae import draw_deviations, draw_plane
from splitvae.models.codes import Codes
from splitvae.models.vae import VAE
from splitvae.presets.build import build_vae

TILE, STEP = 96, 100  # pixels of an image of side 16, and to the next

Pixels = Callable[[Figure], np.ndarray]


@pytest.fixture(scope="module")
def vae() -> VAE:
    torch.manual_seed(0)
    return build_vae(Config().override(shape=(1, 16, 16), latent_dim=3, split=1, width=4, scales=2, embedding=8)).eval()


@torch.no_grad()
def expected(vae: VAE, code: Tensor) -> np.ndarray:
    """The pixels of a decoded code (D,)."""
    page = (vae.decode(code[None]).image[0] * 255).round().byte().expand(3, -1, -1).permute(1, 2, 0).numpy()
    return page.repeat(6, 0).repeat(6, 1)


def almost_equal(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.abs(a.astype(int) - b).max() <= 1)  # a batch of another size may round otherwise


def test_the_plane_has_its_three_codes_in_three_corners_and_their_sum_in_the_fourth(
    vae: VAE, figure_pixels: Pixels
) -> None:
    codes = 3 * torch.randn(3, 3)
    page = figure_pixels(draw_plane(vae, codes, steps=5))
    assert page.shape == (5 * STEP - 4, 5 * STEP - 4, 3)
    assert almost_equal(page[:TILE, :TILE], expected(vae, codes[0]))
    assert almost_equal(page[-TILE:, :TILE], expected(vae, codes[1]))
    assert almost_equal(page[:TILE, -TILE:], expected(vae, codes[2]))
    assert almost_equal(page[-TILE:, -TILE:], expected(vae, codes[1] + codes[2] - codes[0]))
    assert almost_equal(page[2 * STEP : 2 * STEP + TILE, :TILE], expected(vae, (codes[0] + codes[1]) / 2))


def test_deviations_move_the_most_used_latent_from_its_largest_value_to_its_smallest(
    vae: VAE, figure_pixels: Pixels
) -> None:
    mean = torch.randn(50, 3) * torch.tensor([0.5, 3.0, 1.0])
    mean[:, 0] += 1  # far from 0, as public code would choose, but with less KL
    logvar = torch.tensor([0.2, -4.0, 0.4]).expand(50, 3)
    figure = draw_deviations(vae, Codes(mean, logvar))
    texts = [text.get_text() for text in figure.texts]
    assert texts[0].startswith("z1 ") and len(texts) == 13
    page = figure_pixels(figure)
    left = page.shape[1] - 10 * STEP + 4
    for row in range(3):
        code = row * torch.exp(logvar[0] / 2)
        for column, value in ((0, mean[:, 1].max()), (9, mean[:, 1].min())):
            code[1] = value
            y, x = page.shape[0] - (3 - row) * STEP + 4, left + column * STEP
            assert almost_equal(page[y : y + TILE, x : x + TILE], expected(vae, code))


def test_codes_without_noise_are_moved_by_their_own_deviations(vae: VAE, figure_pixels: Pixels) -> None:
    mean = 1 + torch.randn(50, 3) * torch.tensor([0.5, 3.0, 1.0])
    page = figure_pixels(draw_deviations(vae, Codes(mean, None)))
    code = mean.mean(0) + 2 * mean.std(0, correction=0)
    code[1] = mean[:, 1].min()
    assert almost_equal(page[-TILE:, -TILE:], expected(vae, code))
