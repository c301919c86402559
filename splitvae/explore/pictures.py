"""Pictures of a visitor: bytes that may be anything, as one image in the shape of a model, or a sentence about why not.

A picture is treated as the images of the run's data are: the centre square (of the run's crop) is cut out, resized with an
antialiased filter, made gray or RGB, and padded (data/decode.py, data/geometry.py). Before anything is decoded, its header
tells how many pixels it has: a small file may claim to hold billions.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

from PIL import Image
from torch import Tensor

from ..config import Data
from ..data.decode import decode_images, read_header
from ..data.geometry import ResizeOptions, resize
from ..errors import UserError

__all__ = ["MAX_FILE_BYTES", "MAX_PIXELS", "Picture", "read_picture"]

MAX_FILE_BYTES = 64 << 20
MAX_PIXELS = 100_000_000  # of which RGB takes 300 MB


class Picture(NamedTuple):
    """A picture in the shape of a model.

    Arguments:
        pixels: The image, uint8 with shape (C, H, W).
        note: What was done to it, as a sentence.
    """

    pixels: Tensor
    note: str


def read_picture(
    content: bytes, shape: tuple[int, int, int], data: Data, name: str = "the file", invert: bool = False
) -> Picture:
    """Decodes a file to one image in the shape of a run's model.

    Arguments:
        content: The bytes of the file.
        shape: The shape (C, H, W) of the model's images.
        data: How the images of the run's data are cropped and padded.
        name: What messages call the file.
        invert: Whether dark and light are exchanged before the padding, such as for ink on paper where the data are white
            on black.

    Raises:
        UserError: For files that are too large, that are no images or damaged ones, and for images of too many pixels.
    """
    if not content:
        raise UserError(f"{name} is empty; choose a PNG, JPEG, WebP, GIF, BMP or TIFF file.")
    if len(content) > MAX_FILE_BYTES:
        raise UserError(f"{name} has {len(content) >> 20} MB; files of at most {MAX_FILE_BYTES >> 20} MB are read.")
    width, height, mode = _read_header(content, name)
    side = shape[1] - 2 * data.pad
    options = ResizeOptions(side=side, crop=data.crop, channels=shape[0])
    try:
        pixels = decode_images([content], options, name, item_name=lambda _: name).pixels[0]
    except UserError as error:
        reason = str(error).partition(f"the first, {name}: ")[2].rpartition("): ")[0] or "it cannot be decoded"
        raise UserError(f"{name} cannot be read ({reason}); save it anew as PNG or JPEG.") from None
    square = min(width, height, data.crop or width)
    steps = [] if width == height == square else [f"its centre square of side {square} is cut out"]
    steps += [] if square == side else [f"it is resized to {side} x {side}"]
    steps += [] if (mode == "L") == (shape[0] == 1) else ["it is made gray" if shape[0] == 1 else "it is made RGB"]
    if invert:
        pixels = 255 - pixels
        steps += ["dark and light are exchanged"]
    steps += [f"it is padded to {shape[1]} x {shape[2]}"] if data.pad else []
    done = f": as the images of the run, {_join(steps)}" if steps else ""
    return Picture(resize(pixels[None], shape, data.pad)[0], f"{name} ({width} x {height} pixels){done}.")


def _read_header(content: bytes, name: str) -> tuple[int, int, str]:
    """Returns the width and the height of an image in pixels, and its mode, without decoding it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of many pixels, which are counted below
            (width, height), mode = read_header(content)
    except Image.DecompressionBombError as error:  # of a size that Pillow refuses even to open
        raise UserError(_describe_bomb(name, str(error).partition("(")[2].partition(" ")[0])) from None
    except Exception:  # decoders raise anything on bytes that are no image
        raise UserError(f"{name} is no image that can be read; choose a PNG, JPEG, WebP, GIF, BMP or TIFF file.") from None
    if width * height > MAX_PIXELS:
        raise UserError(_describe_bomb(name, str(width * height)))
    return width, height, mode


def _describe_bomb(name: str, pixels: str) -> str:
    """Returns the sentence about an image of too many pixels."""
    count = f"{int(pixels):,}" if pixels.isdigit() else "too many"
    return f"{name} has {count} pixels, and at most {MAX_PIXELS:,} are read; make it smaller first."


def _join(steps: list[str]) -> str:
    """Joins parts of a sentence: "a, b and c"."""
    return " and ".join([", ".join(steps[:-1]), steps[-1]] if len(steps) > 1 else steps)
