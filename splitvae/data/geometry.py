"""The geometry of images: arrays of any layout to uint8 pixels, centre crops, resizing, padding, and the common side."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import UserError, setting
from ..utils.text import count_noun
from .mapped import new_pixels

__all__ = [
    "ResizeOptions",
    "array_to_pixels",
    "choose_side",
    "crop_and_resize",
    "describe_geometry",
    "remove_padding",
    "resize",
]

DEFAULT_SIDES = (16, 32, 64, 128)
IMAGES_PER_CHUNK = 2048  # bounds the memory of their float32 copy
_PIXEL_RANGES = "images are uint8 in 0 ... 255, or floating-point in [0, 1]"


class ResizeOptions(NamedTuple):
    """The size and channels that all images of a source are brought to. None lets the images decide.

    Arguments:
        side: The height and width in pixels.
        crop: The side in pixels of the centre square that is cut out before the resize.
        channels: 1 for gray, 3 for RGB.
        cache: Whether decoded images are kept on the disk (cache.py); None lets their number decide.
    """

    side: int | None = None
    crop: int | None = None
    channels: int | None = None
    cache: bool | None = None


def array_to_pixels(array: np.ndarray | Tensor, source_name: str) -> Tensor:
    """Converts an array of images (N, H, W), (N, H, W, C) or (N, C, H, W) to uint8 pixels (N, C, H, W).

    The last axis is that of the channels if its length is 1 or 3, otherwise the second is. Floating-point values in [0, 1]
    are multiplied by 255 and rounded.

    Arguments:
        array: The images.
        source_name: What error messages call the array.

    Raises:
        UserError: For another shape or type, and for values that are not finite or out of range.
    """
    x = array.detach().cpu() if isinstance(array, Tensor) else _numpy_to_tensor(array, source_name)
    if x.is_complex():
        raise UserError(f"{source_name} holds complex values: {_PIXEL_RANGES}.")
    if x.ndim not in (3, 4) or 0 in x.shape:
        raise UserError(f"{source_name} has shape {tuple(x.shape)}: images are (N, H, W), (N, H, W, C) or (N, C, H, W).")
    if x.ndim == 3:
        x = x[:, None]
    elif x.shape[3] in (1, 3):
        x = x.permute(0, 3, 1, 2)
    elif x.shape[1] not in (1, 3):
        raise UserError(
            f"{source_name} has shape {tuple(x.shape)}: neither the last axis nor the second has length 1 or 3."
        )
    if min(x.shape[2:]) < 4:
        raise UserError(
            f"{source_name} would be {len(x)} images of {x.shape[2]}x{x.shape[3]} pixels, which is too small to be meant: "
            "several images are (N, H, W), (N, H, W, C) or (N, C, H, W); a single one needs array[None]."
        )
    return x.contiguous() if x.dtype == torch.uint8 else _floats_to_uint8(x, source_name)


def _numpy_to_tensor(array: np.ndarray, source_name: str) -> Tensor:
    if array.dtype.kind not in "biuf":
        raise UserError(f"{source_name} holds values of type {array.dtype}: {_PIXEL_RANGES}.")
    dtype = np.dtype(np.float64) if array.dtype.itemsize > 8 else array.dtype.newbyteorder("=")
    return torch.from_numpy(array.astype(dtype))  # a copy: torch supports neither read-only memory nor other byte orders


def _floats_to_uint8(x: Tensor, source_name: str) -> Tensor:
    """Converts floating-point images in [0, 1] to uint8; raises UserError for other values."""
    if bad := int((~torch.isfinite(x)).sum()):
        raise UserError(
            f"{source_name} holds {bad} values that are NaN or infinite: {_PIXEL_RANGES}; replace or remove them."
        )
    if x.dtype == torch.bool:
        return x.to(torch.uint8) * 255
    is_float = x.is_floating_point()
    x = x if is_float else x.long()  # torch computes no minimum of smaller unsigned types
    low, high = x.min().item(), x.max().item()
    if not is_float or low < 0 or high > 1:
        kind = "floating-point" if is_float else "integer"
        remedy = "convert them by .astype('uint8')" if low >= 0 and 1 < high <= 255 else "rescale them"
        raise UserError(f"{source_name} holds {kind} values from {low:g} to {high:g}, but {_PIXEL_RANGES}: {remedy}.")
    return torch.cat([(part.float() * 255).round().to(torch.uint8) for part in x.split(IMAGES_PER_CHUNK)])


def choose_side(sizes: np.ndarray, options: ResizeOptions) -> int:
    """Returns the side in pixels that images of these sizes (N, 2), each a width and a height, are brought to.

    That is the side of the options; else the side of the images after the crop, where all are squares of one size; else
    the largest of 16, 32, 64 and 128 that is not above the median of the shorter sides (16 if all are smaller).
    """
    if options.side:
        return options.side
    shorter = sizes.min(1)
    if options.crop:
        cropped = options.crop <= shorter
        sizes, shorter = np.where(cropped[:, None], options.crop, sizes), np.where(cropped, options.crop, shorter)
    if (sizes == sizes[0, 0]).all():
        return int(sizes[0, 0])
    median = np.median(shorter)
    return max((side for side in DEFAULT_SIDES if side <= median), default=DEFAULT_SIDES[0])


def describe_geometry(sizes: np.ndarray, side: int, crop: int | None) -> list[str]:
    """Returns notes on what cropping and resizing to `side` did to images of these sizes (N, 2), widths and heights."""
    notes = []
    images, shorter = count_noun(len(sizes), "image"), sizes.min(1)
    squares = np.minimum(shorter, crop) if crop else shorter
    if small := int((shorter < crop).sum()) if crop else 0:
        notes.append(f"did not crop {small:,} of {images}, smaller than the crop of {crop} pixels")
    if oblong := int(((sizes[:, 0] != sizes[:, 1]) & (shorter < (crop or 1 << 30))).sum()):
        notes.append(f"centre-cropped {oblong:,} of {images} to squares")
    if len(resized := squares[squares != side]):
        low, high = int(resized.min()), int(resized.max())
        old_size = f"{low}x{low}" if low == high else f"between {low}x{low} and {high}x{high}"
        notes.append(f"resized {len(resized):,} of {images} to {side}x{side}, from {old_size}")
    return notes


def crop_and_resize(pixels: Tensor, options: ResizeOptions) -> tuple[Tensor, tuple[str, ...]]:
    """Cuts the centre square out of uint8 images of one size (N, C, H, W) and resizes it.

    Returns:
        The images, and notes on what was done to them.
    """
    count, channels, height, width = pixels.shape
    sizes = np.array([(width, height)])
    side = choose_side(sizes, options)
    notes = describe_geometry(sizes.repeat(count, 0), side, options.crop)
    square = min(width, height, options.crop or width)
    top, left = (height - square) // 2, (width - square) // 2
    pixels = pixels[:, :, top : top + square, left : left + square]
    return resize(pixels, (options.channels or channels, side, side)).contiguous(), tuple(notes)


def resize(pixels: Tensor, shape: tuple[int, int, int], pad: int = 0) -> Tensor:
    """Brings uint8 images (N, C, H, W) to another shape (C, H, W): pads with zeros, resizes, converts the channels.

    The resize is bilinear and antialiased, and rounds. Gray becomes RGB by repetition, RGB becomes gray by
    0.299 R + 0.587 G + 0.114 B (ITU-R BT.601). The same tensor is returned where nothing is to be done.

    Arguments:
        pixels: The images.
        shape: The channels, height and width of the result.
        pad: The number of zeros added on each side before the resize.

    Raises:
        UserError: If the channels are neither 1 nor 3, and for images that are not uint8.
    """
    channels, *size = shape
    if not isinstance(pixels, Tensor) or pixels.dtype != torch.uint8 or pixels.ndim != 4:
        what = f" of {pixels.dtype} and shape {tuple(pixels.shape)}" if isinstance(pixels, Tensor) else ""
        raise UserError(
            f"resize takes a tensor of torch.uint8 and of shape (N, C, H, W), and not a {type(pixels).__name__}{what}; "
            "`splitvae.as_images(images, shape)` takes images of any kind."
        )
    if pad < 0:
        raise UserError(f"{setting('pad', pad)} is negative; type the number of pixels to add on each side, such as 2.")
    if channels not in (1, 3) or pixels.shape[1] not in (1, 3):
        raise UserError(f"Images of {pixels.shape[1]} channels cannot be given {channels}: only 1 and 3 are possible.")
    if not pad and pixels.shape[1:] == shape:
        return pixels
    result = new_pixels((len(pixels), *shape), like=pixels)
    for target, part in zip(result.split(IMAGES_PER_CHUNK), pixels.split(IMAGES_PER_CHUNK), strict=True):
        padded = F.pad(part, (pad,) * 4) if pad else part
        if padded.shape[1:] == shape:
            target.copy_(padded)
            continue
        x = padded.float()
        if x.shape[1] > channels:
            x = (x * x.new_tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True)
        if list(x.shape[2:]) != size:
            x = F.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)
        target.copy_(x.round().clamp(0, 255))  # where x is gray and the target RGB, this repeats the channel
    return result


def remove_padding(images: Tensor, pad: int) -> Tensor:
    """Returns images (N, C, H, W) without `pad` pixels on each side."""
    return images[..., pad : images.shape[-2] - pad, pad : images.shape[-1] - pad] if pad else images
