"""Tests of decoding: modes, orientation, crops and sides, and images that cannot be decoded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from splitvae.data.decode import shorten_list
from splitvae.data.sources import load


@pytest.fixture
def read_twice(save: Callable[..., None]) -> Callable[..., torch.Tensor]:
    """Returns a function that saves an image twice in each part of a folder, and returns the pixels read from it."""

    def save_and_read(path: Path, image: np.ndarray | Image.Image, suffix: str = "png", **options: object) -> torch.Tensor:
        for name in ("train/a", "train/b", "test/a", "test/b"):
            save(path / f"{name}.{suffix}", image, **options)
        return load(path).pixels[0]

    return save_and_read


def test_decompression_bombs_are_named_and_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noise: Callable[..., np.ndarray], save: Callable[..., None]
) -> None:
    for name in ("train/a", "train/b", "test/a", "test/b"):
        save(tmp_path / f"{name}.png", noise(16, 16))
    save(tmp_path / "train/huge.png", noise(64, 64))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    images = load(tmp_path)
    assert len(images) == 2 and "huge.png" in images.notes[-1] and "bomb" in images.notes[-1]


def test_transparency_is_composited_over_white(tmp_path: Path, read_twice: Callable[..., torch.Tensor]) -> None:
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[..., 0], rgba[:4, :, 3] = 200, 255  # above opaque dark red, below transparent
    pixels = read_twice(tmp_path / "rgba", rgba)
    assert pixels[:, 0, 0].tolist() == [200, 0, 0] and pixels[:, 7, 0].tolist() == [255, 255, 255]
    palette = Image.fromarray(np.repeat(np.array([[0, 1]], np.uint8), 8, 0).repeat(4, 1)).convert("P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    pixels = read_twice(tmp_path / "p", palette, transparency=1)
    assert pixels[:, 0, 0].tolist() == [10, 20, 30] and pixels[:, 0, 7].tolist() == [255, 255, 255]
    pixels = read_twice(tmp_path / "la", Image.merge("LA", [Image.new("L", (8, 8), 100), Image.new("L", (8, 8), 0)]))
    assert pixels.shape == (1, 8, 8) and (pixels == 255).all()


def test_sixteen_bits_are_scaled_and_cmyk_becomes_rgb(tmp_path: Path, read_twice: Callable[..., torch.Tensor]) -> None:
    wide = np.array([[0, 257, 65535, 128 * 257] * 2] * 8, np.uint16)
    assert read_twice(tmp_path / "16", wide)[0, 0, :4].tolist() == [0, 1, 255, 128]
    wide = Image.fromarray(wide.astype(np.int32))
    assert read_twice(tmp_path / "32", wide, suffix="tif")[0, 0, :4].tolist() == [0, 1, 255, 128]
    cmyk = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    red, green, blue = read_twice(tmp_path / "cmyk", cmyk, suffix="jpg", quality=100)[:, 8, 8].tolist()
    assert red < 10 and green > 245 and blue > 245


def test_one_coloured_image_makes_all_rgb_unless_channels_are_given(tmp_path: Path, save: Callable[..., None]) -> None:
    for part in ("train", "test"):
        save(tmp_path / part / "gray.png", np.full((8, 8), 90, np.uint8))
        save(tmp_path / part / "colour.png", np.full((8, 8, 3), (10, 20, 30), np.uint8))
    images = load(tmp_path)
    assert images.pixels[:, :, 0, 0].tolist() == [[10, 20, 30], [90, 90, 90]]
    assert "converted 1 of 2 images to RGB: 1 of mode L" in images.notes
    assert load(tmp_path, channels=1).pixels[:, 0, 0, 0].tolist() == [18, 90]


def test_exif_orientation_is_applied(tmp_path: Path, read_twice: Callable[..., torch.Tensor]) -> None:
    image = np.zeros((16, 16), np.uint8)
    image[:8] = 255  # the upper half is white as stored
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees: white is at the right
    pixels = read_twice(tmp_path, image, suffix="jpg", exif=exif.tobytes(), quality=100)
    assert pixels[0, :, 12].min() > 250 and pixels[0, :, 3].max() < 5


def test_the_centre_square_is_kept_and_the_side_comes_from_the_median(
    tmp_path: Path, noise: Callable[..., np.ndarray], read_twice: Callable[..., torch.Tensor]
) -> None:
    ramp = np.zeros((40, 100), np.uint8)
    ramp[:, 30:70] = 255  # the centre square
    pixels = read_twice(tmp_path / "a", ramp)
    assert pixels.shape == (1, 32, 32) and (pixels == 255).all()
    notes = load(tmp_path / "a").notes
    assert "centre-cropped 2 of 2 images to squares" in notes and "to 32x32, from 40x40" in " ".join(notes)
    assert load(tmp_path / "a", crop=30).pixels.shape == (2, 1, 30, 30)
    assert load(tmp_path / "a", crop=20, side=10).pixels.shape == (2, 1, 10, 10)
    assert "smaller than the crop" in " ".join(load(tmp_path / "a", crop=50).notes)
    assert read_twice(tmp_path / "b", noise(10, 13)).shape == (1, 16, 16)
    assert read_twice(tmp_path / "c", noise(300, 200)).shape == (1, 128, 128)


def test_large_jpegs_are_decoded_reduced_without_moving(tmp_path: Path, read_twice: Callable[..., torch.Tensor]) -> None:
    y, x = np.mgrid[:600, :900]
    image = (127 + 100 * np.sin(x / 90) * np.cos(y / 70)).astype(np.uint8)
    drafted = read_twice(tmp_path / "jpg", image, suffix="jpg", quality=95)
    whole = read_twice(tmp_path / "png", image)
    assert drafted.shape == whole.shape == (1, 128, 128)
    assert (drafted.float() - whole.float()).abs().max() < 6  # JPEG's own error; a pixel's shift would give 7 or more
    small = [load(tmp_path / kind, side=16).pixels.float() for kind in ("jpg", "png")]
    assert (small[0] - small[1]).abs().mean() < 2


def test_long_lists_of_names_are_shortened() -> None:
    assert shorten_list(list("abcd")) == "a, b, c, d" and shorten_list(list("abcdef")) == "a, b, c, d and 2 more"
