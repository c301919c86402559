"""Images: the type that every reader returns, float batches of them, and evenly spaced rows."""

from __future__ import annotations

import hashlib
import numbers
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from .mapped import find_origin
from .parts import DivisionNote

__all__ = ["Images", "batches", "evenly_spaced"]

_IMAGES_PER_BLOCK = 2048  # that are hashed at once


@dataclass(frozen=True, eq=False, repr=False)
class Images:
    """Images with their labels and their origin.

    They are indexed as an array is: `images[0]` is one image, uint8 (C, H, W); `images[:100]`, `images[mask]` and
    `images[[3, 5]]` are `Images` with the labels of these rows; `numpy.asarray(images)` is (N, C, H, W).

    Arguments:
        pixels: The images, uint8 with shape (N, C, H, W), where C is 1 or 3; in memory, or in a file (mapped.py).
        labels: None, or int64 labels: classes with shape (N,), or binary attributes with shape (N, A).
        classes: The names of the classes or of the attributes; () where there are no labels.
        source: The name, path or description of what the images were read from.
        part: The part of the source: "train", "test", "validation", or "all".
        notes: One line for each thing that was done to the images: skipped, converted, resized, held out.
        crop: The side in pixels of the centre square that was cut out of each image; None without such a crop.
        names: The path of each image in the folder that it was read from; () where images have no files of their own.
    """

    pixels: Tensor = field(repr=False)
    labels: Tensor | None = field(default=None, repr=False)
    classes: tuple[str, ...] = ()
    source: str = "images in memory"
    part: str = "train"
    notes: tuple[str, ...] = ()
    crop: int | None = None
    names: Sequence[str] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        pixels, labels = self.pixels, self.labels
        fits = isinstance(pixels, Tensor) and pixels.dtype == torch.uint8 and pixels.ndim == 4
        if not fits or pixels.shape[1] not in (1, 3):
            shape = f" of {pixels.dtype} and shape {tuple(pixels.shape)}" if isinstance(pixels, Tensor) else ""
            raise UserError(
                "the pixels of Images are a tensor of torch.uint8 and of shape (N, C, H, W), where C is 1 or 3, and not a "
                f"{type(pixels).__name__}{shape}; `splitvae.as_images(pixels)` converts arrays, and floats in [0, 1]."
            )
        if labels is not None and (not isinstance(labels, Tensor) or len(labels) != len(pixels)):
            count = f"{len(labels)} of type {type(labels).__name__}"
            raise UserError(f"the labels of {len(pixels)} Images are a tensor with one row for each, and not {count}.")
        if self.names and len(self.names) != len(pixels):
            raise UserError(f"{len(pixels)} Images have {len(self.names)} names: give one for each image, or names=().")

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: Any) -> Any:
        """Returns one image, uint8 (C, H, W), for a number, and `Images` with their labels for a slice, mask or list."""
        if isinstance(index, tuple):
            return self.pixels[index]
        if isinstance(index, np.ndarray | list):
            index = torch.as_tensor(index)
        elif not isinstance(index, numbers.Integral | slice | Tensor) and index is not None and index is not Ellipsis:
            raise UserError(f"images are chosen by numbers, such as images[0] or images[:64], not by {index!r}.")
        pixels = self.pixels[index]
        if pixels.ndim < 4:
            return pixels
        labels = None if self.labels is None else self.labels[index]
        names = [self.names[row] for row in torch.arange(len(self))[index].tolist()] if self.names else ()
        return replace(self, pixels=pixels, labels=labels, names=names)

    def __repr__(self) -> str:
        labels = f", {len(self.classes)} classes" if self.labels is not None else ""
        return f"Images({len(self):,} of shape {self.shape}{labels}, source={self.source!r}, part={self.part!r})"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Returns the pixels as an array, uint8 (N, C, H, W)."""
        return np.array(self.pixels.numpy(), dtype, copy=copy)

    @property
    def divided(self) -> int | None:
        """The number of images of the source, if it has a single part, of which some are held out as test; else None."""
        return next((note.images for note in self.notes if isinstance(note, DivisionNote)), None)

    @property
    def sha256(self) -> str:
        """The first 16 hex digits of the SHA-256 of the pixels."""
        if (origin := find_origin(self.pixels)) is not None:
            return origin.sha256[:16]
        digest = hashlib.sha256()
        for block in self.pixels.split(_IMAGES_PER_BLOCK):
            digest.update(block.contiguous().numpy().data)
        return digest.hexdigest()[:16]

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape (C, H, W) of an image."""
        channels, height, width = self.pixels.shape[1:]
        return channels, height, width


def batches(pixels: Tensor, device: torch.device, size: int = 500) -> Iterator[Tensor]:
    """Yields uint8 images (N, C, H, W) in order, as float32 batches in [0, 1] on a device, in channels-last memory format.

    Arguments:
        pixels: The images.
        device: The device of the batches.
        size: The number of images in a batch; the last batch may be smaller.
    """
    for chunk in pixels.split(size):
        yield (chunk.to(device).float() / 255).contiguous(memory_format=torch.channels_last)


def evenly_spaced(count: int, limit: int) -> Tensor:
    """Returns at most `limit` of `count` row numbers, evenly spaced, so that all classes are chosen from sorted images.

    >>> evenly_spaced(10, 4)
    tensor([0, 2, 5, 7])
    """
    chosen = min(limit, count)
    return torch.arange(chosen) * count // chosen
