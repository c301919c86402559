"""Where decoding puts what it reads: what a store does, the store in memory, and the headers of images.

file_store.py is the store in a file, which goes on where an earlier call was stopped.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from .geometry import ResizeOptions, choose_side

__all__ = ["Headers", "MemoryStore", "PixelStore"]


class Headers(NamedTuple):
    """What the headers of N images say.

    Arguments:
        sizes: The widths and heights in pixels, int32 with shape (N, 2); 0 where a header cannot be read.
        modes: Pillow's names for the kinds of pixels, bytes with shape (N,).
        failures: Why a header cannot be read, by the number of the item.
    """

    sizes: np.ndarray
    modes: np.ndarray
    failures: dict[int, str]

    def choose_shape(self, options: ResizeOptions) -> tuple[int, int, int]:
        """Returns the shape (C, H, W) that the images are brought to; at least one header must be readable."""
        readable = self.sizes[:, 0] > 0
        side = choose_side(self.sizes[readable], options)
        kinds = np.unique(self.modes[readable]).astype(str)
        gray = all(mode in ("1", "L", "LA", "La") or mode[0] == "I" for mode in kinds)
        return options.channels or (1 if gray else 3), side, side


class PixelStore(Protocol):
    """Where `decode_images` puts what it reads, so that another call need not read it again."""

    def load_headers(self) -> Headers | None:
        """Returns the headers that an earlier call read; None if there are none."""

    def save_headers(self, headers: Headers) -> None:
        """Keeps the headers."""

    def begin(self, count: int, shape: tuple[int, int, int]) -> tuple[int, dict[int, str]]:
        """Makes room for images of a shape (C, H, W).

        Arguments:
            count: The largest number of images.
            shape: Their shape.

        Returns:
            How many items were done by an earlier call, and why some of them cannot be decoded, by their number.
        """

    def append(self, pixels: np.ndarray, done: int, failures: dict[int, str]) -> None:
        """Adds the images of the next items.

        Arguments:
            pixels: The images, (B, C, H, W).
            done: How many items are done with these.
            failures: Why some of these items cannot be decoded, by their number.
        """

    def finish(self) -> Tensor:
        """Returns all images, (M, C, H, W)."""


class MemoryStore:
    """Pixels in memory."""

    def __init__(self) -> None:
        self.pixels, self.count = np.empty(0, np.uint8), 0

    def load_headers(self) -> Headers | None:
        return None

    def save_headers(self, headers: Headers) -> None:
        pass

    def begin(self, count: int, shape: tuple[int, int, int]) -> tuple[int, dict[int, str]]:
        self.pixels = np.empty((count, *shape), np.uint8)
        return 0, {}

    def append(self, pixels: np.ndarray, done: int, failures: dict[int, str]) -> None:
        self.pixels[self.count : self.count + len(pixels)] = pixels
        self.count += len(pixels)

    def finish(self) -> Tensor:
        return torch.from_numpy(self.pixels[: self.count])
