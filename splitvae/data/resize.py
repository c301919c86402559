"""TODO docstring of data.resize."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import UserError

__all__ = ["ResizeOptions", "array_to_pixels", "crop_and_resize", "remove_padding", "resize"]


def remove_padding(images: Tensor, pad: int) -> Tensor:
    """Images (N, C, H, W) without the padding on every side."""
    return images[..., pad : images.shape[-2] - pad, pad : images.shape[-1] - pad] if pad else images


ImageSize = tuple[int, int]  # width, height


DEFAULT_SIDES = (16, 32, 64, 128)


IMAGES_PER_CHUNK = 2048  # images resized at a time: bounds the float32 copy


_PIXEL_RANGES = "images are uint8 in 0 ... 255, or floating-point in [0, 1]"


class ResizeOptions(NamedTuple):
    """How images are made alike: `side` and `crop` in pixels, `channels` 1 or 3; None where the images decide."""

    side: int | None = None
    crop: int | None = None
    channels: int | None = None


def choose_side(sizes: Iterable[ImageSize], treatment: ResizeOptions) -> int:
    """The side in pixels that images of these sizes (width, height) are brought to."""
    if treatment.side:
        return treatment.side
    crop = treatment.crop
    sizes = [(crop, crop) if crop and crop <= min(size) else size for size in sizes]
    if len(set(sizes)) == 1 and sizes[0][0] == sizes[0][1]:
        return sizes[0][0]
    median = statistics.median(min(size) for size in sizes)
    return max((side for side in DEFAULT_SIDES if side <= median), default=DEFAULT_SIDES[0])


def describe_geometry(sizes: Sequence[ImageSize], side: int, crop: int | None) -> list[str]:
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


def array_to_pixels(array: np.ndarray | Tensor, source: str) -> Tensor:
    """An array of images (N, H, W), (N, H, W, C) or (N, C, H, W) as uint8 (N, C, H, W).

    Raises:
        UserError: for another shape or type, and for values that are not finite or out of range.
    """
    x = array.detach().cpu() if isinstance(array, Tensor) else _numpy_to_tensor(array, source)
    if x.is_complex():
        raise UserError(f"{source} holds complex values: {_PIXEL_RANGES}.")
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
    return x.contiguous() if x.dtype == torch.uint8 else _floats_to_uint8(x, source)


def _numpy_to_tensor(array: np.ndarray, source: str) -> Tensor:
    if array.dtype.kind not in "biuf":
        raise UserError(f"{source} holds values of type {array.dtype}: {_PIXEL_RANGES}.")
    kind = np.dtype(np.float64) if array.dtype.itemsize > 8 else array.dtype.newbyteorder("=")
    return torch.from_numpy(array.astype(kind))  # a copy, since torch knows neither read-only memory nor other byte orders


def _floats_to_uint8(x: Tensor, source: str) -> Tensor:
    """Floating-point images in [0, 1] as uint8."""
    if bad := int((~torch.isfinite(x)).sum()):
        raise UserError(f"{source} holds {bad} values that are NaN or infinite: {_PIXEL_RANGES}; replace or remove them.")
    real = x.is_floating_point()
    x = x if real else x.long()  # smaller unsigned types lack a minimum
    low, high = x.min().item(), x.max().item()
    if not real or low < 0 or high > 1:
        kind = "floating-point" if real else "integer"
        cure = "convert them by .astype('uint8')" if low >= 0 and 1 < high <= 255 else "rescale them"
        raise UserError(f"{source} holds {kind} values from {low:g} to {high:g}, but {_PIXEL_RANGES}: {cure}.")
    return torch.cat([(part.float() * 255).round().to(torch.uint8) for part in x.split(IMAGES_PER_CHUNK)])


def crop_and_resize(pixels: Tensor, treatment: ResizeOptions) -> tuple[Tensor, tuple[str, ...]]:
    """Images of one size (N, C, H, W) brought to the shape asked for, and notes."""
    count, channels, height, width = pixels.shape
    side = choose_side([(width, height)], treatment)
    notes = describe_geometry([(width, height)] * count, side, treatment.crop)
    square = min(width, height, treatment.crop or width)
    top, left = (height - square) // 2, (width - square) // 2
    pixels = pixels[:, :, top : top + square, left : left + square]
    return resize(pixels, (treatment.channels or channels, side, side)).contiguous(), tuple(notes)


def resize(pixels: Tensor, shape: tuple[int, int, int], pad: int = 0) -> Tensor:
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
    for target, part in zip(result.split(IMAGES_PER_CHUNK), pixels.split(IMAGES_PER_CHUNK), strict=True):
        x = part.float()
        if x.shape[1] > channels:
            x = (x * x.new_tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True)
        if list(x.shape[2:]) != size:
            x = F.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)
        target.copy_(x.round().clamp(0, 255))  # one channel fills three
    return result
