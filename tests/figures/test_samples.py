"""Sheets of decoded images: every pixel stands where it should, with exactly its value."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from splitvae.config import Config
from splitvae.errors import UserError
from splitvae.figures.grid import GAP_PIXELS
from splitvae.figures.samples import (
    draw_components,
    draw_interpolations,
    draw_maps,
    draw_reconstructions,
    draw_sheet,
    draw_traversals,
)
from splitvae.models.codes import Codes
from splitvae.models.split import Canvas, compose
from splitvae.models.vae import VAE
from splitvae.presets.build import build_vae

Pixels = Callable[[Figure], np.ndarray]
Enlarge = Callable[..., np.ndarray]


def canvas(n: int, split: int, channels: int = 1) -> Canvas:
    logits = torch.randn(n, split * channels + split - 1, 16, 16, generator=torch.Generator().manual_seed(0))
    return compose(logits, split)


@pytest.fixture
def vae() -> VAE:
    return build_vae(Config().override(shape=(1, 16, 16), latent_dim=3, width=4, scales=2, embedding=8)).eval()


@pytest.mark.parametrize(("channels", "side", "scale"), [(1, 16, 6), (3, 32, 3), (3, 64, 2), (1, 128, 1)])
def test_a_sheet_shows_every_pixel_as_a_square_of_exactly_its_value(
    channels: int, side: int, scale: int, figure_pixels: Pixels, enlarged: Enlarge
) -> None:
    images = torch.rand(12, channels, side, side, generator=torch.Generator().manual_seed(0))
    page, step = figure_pixels(draw_sheet(images, columns=10)), side * scale + GAP_PIXELS
    assert page.shape == (2 * step - GAP_PIXELS, 10 * step - GAP_PIXELS, 3)
    for i, image in enumerate(images):
        y, x = i // 10 * step, i % 10 * step
        assert np.array_equal(page[y : y + side * scale, x : x + side * scale], enlarged(image, scale))
    assert (page[step - GAP_PIXELS : step] == 255).all()


@pytest.mark.parametrize(("split", "originals", "rows"), [(1, False, 1), (2, False, 4), (2, True, 5), (3, False, 7)])
def test_components_are_rows_of_maps_images_and_the_blend_last(
    split: int, originals: bool, rows: int, figure_pixels: Pixels, enlarged: Enlarge
) -> None:
    decoded = canvas(3, split)
    page = figure_pixels(draw_components(decoded, decoded.image if originals else None))
    step = 96 + GAP_PIXELS
    assert page.shape[0] == rows * step - GAP_PIXELS
    assert np.array_equal(page[-96:, -96:], enlarged(decoded.image[-1], 6))
    first = decoded.image if originals or split == 1 else decoded.masks[:, 0]
    assert np.array_equal(page[:96, -96:], enlarged(first[-1], 6))


def test_labels_are_whole(figure_pixels: Pixels) -> None:
    page = figure_pixels(draw_components(canvas(2, 3)))
    assert (page[:, :4] == 255).all()  # nothing touches the left edge
    assert (page[:, 4:40] < 128).any()


def test_maps_are_gray_as_they_are_and_an_unsplit_model_has_none(figure_pixels: Pixels, enlarged: Enlarge) -> None:
    decoded = canvas(4, 2)
    assert np.array_equal(figure_pixels(draw_maps(decoded))[:96, :96], enlarged(decoded.masks[0, 0], 6))
    assert figure_pixels(draw_maps(canvas(4, 3))).shape[1] == 9 * 100 - GAP_PIXELS
    with pytest.raises(UserError, match="split=2"):
        draw_maps(canvas(4, 1))


def test_reconstructions_stand_below_their_originals(figure_pixels: Pixels, enlarged: Enlarge) -> None:
    decoded, x = canvas(20, 1), torch.rand(20, 1, 16, 16)
    page = figure_pixels(draw_reconstructions(x, decoded))
    assert np.array_equal(page[:96, -96:], enlarged(x[9], 6))
    assert np.array_equal(page[100:196, -96:], enlarged(decoded.image[9], 6))
    assert np.array_equal(page[-96:, -96:], enlarged(decoded.image[19], 6))


def test_interpolations_end_at_the_two_codes(vae: VAE, figure_pixels: Pixels, enlarged: Enlarge) -> None:
    pairs = torch.randn(2, 2, 3)
    page = figure_pixels(draw_interpolations(vae, pairs)).astype(int)
    with torch.no_grad():
        ends = vae.decode(pairs[0]).image
    assert np.abs(page[:96, :96] - enlarged(ends[0], 6)).max() <= 1  # a batch of another size may round otherwise
    assert np.abs(page[:96, -96:] - enlarged(ends[1], 6)).max() <= 1


def test_traversals_order_latents_by_their_kl(vae: VAE) -> None:
    mean = torch.randn(50, 3) * torch.tensor([0.1, 2.0, 1.0])
    figure = draw_traversals(vae, Codes(mean, torch.zeros(50, 3)), rows=2)
    labels = [text.get_text() for text in figure.texts]
    assert [label.split()[0] for label in labels if "nats" in label] == ["z1", "z2"]
    assert {"−3", "0", "+3"} <= set(labels)
