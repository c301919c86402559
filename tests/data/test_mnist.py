"""Tests of the MNIST family: IDX files in a folder, and their download."""

from __future__ import annotations

import gzip
import hashlib
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from splitvae.data import mnist
from splitvae.data.sources import load

RNG = np.random.default_rng(1)


def write_idx(folder: Path, counts: tuple[int, int] = (12, 5), compress: bool = True, dot: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in mnist.IDX_FILES:
        count = counts[0] if name.startswith("train") else counts[1]
        images, labels = RNG.integers(0, 256, (count, 6, 6), dtype=np.uint8), np.arange(count, dtype=np.uint8) % 10
        rank, body = (3, images) if "images" in name else (1, labels)
        content = struct.pack(f">{1 + rank}I", 0x800 + rank, *body.shape) + body.tobytes()
        name = name.replace("-idx", ".idx") if dot else name
        (folder / (name + ".gz" * compress)).write_bytes(gzip.compress(content) if compress else content)
    return folder


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("dot", [True, False])
def test_a_folder_of_idx_files_is_read(tmp_path: Path, compress: bool, dot: bool) -> None:
    write_idx(tmp_path, compress=compress, dot=dot)
    train, test = load(tmp_path), load(str(tmp_path), "test")
    assert train.pixels.shape == (12, 1, 6, 6) and test.pixels.shape == (5, 1, 6, 6)
    assert train.labels.tolist() == [*range(10), 0, 1] and train.labels.dtype == torch.int64
    assert train.notes == ()


def test_missing_idx_files_are_named(tmp_path: Path, assert_refused: Callable[..., None]) -> None:
    write_idx(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    assert_refused(tmp_path, "lacks t10k-labels-idx1-ubyte")


def test_a_truncated_gz_file_is_refused(tmp_path: Path, assert_refused: Callable[..., None]) -> None:
    path = write_idx(tmp_path) / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-30])
    assert_refused(tmp_path, "train-images", "damaged or incomplete")


def test_a_damaged_gz_file_is_refused(tmp_path: Path, assert_refused: Callable[..., None]) -> None:
    path = write_idx(tmp_path) / "train-images-idx3-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[40] ^= 255
    path.write_bytes(bytes(content))
    assert_refused(tmp_path, "train-images", "damaged")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "0 bytes"),
        (struct.pack(">4I", 0x802, 12, 6, 6) + bytes(432), "0x00000802"),
        (struct.pack(">4I", 0x803, 12, 6, 6) + bytes(400), "incomplete"),
        (struct.pack(">4I", 0x803, 12, 6, 6) + bytes(500), "damaged"),
        (struct.pack(">4I", 0x803, 11, 6, 6) + bytes(396), "11 images"),
    ],
)
def test_idx_files_that_contradict_themselves_or_each_other_are_refused(
    tmp_path: Path, content: bytes, word: str, assert_refused: Callable[..., None]
) -> None:
    write_idx(tmp_path, compress=False)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    assert_refused(tmp_path, "train-images", word)


@pytest.mark.parametrize("packed", [True, False])
def test_a_download_passes_over_bad_mirrors_and_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    good, bad = write_idx(tmp_path / "good"), write_idx(tmp_path / "bad")
    contents = [(good / f"{name}.gz").read_bytes() for name in mnist.IDX_FILES]
    sums = tuple(hashlib.md5(each if packed else gzip.decompress(each)).hexdigest() for each in contents)
    mirrors = tuple(f"{folder.as_uri()}/" for folder in (tmp_path / "nowhere", bad, good))
    monkeypatch.setitem(mnist.HOSTED_DATASETS, "mnist", mnist.HostedDataset(mirrors, sums, packed, tuple("abcdefghij")))
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path / "cache"))
    first = load("mnist")
    assert len(first) == 12 and first.classes == tuple("abcdefghij") and "downloaded" in first.notes[0]
    assert {path.name for path in (tmp_path / "cache/mnist").iterdir()} == {f"{name}.gz" for name in mnist.IDX_FILES}
    monkeypatch.setattr(mnist, "fetch", None)  # would fail if it were called
    assert torch.equal(load("mnist").pixels, first.pixels)


def test_without_a_network_the_files_and_their_place_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, assert_refused: Callable[..., None]
) -> None:
    def no_network(*args: object, **options: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path))
    assert_refused("kmnist", "Name or service not known", "t10k-labels-idx1-ubyte.gz", "codh.rois.ac.jp", "data='DIR'")
