"""The MNIST family: IDX files in a folder, and the three data sets that can be downloaded.

An IDX file holds a big-endian magic number (0x00000803 for images, 0x00000801 for labels: type uint8, rank 3 or 1), the
dimensions as 32-bit integers, and the bytes. It is often compressed by gzip. A folder holds four such files.

A download is checked by its md5 before it takes its name in the cache. That is the md5 of the uncompressed file, because
mirrors compress anew. For KMNIST only the md5 of the compressed files as published is known, so only mirrors that serve
those are accepted. The md5 of a file that a user provides is not checked: its magic number, dimensions, length and counts
must agree, and gzip has a checksum of its own.

References:
    Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits, 1998
    H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, 2017, https://arxiv.org/abs/1708.07747
    T. Clanuwat et al., Deep Learning for Classical Japanese Literature, 2018, https://arxiv.org/abs/1812.01718
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import UserError, setting
from ..utils.download import Checksum, cache_dir, decompress, fetch

__all__ = ["HOSTED_DATASETS", "IDX_FILES", "HostedDataset", "fetch_dataset", "find_idx_files", "read_idx", "read_idx_pair"]

IDX_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_IDX_FILE_NAME = re.compile(r"(train|t10k)-(images|labels)[-.](idx[13])-ubyte(\.gz)?")


class HostedDataset(NamedTuple):
    """A data set that can be downloaded.

    Arguments:
        mirrors: The addresses of the folders that hold the four files; they are tried in turn.
        md5: The md5 of each file, in the order of `IDX_FILES`.
        md5_of_gz: Whether these are the md5 of the compressed files.
        classes: The names of the classes.
    """

    mirrors: tuple[str, ...]
    md5: tuple[str, ...]
    md5_of_gz: bool
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
    """Returns the IDX files in a folder by their plain names, which are those of `IDX_FILES`.

    Of a file that is there twice, the uncompressed one is returned.
    """
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir(), reverse=True):  # x.gz comes before x, which replaces it
        if match := _IDX_FILE_NAME.fullmatch(path.name):
            files["{}-{}-{}-ubyte".format(*match.groups())] = path
    return files


def read_idx_pair(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads the images, uint8 (N, H, W), and labels, int64 (N,), of "train" or "test" in a folder of four IDX files.

    Raises:
        UserError: If a file is missing, damaged or of another kind, or if images and labels differ in number.
    """
    files = find_idx_files(folder)
    if missing := [name for name in IDX_FILES if name not in files]:
        raise UserError(f"{folder} lacks {', '.join(missing)} (each may end in .gz): put all four IDX files there.")
    images_file, labels_file = (files[name] for name in (IDX_FILES[:2] if part == "train" else IDX_FILES[2:]))
    images, labels = read_idx(images_file, rank=3), read_idx(labels_file, rank=1)
    if len(images) != len(labels):
        raise UserError(
            f"{images_file} holds {len(images)} images but {labels_file.name} holds {len(labels)} labels: "
            "the two belong to different data sets; fetch both again from one place."
        )
    return images, labels.astype(np.int64)


def read_idx(path: Path, rank: int) -> np.ndarray:
    """Reads the uint8 array of an IDX file, which may be compressed by gzip.

    Arguments:
        path: The file.
        rank: The number of dimensions: 3 for images, 1 for labels.

    Raises:
        UserError: If the file is damaged, incomplete or of another kind.
    """
    advice = f"delete {path} and fetch it again."
    try:
        content = decompress(path.read_bytes())
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


def fetch_dataset(name: str) -> tuple[Path, tuple[str, ...]]:
    """Downloads those files of a data set that the cache lacks.

    Returns:
        The folder in the cache that holds the four files, and a note if something was downloaded.

    Raises:
        UserError: If no mirror gives the right file. The message says where to get the files and where to put them.
    """
    dataset, folder = HOSTED_DATASETS[name], cache_dir() / name
    cached = find_idx_files(folder) if folder.is_dir() else {}
    missing = [file for file in IDX_FILES if file not in cached]
    for file in missing:
        fetch(
            [f"{mirror}{file}.gz" for mirror in dataset.mirrors],
            folder / f"{file}.gz",
            Checksum("md5", dataset.md5[IDX_FILES.index(file)], decompressed=not dataset.md5_of_gz),
            title=f"{file}.gz of {name}",
            advice=f"get the four files {', '.join(f'{each}.gz' for each in IDX_FILES)} from {dataset.mirrors[0]} where "
            f"there is a network, put them into a folder DIR here, and give it: {setting('data', 'DIR')}.",
        )
    return folder, (f"downloaded {name} to {folder}",) if missing else ()
