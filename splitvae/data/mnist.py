"""The MNIST family: IDX files in a folder, and the three sets that can be fetched.

An IDX file is a big-endian magic number (0x00000803 for images, 0x00000801 for labels: type uint8, rank 3 or 1), the
dimensions as 32-bit integers, and the bytes, often compressed by gzip. A folder holds four of them.

A download is checked by the md5 of what it holds before it takes its name in the cache. That is the md5 of
the uncompressed file, since mirrors compress anew. For KMNIST only the md5 of the compressed files as published is
known, so only mirrors that serve those are accepted. Files that a user brings are not compared with any
md5: magic number, dimensions, length and counts must agree, and gzip's own checksum.

References: Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits, 1998; H. Xiao, K. Rasul,
R. Vollgraf, Fashion-MNIST, 2017, arXiv:1708.07747; T. Clanuwat et al., Deep Learning for Classical Japanese Literature,
2018, arXiv:1812.01718.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import re
import struct
import urllib.request
import zlib
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np

from ..errors import UserError
from ..utils.download import cache_dir

__all__ = ["HOSTED_DATASETS", "IDX_FILES", "HostedDataset", "fetch_dataset", "find_idx_files", "read_idx", "read_idx_pair"]


IDX_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


_IDX_FILE_NAME = re.compile(r"(train|t10k)-(images|labels)[-.](idx[13])-ubyte(\.gz)?")


_TIMEOUT = 20  # seconds without a byte


class HostedDataset(NamedTuple):
    """A set that can be fetched."""

    mirrors: tuple[str, ...]  # tried in turn
    md5: tuple[str, ...]  # in the order of FILES
    packed: bool  # whether these are the sums of the compressed files
    classes: tuple[str, ...]


HOSTED_DATASETS = {
    "mnist": HostedDataset(
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "http://yann.lecun.com/exdb/mnist/",
        ),
        (
            "6bbc9ace898e44ae57da46a324031adb",
            "a25bea736e30d166cdddb491f175f624",
            "2646ac647ad5339dbf082846283269ea",
            "27ae3e4e09519cfbb04c329615203637",
        ),
        False,
        tuple("0123456789"),
    ),
    "fashion-mnist": HostedDataset(
        (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        (
            "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "9018921c3c673c538a1fc5bad174d6f9",
            "8181f5470baa50b63fa0f6fddb340f0a",
            "15d484375f8d13e6eb1aabb0c3f46965",
        ),
        False,
        ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    "kmnist": HostedDataset(
        ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/", "https://codh.rois.ac.jp/kmnist/dataset/kmnist/"),
        (
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134",
        ),
        True,
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ),
}


def find_idx_files(folder: Path) -> dict[str, Path]:
    """The IDX files in a folder, by their plain names (those of `FILES`); uncompressed ones are preferred."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir(), reverse=True):  # x.gz before x, which replaces it
        if match := _IDX_FILE_NAME.fullmatch(path.name):
            found["{}-{}-{}-ubyte".format(*match.groups())] = path
    return found


def read_idx_pair(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, H, W) and labels int64 (N,) of "train" or "test" in a folder of four IDX files.

    Raises:
        UserError: if a file is missing, damaged or of another kind, or if images and labels differ in number.
    """
    found = find_idx_files(folder)
    if missing := [name for name in IDX_FILES if name not in found]:
        raise UserError(f"{folder} lacks {', '.join(missing)} (each may end in .gz): put all four IDX files there.")
    images_file, labels_file = (found[name] for name in (IDX_FILES[:2] if split == "train" else IDX_FILES[2:]))
    images, labels = read_idx(images_file, rank=3), read_idx(labels_file, rank=1)
    if len(images) != len(labels):
        raise UserError(
            f"{images_file} holds {len(images)} images but {labels_file.name} holds {len(labels)} labels: "
            "the two belong to different sets; fetch both again from one place."
        )
    return images, labels.astype(np.int64)


def read_idx(path: Path, rank: int) -> np.ndarray:
    """The uint8 array of an IDX file, gz or not: `rank` 3 for images, 1 for labels."""
    advice = f"delete {path} and fetch it again."
    try:
        content = _unpacked(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error}): it is damaged or incomplete; {advice}") from None
    if len(content) < 4 * (1 + rank):
        raise UserError(f"{path} holds only {len(content)} bytes, less than an IDX header: {advice}")
    magic, *shape = struct.unpack(f">{1 + rank}I", content[: 4 * (1 + rank)])
    if magic != 0x800 + rank:
        kind = "images" if rank == 3 else "labels"
        raise UserError(
            f"{path} begins with 0x{magic:08x} instead of 0x{0x800 + rank:08x}: it is no IDX file of {kind}; {advice}"
        )
    expected, present = math.prod(shape), len(content) - 4 * (1 + rank)
    if present != expected:
        size = "x".join(map(str, shape))
        raise UserError(
            f"{path} announces {size} = {expected} bytes but holds {present}: "
            f"it is {'incomplete' if present < expected else 'damaged'}; {advice}"
        )
    return np.frombuffer(content, np.uint8, offset=4 * (1 + rank)).reshape(shape)


def _unpacked(content: bytes) -> bytes:
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


def fetch_dataset(name: str) -> tuple[Path, tuple[str, ...]]:
    """The folder in the cache that holds a set's four files, downloading what is not there, and notes on what it did.

    Raises:
        UserError: if no mirror gives the right file; it says where to get them and where to put them.
    """
    folder = cache_dir() / name
    folder.mkdir(parents=True, exist_ok=True)
    missing = [file for file in IDX_FILES if file not in find_idx_files(folder)]
    for file in missing:
        _download(name, file, folder)
    return folder, (f"downloaded {name} to {folder}",) if missing else ()


def _download(name: str, file: str, folder: Path) -> None:
    hosted, target = HOSTED_DATASETS[name], folder / f"{file}.gz"
    reasons = []
    for mirror in hosted.mirrors:
        try:
            with urllib.request.urlopen(f"{mirror}{file}.gz", timeout=_TIMEOUT) as answer:
                content = answer.read()
            unpacked = _unpacked(content)  # raises if the transfer broke off
        except (OSError, EOFError, zlib.error, HTTPException) as error:
            reasons.append(f"{urlsplit(mirror).netloc}: {getattr(error, 'reason', None) or error}")
            continue
        found = hashlib.md5(content if hosted.packed else unpacked, usedforsecurity=False).hexdigest()
        if found == hosted.md5[IDX_FILES.index(file)]:
            part = folder / f".{target.name}.{os.getpid()}"
            try:
                part.write_bytes(content)
                os.replace(part, target)  # an interrupted download never has the file's name
            finally:
                part.unlink(missing_ok=True)
            return
        reasons.append(f"{urlsplit(mirror).netloc}: its md5 is {found} instead of {hosted.md5[IDX_FILES.index(file)]}")
    raise UserError(
        f"Cannot download {file}.gz of {name} ({'; '.join(reasons)}): get the four files "
        f"{', '.join(f'{each}.gz' for each in IDX_FILES)} from {hosted.mirrors[0]} where there is a network, put them into "
        "a folder DIR here, and give it: --data DIR."
    )
