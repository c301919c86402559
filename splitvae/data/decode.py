"""Decoding of image files (PNG, JPEG, ...) with Pillow into one uint8 tensor, and the rules that make images alike.

**Channels.** Images stay gray (one channel) only if all of them are gray (modes 1, L, LA, I;16, I). Otherwise all become
RGB. The option `channels` overrides this. Transparency (RGBA, LA, a transparent colour or palette entry) is composited
over white. Sixteen bits become eight by v / 257, so that 65535 becomes 255. CMYK, palettes and other modes become RGB. Of
an animation the first frame is taken. Floating-point images are refused, because their range is unknown.

**Geometry.** The EXIF orientation is applied. Then the centre square of side min(width, height, crop) is cut out and
resized to `side` with an antialiased bilinear filter. A JPEG of more than four times the size needed is decoded at 1/2,
1/4 or 1/8 of its size, never below twice the side, which is several times faster and changes the pixels little.

**Side.** `choose_side` (geometry.py) chooses it where none is given, from all images of the source, including those of a
held-out split.

An image that cannot be read is left out and named in a note. So is one that Pillow takes for a decompression bomb.
"""

from __future__ import annotations

import io
import os
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from ..errors import UserError
from .geometry import ImageSize, ResizeOptions, choose_side, describe_geometry

__all__ = ["DecodedImages", "decode_images", "image_suffixes", "image_to_array", "shorten_list"]

T = TypeVar("T")
_SAFE_FORMATS = ("PNG", "JPEG", "MPO", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")  # none runs a program
_IMAGES_PER_TASK = 256
_THREADS = min(8, os.cpu_count() or 1)


class DecodedImages(NamedTuple):
    """What `decode_images` returns.

    Arguments:
        pixels: The images, uint8 with shape (M, C, side, side).
        rows: The number of each image's item, with shape (M,): the selected ones without those that cannot be read.
        notes: What was done to the images.
    """

    pixels: Tensor
    rows: np.ndarray
    notes: tuple[str, ...]


class _ImageHeader(NamedTuple):
    size: ImageSize
    mode: str  # Pillow's name for the kind of pixels


class _Failure(NamedTuple):
    """Why an image cannot be decoded."""

    reason: str


@cache
def _available_formats() -> tuple[str, ...]:
    Image.init()  # before any thread opens an image: Pillow's import of its plugins is not thread-safe
    return tuple(name for name in _SAFE_FORMATS if name in Image.OPEN)


@cache
def image_suffixes() -> frozenset[str]:
    """Returns the suffixes of file names, such as ".png", of the images that can be read."""
    return frozenset(suffix for suffix, name in Image.registered_extensions().items() if name in _available_formats())


def shorten_list(names: Sequence[str], limit: int = 4) -> str:
    """Joins the first `limit` names by commas, and says how many more there are.

    >>> shorten_list(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    rest = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + rest


def decode_images(
    items: Sequence[bytes | Path | None],
    options: ResizeOptions,
    source_name: str,
    rows: np.ndarray | None = None,
    item_name: Callable[[int], str] = str,
) -> DecodedImages:
    """Decodes images with several threads into one array.

    Arguments:
        items: The bytes of the files, or their paths; None for an item that has neither.
        options: The side, crop and channels of the result.
        source_name: What messages call the source.
        rows: The numbers of the items to decode, by default all. The side and the channels depend on the others too.
        item_name: Returns what messages call item i.

    Raises:
        UserError: If none of the selected images can be read.
    """
    rows = np.arange(len(items)) if rows is None else rows
    _available_formats()
    with warnings.catch_warnings(), ThreadPoolExecutor(_THREADS) as pool:
        warnings.simplefilter("ignore")  # Pillow warns of images that are skipped and named in a note anyway
        header_results = _map_with_failures(pool, lambda i: _read_header(items[i]), len(items))
        headers = {i: result for i, result in enumerate(header_results) if isinstance(result, _ImageHeader)}
        failures = {i: result.reason for i, result in enumerate(header_results) if isinstance(result, _Failure)}
        readable = [int(i) for i in rows if i in headers]
        side = choose_side((header.size for header in headers.values()), options) if readable else 1
        gray = all(header.mode in ("1", "L", "LA", "La") or header.mode[0] == "I" for header in headers.values())
        channels = options.channels or (1 if gray else 3)
        pixels = np.empty((len(readable), channels, side, side), np.uint8)

        def decode_row(row: int) -> None:
            pixels[row] = _decode_image(items[readable[row]], side, options.crop, channels)

        results = _map_with_failures(pool, decode_row, len(readable))
    failures |= {i: result.reason for i, result in zip(readable, results, strict=True) if isinstance(result, _Failure)}
    failed = [int(i) for i in rows if i in failures]
    if len(failed) == len(rows):
        first = f"the first, {item_name(failed[0])}: {failures[failed[0]]}" if failed else "there are none"
        raise UserError(
            f"None of the {len(rows)} images of {source_name} can be read ({first}): check or replace the files."
        )
    decoded = [i for i in readable if i not in failures]
    if len(decoded) < len(readable):
        pixels = pixels[[row for row, i in enumerate(readable) if i not in failures]]
    notes = _describe_conversions([headers[i].mode for i in decoded], channels)
    notes += describe_geometry([headers[i].size for i in decoded], side, options.crop)
    if failed:
        skipped = shorten_list([f"{item_name(i)} ({failures[i]})" for i in failed])
        notes.append(f"skipped {len(failed)} images that cannot be read: {skipped}")
    return DecodedImages(torch.from_numpy(pixels), np.array(decoded), tuple(notes))


def _map_with_failures(pool: ThreadPoolExecutor, task: Callable[[int], T], count: int) -> list[T | _Failure]:
    """Returns task(0) ... task(count - 1), with a `_Failure` in place of each result whose task raises."""

    def attempt(index: int) -> T | _Failure:
        try:
            return task(index)
        except Exception as error:  # decoders raise anything on damaged bytes, and one bad image must not end the rest
            return _Failure(_explain_error(error))

    def attempt_chunk(start: int) -> list[T | _Failure]:
        return [attempt(i) for i in range(start, min(start + _IMAGES_PER_TASK, count))]

    return [result for chunk in pool.map(attempt_chunk, range(0, count, _IMAGES_PER_TASK)) for result in chunk]


def _explain_error(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "no image, or a damaged one"  # Pillow's message only repeats the address of the object
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _open_image(item: bytes | Path | None) -> Image.Image:
    if item is None:
        raise ValueError("no bytes")
    return Image.open(io.BytesIO(item) if isinstance(item, bytes) else item, formats=_available_formats())


def _read_header(item: bytes | Path | None) -> _ImageHeader:
    with _open_image(item) as image:
        return _ImageHeader(image.size, image.mode)


def _decode_image(item: bytes | Path | None, side: int, crop: int | None, channels: int) -> np.ndarray:
    """Decodes one image to uint8 (C, side, side)."""
    with _open_image(item) as image:
        width, height = image.size
        square = min(width, height, crop or width)
        image.draft(None, (-(-2 * side * width // square), -(-2 * side * height // square)))
        square = max(1, min(*image.size, round(square * image.width / width)))  # draft() makes a JPEG smaller
        ImageOps.exif_transpose(image, in_place=True)
        left, top = (image.width - square) // 2, (image.height - square) // 2
        part = image if image.size == (square, square) else image.crop((left, top, left + square, top + square))
        part = _convert_mode(part, channels)
        if square != side:
            part = part.resize((side, side), Image.Resampling.BILINEAR)
        array = np.asarray(part)
        return array[None] if channels == 1 else array.transpose(2, 0, 1)


def _convert_mode(image: Image.Image, channels: int) -> Image.Image:
    """Converts an image to mode L (1 channel) or RGB (3), by the rules at the head of this file."""
    mode = "L" if channels == 1 else "RGB"
    if image.mode == "F":
        raise ValueError("a floating-point image, whose range is unknown")
    if image.mode[0] == "I":  # I, I;16, I;16B
        image = Image.fromarray(np.clip(np.rint(np.asarray(image, np.float64) / 257), 0, 255).astype(np.uint8))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image if image.mode == mode else image.convert(mode)


def _describe_conversions(modes: list[str], channels: int) -> list[str]:
    """Returns a note on the images that were converted to gray or RGB; [] if none was."""
    target: Any = "L" if channels == 1 else "RGB"
    others = Counter(mode for mode in modes if mode != target)
    if not others:
        return []
    counts = ", ".join(f"{count} of mode {mode}" for mode, count in others.most_common())
    return [f"converted {others.total()} of {len(modes)} images to {'gray' if channels == 1 else 'RGB'}: {counts}"]


def image_to_array(image: Image.Image) -> np.ndarray:
    """Converts an image in memory to uint8 (C, H, W): one channel if it is gray, else RGB, by the rules of this file."""
    channels = 1 if image.mode in ("1", "L", "LA", "La") or image.mode[0] == "I" else 3
    array = np.asarray(_convert_mode(ImageOps.exif_transpose(image), channels))
    return array[None] if channels == 1 else array.transpose(2, 0, 1)
