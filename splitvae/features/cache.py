"""`cached_features`: the features of real images, which are computed once and then read from the disk.

A file of cache_dir()/features/real holds the features of one set of images. Its name is the hash of everything that
determines them: the pixels and their shape (which differ with the padding), the extractor with its weights, resize and
device, and the versions of this library and of PyTorch. Features are float32 and are kept as such, so that what is read is
what was computed, bit for bit. A file is used only if the hash of its content is right.

The folder holds at most `MOST_BYTES`; the files that were not used for longest are deleted first. Only extractors whose
fingerprint determines their features are cached, which are those of this library and TorchScript files, but no module that
somebody wrote in Python. If the folder cannot be written to, features are computed each time.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..errors import UserError
from ..utils.download import cache_dir
from ..utils.files import atomic_write
from ..utils.machine import versions
from .base import Extractor, device_of, extract_features

__all__ = ["MOST_BYTES", "cached_features"]

MOST_BYTES = 1 << 30  # about a dozen sets of 10,000 images in Inception's features, which take 82 MB each
IMAGES_PER_BLOCK = 2048  # that are hashed at once
FORMAT = 1  # to be increased when features of the same extractor and images change


def cached_features(extractor: Extractor, pixels: Tensor, *, notes: list[str] | None = None) -> Tensor:
    """Returns the features of real images, float64 (N, dim) on the CPU: from the cache, else computed and kept there.

    Arguments:
        extractor: The extractor.
        pixels: The images, (N, C, H, W). Only those of uint8 are kept, which needs no rounding.
        notes: A list that receives a line if the images were repeated to RGB.

    Raises:
        UserError: As `extract_features` does.
    """
    if pixels.dtype != torch.uint8 or pixels.ndim != 4 or not getattr(extractor, "is_cacheable", False):
        return extract_features(extractor, pixels, notes=notes)
    file = cache_dir() / "features" / "real" / f"{_key(extractor, pixels)}.safetensors"
    saved = _read(file)
    if saved is not None and saved[0].shape == (len(pixels), extractor.dim):
        rows, new_notes = saved
    else:
        new_notes = []
        rows = extract_features(extractor, pixels, notes=new_notes).float()
        with suppress(UserError):  # the folder cannot be written to
            _write(file, rows, new_notes)
    if notes is not None:
        notes += [note for note in new_notes if note not in notes]
    return rows.double()


def _key(extractor: Extractor, pixels: Tensor) -> str:
    """Returns the first 32 hex digits of the SHA-256 of everything that determines features."""
    origin = [FORMAT, versions(), extractor.name, extractor.fingerprint, device_of(extractor).type, list(pixels.shape)]
    digest = hashlib.sha256(json.dumps(origin).encode())
    for block in pixels.split(IMAGES_PER_BLOCK):
        digest.update(block.cpu().contiguous().numpy().data)
    return digest.hexdigest()[:32]


def _hash(rows: Tensor) -> str:
    return hashlib.sha256(rows.contiguous().numpy().data).hexdigest()


def _read(file: Path) -> tuple[Tensor, list[str]] | None:
    """Returns the features in a file and the notes on them; None if it is missing or damaged."""
    with suppress(OSError, SafetensorError, RuntimeError, ValueError, KeyError, TypeError):
        with safe_open(file, framework="pt") as content:
            metadata = json.loads(content.metadata()["splitvae"])
            rows = content.get_tensor("features")
        if _hash(rows) == metadata["sha256"]:
            with suppress(OSError):
                os.utime(file)  # the time of the last use
            return rows, list(metadata["notes"])
    return None


def _write(file: Path, rows: Tensor, notes: list[str]) -> None:
    """Writes features and makes room for them."""
    with atomic_write(file) as draft:
        draft.write_bytes(save({"features": rows}, {"splitvae": json.dumps({"sha256": _hash(rows), "notes": notes})}))
    files = []
    for other in file.parent.glob("*.safetensors"):
        with suppress(OSError):  # another process deleted it
            files.append((other.stat().st_mtime, other.stat().st_size, other))
    total = 0
    for _, size, other in sorted(files, reverse=True):
        total += size
        if total > MOST_BYTES and other != file:
            with suppress(OSError):
                other.unlink()
