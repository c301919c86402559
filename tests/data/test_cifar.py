"""Tests of CIFAR-10 and CIFAR-100: binary files, archives, the download, and the refused Python form."""

from __future__ import annotations

import hashlib
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from splitvae.data import cifar
from splitvae.data.sources import load

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@pytest.fixture
def folder(tmp_path: Path, noise: Callable[..., np.ndarray]) -> Path:
    """A folder with CIFAR-10's files, which hold four images each; red is 10, green 20 and blue 30 in the first of each."""
    path = tmp_path / "cifar-10-batches-bin"
    path.mkdir()
    for number, name in enumerate(cifar.CIFAR["cifar10"].files):
        records = noise(4, 3073)
        records[:, 0] = (np.arange(4) + number) % 10
        records[0, 1:] = np.repeat([10, 20, 30], 1024)
        (path / name).write_bytes(records.tobytes())
    (path / "batches.meta.txt").write_text("\n".join(CLASSES) + "\n\n")
    return path


def pack(folder: Path) -> Path:
    """Packs a folder as the archive of its authors."""
    path = folder.parent / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, folder.name)
    return path


def test_a_folder_of_binary_files_is_read(folder: Path, assert_refused: Callable[..., None]) -> None:
    train, test = load(folder), load(str(folder), "test")
    assert train.shape == (3, 32, 32) and len(train) == 20 and len(test) == 4 and train.notes == ()
    assert train.pixels[0].unique(dim=1).unique(dim=2).flatten().tolist() == [10, 20, 30]
    record = np.frombuffer((folder / "data_batch_5.bin").read_bytes(), np.uint8).reshape(4, 3073)[3]
    assert train.pixels[19].flatten().tolist() == record[1:].tolist()  # red, green, blue, each row by row
    assert train.labels.tolist() == [i + j for j in range(5) for i in range(4)] and test.labels.tolist() == [5, 6, 7, 8]
    assert train.classes == test.classes == CLASSES
    assert_refused(folder, "no validation part", part="validation")
    assert load(folder, side=16, channels=1).shape == (1, 16, 16)


def test_the_archive_is_read_without_unpacking_it(folder: Path) -> None:
    path = pack(folder)
    for part in ("train", "test"):
        ours, theirs = load(path, part), load(folder, part)
        assert torch.equal(ours.pixels, theirs.pixels) and torch.equal(ours.labels, theirs.labels)
    assert ours.classes == CLASSES and sorted(os.listdir(folder.parent)) == [path.name, folder.name][::-1]


def test_names_of_classes_may_be_missing_but_not_wrong(folder: Path, assert_refused: Callable[..., None]) -> None:
    (folder / "batches.meta.txt").write_text("a\nb\n")
    assert_refused(folder, "batches.meta.txt", "2 names", "has 10", "delete this file")
    (folder / "batches.meta.txt").unlink()
    assert load(folder).classes == CLASSES


@pytest.mark.parametrize("packed", [False, True])
def test_damaged_files_are_refused(folder: Path, packed: bool, assert_refused: Callable[..., None]) -> None:
    def source() -> Path:
        return pack(folder) if packed else folder

    path = folder / "data_batch_2.bin"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert_refused(source(), "data_batch_2.bin", "12291 bytes", "cut")
    assert len(load(source(), "test")) == 4
    path.write_bytes(b"")
    assert_refused(source(), "data_batch_2.bin", "0 bytes")
    path.write_bytes(whole[:3073] + b"\x0a" + whole[3074:])
    assert_refused(source(), "Image 1 of data_batch_2.bin", "label 10", "0 to 9")
    path.unlink()
    assert_refused(source(), "lacks data_batch_2.bin", "cifar-10-binary.tar.gz")
    assert_refused(source(), "lacks data_batch_2.bin", part="test")


def test_cut_and_foreign_archives_are_refused(folder: Path, tmp_path: Path, assert_refused: Callable[..., None]) -> None:
    path = pack(folder)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:2000] + b"\x00" * 50 + whole[2050:], b"text", b""):
        path.write_bytes(content)
        assert_refused(path, "cannot be read as an archive", "fetch it again")
    (tmp_path / "x.txt").write_text("hello")
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(tmp_path / "x.txt", "x.txt")
    assert_refused(tmp_path / "x.tar", "neither CIFAR-10 nor CIFAR-100", "unpack it")


def test_a_folder_at_the_wrong_level_or_one_file_is_answered_with_what_to_give(
    folder: Path, assert_refused: Callable[..., None]
) -> None:
    assert_refused(folder.parent, "one level too high", str(folder))
    assert_refused(folder / "test_batch.bin", "one file of CIFAR-10", str(folder))
    path = pack(folder)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    assert_refused(path.parent, "as an archive", str(path))


class Attack:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.write_text, (self.path, "attacked")


def test_the_python_form_is_refused_and_never_unpickled(tmp_path: Path, assert_refused: Callable[..., None]) -> None:
    folder, victim = tmp_path / "cifar-10-batches-py", tmp_path / "victim"
    folder.mkdir()
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"):
        (folder / name).write_bytes(pickle.dumps({b"data": Attack(victim)}))
    with tarfile.open(tmp_path / "cifar-10-python.tar.gz", "w:gz") as archive:
        archive.add(folder, folder.name)
    for source in (folder, tmp_path / "cifar-10-python.tar.gz", tmp_path):
        assert_refused(source, "Python form", "can run code", "give cifar10", "cifar-10-binary.tar.gz")
    assert_refused(folder / "data_batch_1", "Python form")
    assert not victim.exists()
    pickle.loads((folder / "test_batch").read_bytes())  # the attack works where something unpickles it
    assert victim.exists()


def test_cifar10_by_name_is_downloaded_once_and_checked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, cache = pack(folder), folder.parent / "cache"
    published = cifar.CIFAR["cifar10"]._replace(md5=hashlib.md5(path.read_bytes()).hexdigest())
    monkeypatch.setitem(cifar.CIFAR, "cifar10", published)
    monkeypatch.setattr(cifar, "_SITE", f"{path.parent.as_uri()}/")
    monkeypatch.setenv("SPLITVAE_DATA", str(cache))
    first = load("cifar10")
    assert len(first) == 20 and first.classes == CLASSES and "downloaded cifar10" in first.notes[0]
    assert [file.name for file in (cache / "cifar10").iterdir()] == ["cifar-10-binary.tar.gz"]
    monkeypatch.setattr(cifar, "fetch", None)  # would fail if it were called
    again = load("cifar10")
    assert torch.equal(again.pixels, first.pixels) and again.notes == ()


def test_a_download_with_another_content_or_without_a_network_says_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch, assert_refused: Callable[..., None]
) -> None:
    path = pack(folder)
    monkeypatch.setenv("SPLITVAE_DATA", str(folder.parent / "cache"))
    monkeypatch.setattr(cifar, "_SITE", f"{path.parent.as_uri()}/")
    assert_refused("cifar10", "c32a1d4ab5d03f1284b67883e8d87530", "data='cifar-10-binary.tar.gz'")
    path.unlink()
    place = str(folder.parent / "cache" / "cifar100" / "cifar-100-binary.tar.gz")
    assert_refused("cifar100", "No such file", "where there is a network", place)


def test_cifar100_has_the_fine_classes(tmp_path: Path, noise: Callable[..., np.ndarray]) -> None:
    folder = tmp_path / "cifar-100-binary"
    folder.mkdir()
    for name in ("train.bin", "test.bin"):
        records = noise(3, 3074)
        records[:, 0], records[:, 1] = 5, (0, 50, 99)
        (folder / name).write_bytes(records.tobytes())
    (folder / "fine_label_names.txt").write_text("\n".join(f"name{i}" for i in range(100)))
    train = load(folder)
    assert train.labels.tolist() == [0, 50, 99] and train.classes[99] == "name99" and train.shape == (3, 32, 32)
    assert (
        train.pixels[2].flatten().tolist() == np.frombuffer((folder / "train.bin").read_bytes(), np.uint8)[-3072:].tolist()
    )
