"""Pictures of a visitor: what is done to them, and files that are refused in a sentence."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from splitvae.config import Data
from splitvae.data.geometry import resize
from splitvae.errors import UserError
from splitvae.explore import pictures
from splitvae.explore.pictures import read_picture

SHAPE = (1, 32, 32)


def encoded(array: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind)
    return buffer.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header claims a size, in less than 100 bytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_a_picture_is_cropped_resized_made_gray_and_padded_as_the_data_are() -> None:
    photo = np.zeros((60, 40, 3), np.uint8)
    photo[10:50] = (200, 100, 50)  # the centre square
    picture = read_picture(encoded(photo), SHAPE, Data(pad=2), "p.png")
    gray = round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)
    assert picture.pixels.shape == SHAPE and picture.pixels.dtype == torch.uint8
    inner = picture.pixels[0, 2:30, 2:30].int()
    assert (inner - gray).abs().max() <= 1
    assert picture.pixels.sum() == inner.sum()  # the padding is black
    assert picture.note == (
        "p.png (40 x 60 pixels): as the images of the run, its centre square of side 40 is cut out, it is resized to "
        "28 x 28, it is made gray and it is padded to 32 x 32."
    )


def test_a_picture_in_the_shape_of_the_model_is_unchanged() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
    picture = read_picture(encoded(pixels), SHAPE, Data(), "p.png")
    np.testing.assert_array_equal(picture.pixels[0], pixels)
    assert picture.note == "p.png (32 x 32 pixels)."
    inverted = read_picture(encoded(pixels), SHAPE, Data(), "p.png", invert=True)
    np.testing.assert_array_equal(inverted.pixels[0], 255 - pixels)


def test_a_gray_picture_becomes_rgb_for_a_model_of_colours() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)
    picture = read_picture(encoded(pixels), (3, 16, 16), Data(), "p.png")
    assert torch.equal(picture.pixels, resize(torch.from_numpy(pixels)[None, None], (3, 16, 16))[0])


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (b"", "photo.png is empty"),
        (b"#!/bin/sh\necho hello", "photo.png is no image that can be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "photo.png is no image that can be read"),
        (png_of_size(20000, 20000), "photo.png has 400,000,000 pixels, and at most 100,000,000 are read"),
        (png_of_size(12000, 12000), "photo.png has 144,000,000 pixels, and at most 100,000,000 are read"),
        (png_of_size(40, 40), "photo.png cannot be read"),
        (encoded(np.zeros((64, 64), np.uint8), "JPEG")[:200], "photo.png"),
        (encoded(np.zeros((8, 8), np.float32), "TIFF"), "a floating-point image, whose range is unknown"),
    ],
    ids=["empty", "text", "postscript", "bomb", "large", "no pixels", "cut", "float"],
)
def test_a_file_that_is_no_picture_is_refused_in_a_sentence(content: bytes, answer: str) -> None:
    with pytest.raises(UserError) as error:
        read_picture(content, SHAPE, Data(pad=2), "photo.png")
    assert answer in str(error.value) and "\n" not in str(error.value) and str(error.value).endswith(".")


def test_a_file_that_is_too_large_is_not_even_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_FILE_BYTES", 100)
    with pytest.raises(UserError, match="files of at most"):
        read_picture(b"x" * 101, SHAPE, Data(), "photo.png")
