"""Encoded images (PNG, JPEG, ...) and arrays to one uint8 tensor: the rules by which images are made alike.

**Channels.** The set stays gray (one channel) only if every image is (modes 1, L, LA, I;16, I); otherwise all become
RGB. `channels` decides for itself. Transparency (RGBA, LA, a transparent colour or palette entry) is composited over
white. Sixteen bits become eight by v / 257, so that 65535 is 255. CMYK, palettes and the rest become RGB. Of an
animation the first frame counts. Floating-point images are refused: nobody knows their range.

**Geometry.** EXIF orientation is applied. Then the centre square of side min(width, height, crop) is kept, and resized
to `side` by an antialiased bilinear filter. JPEGs of more than four times the size needed are decoded at 1/2, 1/4
or 1/8 of their size, never below twice the side, which is several times faster and differs little.

**Side**, where none is given: squares of one size keep it; otherwise the largest of 16, 32, 64 and 128 that is not
above the median shorter side (16 if all are smaller). All images of a source are asked, also those of a part held out.

An image that cannot be read is named in a note and left out; so is one that Pillow takes for a decompression bomb.

**Arrays** are uint8, or floating-point in [0, 1] (times 255, rounded), and pass through the same geometry. Of their
axes the last is that of the channels if it is 1 or 3 long, else the second.
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
from .resize import ImageSize, ResizeOptions, choose_side, describe_geometry

__all__ = ["DecodedImages", "decode_images", "image_suffixes", "shorten_list"]


T = TypeVar("T")


_SAFE_FORMATS = ("PNG", "JPEG", "MPO", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")  # none that runs a program


_IMAGES_PER_TASK = 256  # images a thread takes at a time


_THREADS = min(8, os.cpu_count() or 1)


class DecodedImages(NamedTuple):
    """What `decode` returns."""

    pixels: Tensor  # uint8 (M, C, side, side)
    rows: np.ndarray  # (M,) which items these are: those asked for, less those that cannot be read
    notes: tuple[str, ...]


class _ImageHeader(NamedTuple):
    size: ImageSize
    mode: str


class _Failure(NamedTuple):
    reason: str


@cache
def _available_formats() -> tuple[str, ...]:
    Image.init()  # before any thread opens an image: importing the plugins is not safe in several
    return tuple(name for name in _SAFE_FORMATS if name in Image.OPEN)


@cache
def image_suffixes() -> frozenset[str]:
    """The file name endings of the images that can be read, as '.png'."""
    return frozenset(end for end, name in Image.registered_extensions().items() if name in _available_formats())


def shorten_list(names: Sequence[str], most: int = 4) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def decode_images(
    items: Sequence[bytes | Path | None],
    treatment: ResizeOptions,
    source: str,
    rows: np.ndarray | None = None,
    name: Callable[[int], str] = str,
) -> DecodedImages:
    """Decodes encoded images by several threads, straight into one array.

    Args:
        items: The files' bytes, or paths to them; None where there is none.
        treatment: Side, crop and channels asked for.
        source: Where they come from, for messages.
        rows: Which items are wanted (all by default); the others still have a say in side and channels.
        name: What to call item i in a message.

    Raises:
        UserError: if not one of the images wanted can be read.
    """
    rows = np.arange(len(items)) if rows is None else rows
    _available_formats()
    with warnings.catch_warnings(), ThreadPoolExecutor(_THREADS) as pool:
        warnings.simplefilter("ignore")  # Pillow warns of what is skipped and named here anyway
        peeked = _map_with_failures(pool, lambda i: _read_header(items[i]), len(items))
        headers = {i: header for i, header in enumerate(peeked) if isinstance(header, _ImageHeader)}
        faults = {i: header.reason for i, header in enumerate(peeked) if isinstance(header, _Failure)}
        wanted = [int(i) for i in rows if i in headers]
        side = choose_side((header.size for header in headers.values()), treatment) if wanted else 1
        gray = all(header.mode in ("1", "L", "LA", "La") or header.mode[0] == "I" for header in headers.values())
        channels = treatment.channels or (1 if gray else 3)
        pixels = np.empty((len(wanted), channels, side, side), np.uint8)

        def paint(row: int) -> None:
            pixels[row] = _decode_image(items[wanted[row]], side, treatment.crop, channels)

        painted = _map_with_failures(pool, paint, len(wanted))
    faults |= {i: done.reason for i, done in zip(wanted, painted, strict=True) if isinstance(done, _Failure)}
    bad = [int(i) for i in rows if i in faults]
    if len(bad) == len(rows):
        first = f"the first, {name(bad[0])}: {faults[bad[0]]}" if bad else "there are none"
        raise UserError(f"None of the {len(rows)} images of {source} can be read ({first}): check or replace the files.")
    kept = [row for row, i in enumerate(wanted) if i not in faults]
    if len(kept) < len(wanted):
        pixels = pixels[kept]
    used = [wanted[row] for row in kept]
    notes = _describe_conversions([headers[i].mode for i in used], channels)
    notes += describe_geometry([headers[i].size for i in used], side, treatment.crop)
    if bad:
        told = shorten_list([f"{name(i)} ({faults[i]})" for i in bad])
        notes.append(f"skipped {len(bad)} images that cannot be read: {told}")
    return DecodedImages(torch.from_numpy(pixels), np.array(used), tuple(notes))


def _map_with_failures(pool: ThreadPoolExecutor, task: Callable[[int], T], count: int) -> list[T | _Failure]:
    """task(0) ... task(count - 1) in chunks; where one raises, a fault takes the place of its result."""

    def attempt(index: int) -> T | _Failure:
        try:
            return task(index)
        except Exception as error:  # decoders raise anything on damaged bytes, and one bad image must not end the rest
            return _Failure(_explain_error(error))

    def chunk(start: int) -> list[T | _Failure]:
        return [attempt(i) for i in range(start, min(start + _IMAGES_PER_TASK, count))]

    return [result for part in pool.map(chunk, range(0, count, _IMAGES_PER_TASK)) for result in part]


def _explain_error(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "no image, or a damaged one"  # Pillow's sentence only repeats the object's address
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
    """One image as uint8 (C, side, side)."""
    with _open_image(item) as image:
        width, height = image.size
        square = min(width, height, crop or width)
        image.draft(None, (-(-2 * side * width // square), -(-2 * side * height // square)))
        square = max(1, min(*image.size, round(square * image.width / width)))  # a drafted JPEG is smaller
        ImageOps.exif_transpose(image, in_place=True)
        left, top = (image.width - square) // 2, (image.height - square) // 2
        part = image if image.size == (square, square) else image.crop((left, top, left + square, top + square))
        part = _convert_mode(part, channels)
        if square != side:
            part = part.resize((side, side), Image.Resampling.BILINEAR)
        array = np.asarray(part)
        return array[None] if channels == 1 else array.transpose(2, 0, 1)


def _convert_mode(image: Image.Image, channels: int) -> Image.Image:
    """The image in mode L or RGB, by the rules at the head of this file."""
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
    target: Any = "L" if channels == 1 else "RGB"
    others = Counter(mode for mode in modes if mode != target)
    if not others:
        return []
    counts = ", ".join(f"{count} of mode {mode}" for mode, count in others.most_common())
    return [f"converted {others.total()} of {len(modes)} images to {'gray' if channels == 1 else 'RGB'}: {counts}"]
