"""Decoding of image files (PNG, JPEG, ...) with Pillow into one uint8 tensor, and the rules that make images alike.

**Channels.** Images stay gray (one channel) only if all of them are gray (modes 1, L, LA, I;16, I). Otherwise all become
RGB. The option `channels` overrides this. Transparency (RGBA, LA, a transparent colour or palette entry) is composited
over white. Sixteen bits become eight by v / 257, so that 65535 becomes 255. CMYK, palettes and other modes become RGB. Of
an animation the first frame is taken. Floating-point images are refused, because their range is unknown.

**Geometry.** The EXIF orientation is applied. Then the centre square of side min(width, height, crop) is cut out and
resized to `side` with an antialiased bilinear filter. A JPEG of more than four times the size needed is decoded at 1/2,
1/4 or 1/8 of its size, never below twice the side, which is several times faster and changes the pixels little.

**Order.** Blocks of images are decoded by several threads and stored in the order of the items, so that a store which is a
file (prepared.py) can be continued after an interruption.

**Side.** `choose_side` (geometry.py) chooses it where none is given, from all images of the source, including those of a
held-out part.

An image that cannot be read is left out and named in a note. So is one that Pillow takes for a decompression bomb.
"""

from __future__ import annotations

import io
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from ..errors import UserError
from ..utils.progress import ProgressBar
from ..utils.text import count_noun
from .geometry import ResizeOptions, describe_geometry
from .pixel_store import Headers, MemoryStore, PixelStore

__all__ = [
    "DecodedImages",
    "EncodedImage",
    "decode_images",
    "image_suffixes",
    "image_to_array",
    "read_header",
    "shorten_list",
]

T = TypeVar("T")
B = TypeVar("B")
EncodedImage = bytes | str | Path | None  # the bytes of a file, its path, or neither
_SAFE_FORMATS = ("PNG", "JPEG", "MPO", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")  # none runs a program
_IMAGES_PER_TASK = 256
_BYTES_PER_TASK = 1 << 24  # of decoded pixels
_THREADS = min(8, os.cpu_count() or 1)
_BAR_DELAY_SECONDS = 2


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
    items: Sequence[EncodedImage],
    options: ResizeOptions,
    source_name: str,
    rows: np.ndarray | None = None,
    item_name: Callable[[int], str] = str,
    store: PixelStore | None = None,
) -> DecodedImages:
    """Decodes images with several threads into one array.

    Arguments:
        items: The bytes of the files, or their paths; None for an item that has neither.
        options: The side, crop and channels of the result.
        source_name: What messages call the source.
        rows: The numbers of the items to decode, by default all. The side and the channels depend on the others too.
        item_name: Returns what messages call item i.
        store: Where the pixels go, by default the memory.

    Raises:
        UserError: If none of the selected images can be read.
    """
    rows = np.arange(len(items)) if rows is None else rows
    store = store or MemoryStore()
    _available_formats()
    with warnings.catch_warnings(), ThreadPoolExecutor(_THREADS) as pool:
        warnings.simplefilter("ignore")  # Pillow warns of images that are skipped and named in a note anyway
        headers = store.load_headers()
        if headers is None:
            store.save_headers(headers := _read_headers(pool, items, source_name))
        readable = rows[headers.sizes[rows, 0] > 0]
        shape = headers.choose_shape(options) if len(readable) else (1, 1, 1)
        done, failures = store.begin(len(readable), shape)

        def decode_block(rows: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
            pixels, failures = np.empty((len(rows), *shape), np.uint8), {}
            count = 0
            for i in map(int, rows):
                image = _attempt(_decode_image, items[i], shape[1], options.crop, shape[0])
                if isinstance(image, _Failure):
                    failures[i] = image.reason
                else:
                    pixels[count] = image
                    count += 1
            return pixels[:count], failures

        size = max(1, min(_IMAGES_PER_TASK, _BYTES_PER_TASK // int(np.prod(shape))))
        blocks = [readable[start : start + size] for start in range(done, len(readable), size)]
        with _bar(f"decoding {source_name}", len(readable), done) as bar:
            for pixels, new_failures in _map_in_order(pool, decode_block, blocks):
                done += len(pixels) + len(new_failures)
                store.append(pixels, done, new_failures)
                failures |= new_failures
                bar.update(done)
    failed = sorted(failures | {int(i): headers.failures[int(i)] for i in rows[headers.sizes[rows, 0] == 0]})
    failures = headers.failures | failures
    if len(failed) == len(rows):
        first = f"the first, {item_name(failed[0])}: {failures[failed[0]]}" if failed else "there are none"
        raise UserError(
            f"None of the {len(rows)} images of {source_name} can be read ({first}): check or replace the files."
        )
    decoded = rows[~np.isin(rows, failed)]
    notes = _describe_conversions(headers.modes[decoded], shape[0])
    notes += describe_geometry(headers.sizes[decoded], shape[1], options.crop)
    if failed:
        skipped = shorten_list([f"{item_name(i)} ({failures[i]})" for i in failed])
        notes.append(f"skipped {count_noun(len(failed), 'image')} that cannot be read: {skipped}")
    return DecodedImages(store.finish(), decoded, tuple(notes))


def _read_headers(pool: ThreadPoolExecutor, items: Sequence[EncodedImage], source_name: str) -> Headers:
    """Reads the headers of all items."""
    headers = Headers(np.zeros((len(items), 2), np.int32), np.zeros(len(items), "S8"), {})

    def read_block(rows: range) -> int:
        for i in rows:
            header = _attempt(read_header, items[i])
            if isinstance(header, _Failure):
                headers.failures[i] = header.reason
            else:
                headers.sizes[i], headers.modes[i] = header
        return len(rows)

    blocks = [range(i, min(i + _IMAGES_PER_TASK, len(items))) for i in range(0, len(items), _IMAGES_PER_TASK)]
    with _bar(f"reading headers of {source_name}", len(items), 0) as bar:
        for count in _map_in_order(pool, read_block, blocks):
            bar.update(bar.n + count)
    return headers


def _map_in_order(pool: ThreadPoolExecutor, task: Callable[[B], T], blocks: Sequence[B]) -> Iterator[T]:
    """Yields the result of each block in order; only a few blocks at a time are computed ahead."""
    pending: deque[Future[T]] = deque()
    for block in blocks:
        pending.append(pool.submit(task, block))
        if len(pending) > 2 * _THREADS:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _bar(title: str, total: int, done: int) -> ProgressBar:
    """Returns a progress bar, which shows nothing of what is done in a moment."""
    return ProgressBar(title, total, "image", done, _BAR_DELAY_SECONDS)


def _attempt(task: Callable[..., T], *arguments: object) -> T | _Failure:
    """Returns what a task returns, or a `_Failure` if it raises."""
    try:
        return task(*arguments)
    except UserError:  # the source itself cannot be read
        raise
    except Exception as error:  # decoders raise anything on damaged bytes, and one bad image must not end the rest
        return _Failure(_explain_error(error))


def _explain_error(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "no image, or a damaged one"  # Pillow's message only repeats the address of the object
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _open_image(item: EncodedImage) -> Image.Image:
    if item is None:
        raise ValueError("no bytes")
    return Image.open(io.BytesIO(item) if isinstance(item, bytes) else item, formats=_available_formats())


def read_header(item: EncodedImage) -> tuple[tuple[int, int], str]:
    """Returns the width and height of an image in pixels, and its mode."""
    with _open_image(item) as image:
        return image.size, image.mode


def _decode_image(item: EncodedImage, side: int, crop: int | None, channels: int) -> np.ndarray:
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


def _describe_conversions(modes: np.ndarray, channels: int) -> list[str]:
    """Returns a note on the images of modes (M,) that were converted to gray or RGB; [] if none was."""
    names, first, counts = np.unique(modes, return_index=True, return_counts=True)
    target = b"L" if channels == 1 else b"RGB"
    found = zip(names, first, counts, strict=True)
    others = sorted((-count, place, name.decode()) for name, place, count in found if name != target)
    if not others:
        return []
    total, text = -sum(count for count, _, _ in others), ", ".join(f"{-count} of mode {name}" for count, _, name in others)
    return [f"converted {total} of {len(modes)} images to {'gray' if channels == 1 else 'RGB'}: {text}"]


def image_to_array(image: Image.Image) -> np.ndarray:
    """Converts an image in memory to uint8 (C, H, W): one channel if it is gray, else RGB, by the rules of this file."""
    channels = 1 if image.mode in ("1", "L", "LA", "La") or image.mode[0] == "I" else 3
    array = np.asarray(_convert_mode(ImageOps.exif_transpose(image), channels))
    return array[None] if channels == 1 else array.transpose(2, 0, 1)
