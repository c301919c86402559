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
import statistics
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional as F

from .errors import UserError

__all__ = ["Decoded", "Treatment", "check_array", "decode", "fit", "naming", "suffixes", "treat"]

T = TypeVar("T")
Size = tuple[int, int]  # width, height

_SIDES = (16, 32, 64, 128)
_FORMATS = ("PNG", "JPEG", "MPO", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")  # none that runs a program
_CHUNK = 256  # images a thread takes at a time
_THREADS = min(8, os.cpu_count() or 1)
_FIT_CHUNK = 2048  # images resized at a time: bounds the float32 copy
_RANGE = "images are uint8 in 0 ... 255, or floating-point in [0, 1]"


class Treatment(NamedTuple):
    """How images are made alike: `side` and `crop` in pixels, `channels` 1 or 3; None where the images decide."""

    side: int | None = None
    crop: int | None = None
    channels: int | None = None


class Decoded(NamedTuple):
    """What `decode` returns."""

    pixels: Tensor  # uint8 (M, C, side, side)
    rows: np.ndarray  # (M,) which items these are: those asked for, less those that cannot be read
    notes: tuple[str, ...]


class _Header(NamedTuple):
    size: Size
    mode: str


class _Fault(NamedTuple):
    reason: str


@cache
def _formats() -> tuple[str, ...]:
    Image.init()  # before any thread opens an image: importing the plugins is not safe in several
    return tuple(name for name in _FORMATS if name in Image.OPEN)


@cache
def suffixes() -> frozenset[str]:
    """The file name endings of the images that can be read, as '.png'."""
    return frozenset(end for end, name in Image.registered_extensions().items() if name in _formats())


def naming(names: Sequence[str], most: int = 4) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _common_side(sizes: Iterable[Size], treatment: Treatment) -> int:
    """The side in pixels that images of these sizes (width, height) are brought to."""
    if treatment.side:
        return treatment.side
    crop = treatment.crop
    sizes = [(crop, crop) if crop and crop <= min(size) else size for size in sizes]
    if len(set(sizes)) == 1 and sizes[0][0] == sizes[0][1]:
        return sizes[0][0]
    median = statistics.median(min(size) for size in sizes)
    return max((side for side in _SIDES if side <= median), default=_SIDES[0])


def _geometry_notes(sizes: Sequence[Size], side: int, crop: int | None) -> list[str]:
    """What cropping and resizing did to images of these sizes (width, height)."""
    notes = []
    small = sum(min(size) < crop for size in sizes) if crop else 0
    oblong = sum(width != height for width, height in sizes if min(width, height) < (crop or 1 << 30))
    squares = [min(*size, crop or size[0]) for size in sizes]
    if small:
        notes.append(f"{small} of {len(sizes)} images are smaller than the crop of {crop} pixels and were not cropped")
    if oblong:
        notes.append(f"centre-cropped {oblong} of {len(sizes)} images to squares")
    if resized := [square for square in squares if square != side]:
        low, high = min(resized), max(resized)
        was = f"{low}x{low}" if low == high else f"between {low}x{low} and {high}x{high}"
        notes.append(f"resized {len(resized)} of {len(sizes)} images to {side}x{side}, from {was}")
    return notes


def decode(
    items: Sequence[bytes | Path | None],
    treatment: Treatment,
    source: str,
    rows: np.ndarray | None = None,
    name: Callable[[int], str] = str,
) -> Decoded:
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
    _formats()
    with warnings.catch_warnings(), ThreadPoolExecutor(_THREADS) as pool:
        warnings.simplefilter("ignore")  # Pillow warns of what is skipped and named here anyway
        peeked = _each(pool, lambda i: _peek(items[i]), len(items))
        headers = {i: header for i, header in enumerate(peeked) if isinstance(header, _Header)}
        faults = {i: header.reason for i, header in enumerate(peeked) if isinstance(header, _Fault)}
        wanted = [int(i) for i in rows if i in headers]
        side = _common_side((header.size for header in headers.values()), treatment) if wanted else 1
        gray = all(header.mode in ("1", "L", "LA", "La") or header.mode[0] == "I" for header in headers.values())
        channels = treatment.channels or (1 if gray else 3)
        pixels = np.empty((len(wanted), channels, side, side), np.uint8)

        def paint(row: int) -> None:
            pixels[row] = _paint(items[wanted[row]], side, treatment.crop, channels)

        painted = _each(pool, paint, len(wanted))
    faults |= {i: done.reason for i, done in zip(wanted, painted, strict=True) if isinstance(done, _Fault)}
    bad = [int(i) for i in rows if i in faults]
    if len(bad) == len(rows):
        first = f"the first, {name(bad[0])}: {faults[bad[0]]}" if bad else "there are none"
        raise UserError(f"None of the {len(rows)} images of {source} can be read ({first}): check or replace the files.")
    kept = [row for row, i in enumerate(wanted) if i not in faults]
    if len(kept) < len(wanted):
        pixels = pixels[kept]
    used = [wanted[row] for row in kept]
    notes = _conversion_notes([headers[i].mode for i in used], channels)
    notes += _geometry_notes([headers[i].size for i in used], side, treatment.crop)
    if bad:
        told = naming([f"{name(i)} ({faults[i]})" for i in bad])
        notes.append(f"skipped {len(bad)} images that cannot be read: {told}")
    return Decoded(torch.from_numpy(pixels), np.array(used), tuple(notes))


def _each(pool: ThreadPoolExecutor, task: Callable[[int], T], count: int) -> list[T | _Fault]:
    """task(0) ... task(count - 1) in chunks; where one raises, a fault takes the place of its result."""

    def attempt(index: int) -> T | _Fault:
        try:
            return task(index)
        except Exception as error:  # decoders raise anything on damaged bytes, and one bad image must not end the rest
            return _Fault(_reason(error))

    def chunk(start: int) -> list[T | _Fault]:
        return [attempt(i) for i in range(start, min(start + _CHUNK, count))]

    return [result for part in pool.map(chunk, range(0, count, _CHUNK)) for result in part]


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "no image, or a damaged one"  # Pillow's sentence only repeats the object's address
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _open(item: bytes | Path | None) -> Image.Image:
    if item is None:
        raise ValueError("no bytes")
    return Image.open(io.BytesIO(item) if isinstance(item, bytes) else item, formats=_formats())


def _peek(item: bytes | Path | None) -> _Header:
    with _open(item) as image:
        return _Header(image.size, image.mode)


def _paint(item: bytes | Path | None, side: int, crop: int | None, channels: int) -> np.ndarray:
    """One image as uint8 (C, side, side)."""
    with _open(item) as image:
        width, height = image.size
        square = min(width, height, crop or width)
        image.draft(None, (-(-2 * side * width // square), -(-2 * side * height // square)))
        square = max(1, min(*image.size, round(square * image.width / width)))  # a drafted JPEG is smaller
        ImageOps.exif_transpose(image, in_place=True)
        left, top = (image.width - square) // 2, (image.height - square) // 2
        part = image if image.size == (square, square) else image.crop((left, top, left + square, top + square))
        part = _eight_bits(part, channels)
        if square != side:
            part = part.resize((side, side), Image.Resampling.BILINEAR)
        array = np.asarray(part)
        return array[None] if channels == 1 else array.transpose(2, 0, 1)


def _eight_bits(image: Image.Image, channels: int) -> Image.Image:
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


def _conversion_notes(modes: list[str], channels: int) -> list[str]:
    target: Any = "L" if channels == 1 else "RGB"
    others = Counter(mode for mode in modes if mode != target)
    if not others:
        return []
    counts = ", ".join(f"{count} of mode {mode}" for mode, count in others.most_common())
    return [f"converted {others.total()} of {len(modes)} images to {'gray' if channels == 1 else 'RGB'}: {counts}"]


def check_array(array: np.ndarray | Tensor, source: str) -> Tensor:
    """An array of images (N, H, W), (N, H, W, C) or (N, C, H, W) as uint8 (N, C, H, W).

    Raises:
        UserError: for another shape or type, and for values that are not finite or out of range.
    """
    x = array.detach().cpu() if isinstance(array, Tensor) else _tensor(array, source)
    if x.is_complex():
        raise UserError(f"{source} holds complex values: {_RANGE}.")
    if x.ndim not in (3, 4) or 0 in x.shape:
        raise UserError(f"{source} has shape {tuple(x.shape)}: images are (N, H, W), (N, H, W, C) or (N, C, H, W).")
    if x.ndim == 3:
        x = x[:, None]
    elif x.shape[3] in (1, 3):
        x = x.permute(0, 3, 1, 2)
    elif x.shape[1] not in (1, 3):
        raise UserError(f"{source} has shape {tuple(x.shape)}: neither the last axis nor the second is 1 or 3 long.")
    if min(x.shape[2:]) < 4:
        raise UserError(
            f"{source} would be {len(x)} images of {x.shape[2]}x{x.shape[3]} pixels, too small to be meant: "
            "several images are (N, H, W), (N, H, W, C) or (N, C, H, W); a single one needs array[None]."
        )
    return x.contiguous() if x.dtype == torch.uint8 else _quantized(x, source)


def _tensor(array: np.ndarray, source: str) -> Tensor:
    if array.dtype.kind not in "biuf":
        raise UserError(f"{source} holds values of type {array.dtype}: {_RANGE}.")
    kind = np.dtype(np.float64) if array.dtype.itemsize > 8 else array.dtype.newbyteorder("=")
    return torch.from_numpy(array.astype(kind))  # a copy, since torch knows neither read-only memory nor other byte orders


def _quantized(x: Tensor, source: str) -> Tensor:
    """Floating-point images in [0, 1] as uint8."""
    if bad := int((~torch.isfinite(x)).sum()):
        raise UserError(f"{source} holds {bad} values that are NaN or infinite: {_RANGE}; replace or remove them.")
    real = x.is_floating_point()
    x = x if real else x.long()  # smaller unsigned types lack a minimum
    low, high = x.min().item(), x.max().item()
    if not real or low < 0 or high > 1:
        kind = "floating-point" if real else "integer"
        cure = "convert them by .astype('uint8')" if low >= 0 and 1 < high <= 255 else "rescale them"
        raise UserError(f"{source} holds {kind} values from {low:g} to {high:g}, but {_RANGE}: {cure}.")
    return torch.cat([(part.float() * 255).round().to(torch.uint8) for part in x.split(_FIT_CHUNK)])


def treat(pixels: Tensor, treatment: Treatment) -> tuple[Tensor, tuple[str, ...]]:
    """Images of one size (N, C, H, W) brought to the shape asked for, and notes."""
    count, channels, height, width = pixels.shape
    side = _common_side([(width, height)], treatment)
    notes = _geometry_notes([(width, height)] * count, side, treatment.crop)
    square = min(width, height, treatment.crop or width)
    top, left = (height - square) // 2, (width - square) // 2
    pixels = pixels[:, :, top : top + square, left : left + square]
    return fit(pixels, (treatment.channels or channels, side, side)).contiguous(), tuple(notes)


def fit(pixels: Tensor, shape: tuple[int, int, int], pad: int = 0) -> Tensor:
    """Brings uint8 images (N, C, H, W) to another shape (C, H, W): pads by zeros, resizes, converts the channels.

    Resizing is bilinear, antialiased, rounded; gray becomes RGB by repetition, RGB gray by .299 R + .587 G + .114 B
    (ITU-R BT.601). The very tensor is returned where nothing is to be done.

    Raises:
        UserError: if the channels are neither 1 nor 3.
    """
    channels, *size = shape
    if channels not in (1, 3) or pixels.shape[1] not in (1, 3):
        raise UserError(f"Images of {pixels.shape[1]} channels cannot be given {channels}: only 1 and 3 are possible.")
    if pad:
        pixels = F.pad(pixels, (pad,) * 4)
    if pixels.shape[1] == channels and list(pixels.shape[2:]) == size:
        return pixels
    result = torch.empty((len(pixels), *shape), dtype=torch.uint8, device=pixels.device)
    for target, part in zip(result.split(_FIT_CHUNK), pixels.split(_FIT_CHUNK), strict=True):
        x = part.float()
        if x.shape[1] > channels:
            x = (x * x.new_tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True)
        if list(x.shape[2:]) != size:
            x = F.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)
        target.copy_(x.round().clamp(0, 255))  # one channel fills three
    return result
