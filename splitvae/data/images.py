"""TODO docstring of data.images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

__all__ = ["Images", "batches", "evenly_spaced"]


def batches(pixels: Tensor, device: torch.device, size: int = 500) -> Iterator[Tensor]:
    """Float batches in [0, 1], channels last, of uint8 images, in order."""
    for chunk in pixels.split(size):
        yield (chunk.to(device).float() / 255).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True, eq=False)
class Images:
    """Images in memory, and what is known of them."""

    pixels: Tensor = field(repr=False)  # uint8 (N, C, H, W), C in {1, 3}
    labels: Tensor | None = field(repr=False)  # int64: (N,) classes, or (N, A) binary attributes
    classes: tuple[str, ...]  # names of the classes or of the attributes; () when unlabelled
    source: str  # what was given
    split: str  # "train", "test" or "validation"
    notes: tuple[str, ...]  # worth telling: what was skipped, converted, resized, held out
    crop: int | None = None  # side of the centre square that was cut out

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def sha256(self) -> str:
        """16 hex digits of the SHA-256 of the pixels."""
        return hashlib.sha256(self.pixels.contiguous().numpy().data).hexdigest()[:16]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)"""
        channels, height, width = self.pixels.shape[1:]
        return channels, height, width


def evenly_spaced(count: int, limit: int) -> Tensor:
    """At most `limit` of `count` rows, evenly spaced: a fair choice even where images are sorted by class."""
    chosen = min(limit, count)
    return torch.arange(chosen) * count // chosen
