"""Files of pixels as tensors: the system reads a page of the file when it is needed, and drops it when memory is short.

A change of such a tensor changes neither the file nor what other processes see: changed pages are copied. The memory for
such copies is not reserved in advance, since the system would refuse to reserve more than it has.
"""

from __future__ import annotations

import math
import mmap
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from ..errors import UserError

__all__ = ["MapOrigin", "find_origin", "new_pixels", "open_pixels"]

_MAP_NORESERVE = {"linux": 0x4000, "darwin": 0x40}.get(sys.platform, 0)  # Python names it from 3.13 on
_ORIGINS = WeakTensorKeyDictionary()  # by tensor: its version, and its origin


class MapOrigin(NamedTuple):
    """What is known of the file of a tensor.

    Arguments:
        folder: The folder of the prepared set.
        sha256: The SHA-256 of the pixels in hex.
    """

    folder: Path
    sha256: str


def open_pixels(path: Path, shape: tuple[int, ...], origin: MapOrigin | None = None) -> Tensor:
    """Opens a file of bytes as a uint8 tensor, which reads it when it is needed.

    Arguments:
        path: The file.
        shape: The shape of the tensor.
        origin: What `find_origin` returns for this tensor as long as nobody changes it.
    """
    with path.open("rb") as file:
        pixels = torch.from_numpy(_map(file.fileno(), math.prod(shape)).reshape(shape))
    if origin is not None:
        _ORIGINS[pixels] = pixels._version, origin
    return pixels


def find_origin(pixels: Tensor) -> MapOrigin | None:
    """Returns what is known of the file of a tensor; None for a tensor in memory, and for one that was changed."""
    version, origin = _ORIGINS.get(pixels, (None, None))
    return origin if version == pixels._version else None


def new_pixels(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Returns room for uint8 pixels made of others: in memory, or if they lie in a file, in one that vanishes after use.

    Arguments:
        shape: The shape of the tensor.
        like: The other pixels.

    Raises:
        UserError: If the disk has no room for the file.
    """
    origin, size = find_origin(like), math.prod(shape)
    if origin is None or size == 0:
        return torch.empty(shape, dtype=torch.uint8, device=like.device)
    folder = origin.folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            content = mmap.mmap(file.fileno(), size)
    except OSError as error:
        raise UserError(
            f"{folder} has no room for resized images ({error.strerror}), which need {size:,} bytes: make room there, or "
            "prepare the images in the size of the network, `splitvae data prepare SOURCE --side PIXELS`."
        ) from None
    return torch.from_numpy(np.frombuffer(content, np.uint8).reshape(shape))


def _map(file: int, size: int) -> np.ndarray:
    """Maps the first bytes of an open file."""
    if size == 0:
        return np.empty(0, np.uint8)
    try:
        if sys.platform == "win32":
            content = mmap.mmap(file, size, access=mmap.ACCESS_COPY)
        else:
            flags = mmap.MAP_PRIVATE | _MAP_NORESERVE
            content = mmap.mmap(file, size, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE)
        return np.frombuffer(content, np.uint8)
    except OSError:  # a system that reserves memory for copies all the same
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns that these pixels cannot be changed
            array = np.frombuffer(mmap.mmap(file, size, access=mmap.ACCESS_READ), np.uint8)
            torch.from_numpy(array)  # torch warns once
        return array
