"""Tests of `resize`: padding, channels and interpolation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from splitvae.data.geometry import remove_padding, resize
from splitvae.data.images import Images
from splitvae.data.mapped import MapOrigin, open_pixels
from splitvae.errors import UserError


@pytest.mark.parametrize("pixels", [torch.rand(2, 1, 8, 8), np.zeros((2, 1, 8, 8), np.uint8), torch.zeros(8, 8).byte()])
def test_what_is_no_stack_of_bytes_is_refused(pixels: Any) -> None:
    with pytest.raises(UserError, match=r"takes a tensor of torch\.uint8 .* and not a (Tensor of torch|ndarray)"):
        resize(pixels, (1, 16, 16))
    with pytest.raises(UserError, match=r"tensor of torch\.uint8 and of shape \(N, C, H, W\).*as_images"):
        Images(pixels)


def test_labels_of_other_images_are_refused() -> None:
    with pytest.raises(UserError, match="labels of 3 Images are a tensor with one row for each, and not 2"):
        Images(torch.zeros(3, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1]))


def test_resize_returns_the_very_tensor_where_nothing_is_to_be_done(noise: Callable[..., np.ndarray]) -> None:
    x = torch.from_numpy(noise(5, 3, 8, 8))
    assert resize(x, (3, 8, 8)) is x


def test_resize_pads_by_zeros_and_leaves_the_rest_untouched(noise: Callable[..., np.ndarray]) -> None:
    x = torch.from_numpy(noise(5, 1, 28, 28))
    y = resize(x, (1, 32, 32), pad=2)
    assert torch.equal(y[:, :, 2:-2, 2:-2], x) and y.sum() == x.sum() and y.dtype == torch.uint8


def test_resize_converts_channels_by_repetition_and_by_luminance(noise: Callable[..., np.ndarray]) -> None:
    gray = torch.from_numpy(noise(5, 1, 8, 8))
    rgb = resize(gray, (3, 8, 8))
    assert torch.equal(rgb, gray.expand(-1, 3, -1, -1)) and torch.equal(resize(rgb, (1, 8, 8)), gray)
    x = noise(5, 3, 8, 8)
    pillow = [np.asarray(Image.fromarray(image.transpose(1, 2, 0)).convert("L"), int) for image in x]
    assert np.abs(resize(torch.from_numpy(x), (1, 8, 8))[:, 0].numpy() - np.stack(pillow)).max() <= 1  # Pillow truncates


def test_resize_interpolates_like_pillow_and_keeps_constants(noise: Callable[..., np.ndarray]) -> None:
    x = noise(3, 1, 30, 30)
    pillow = [np.asarray(Image.fromarray(image[0]).resize((12, 12), Image.Resampling.BILINEAR), int) for image in x]
    ours = resize(torch.from_numpy(x), (1, 12, 12))[:, 0].numpy()
    assert np.abs(ours - np.stack(pillow)).max() <= 1  # Pillow rounds between the two directions
    assert (resize(torch.full((2, 3, 9, 7), 77, dtype=torch.uint8), (1, 32, 16)) == 77).all()


def test_resize_refuses_other_channels(noise: Callable[..., np.ndarray]) -> None:
    with pytest.raises(UserError, match="only 1 and 3"):
        resize(torch.from_numpy(noise(5, 3, 8, 8)), (4, 8, 8))


def test_padding_is_removed_as_it_was_added(noise: Callable[..., np.ndarray]) -> None:
    x = torch.from_numpy(noise(5, 1, 28, 28))
    assert torch.equal(remove_padding(resize(x, (1, 32, 32), pad=2), 2), x) and remove_padding(x, 0) is x


def test_images_made_of_those_in_a_file_lie_in_a_file_too(tmp_path: Path, noise: Callable[..., np.ndarray]) -> None:
    x = noise(5, 3, 8, 8)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "pixels.bin").write_bytes(x.tobytes())
    mapped = open_pixels(tmp_path / "set" / "pixels.bin", x.shape, MapOrigin(tmp_path / "set", ""))
    for shape, pad in (((3, 12, 12), 2), ((1, 16, 16), 0)):
        y = resize(mapped, shape, pad)
        maps = [line.split()[0] for line in Path("/proc/self/maps").read_text().splitlines() if "(deleted)" in line]
        ranges = [tuple(int(end, 16) for end in each.split("-")) for each in maps]
        assert any(start <= y.data_ptr() < end for start, end in ranges)
        assert torch.equal(y, resize(torch.from_numpy(x), shape, pad))
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
