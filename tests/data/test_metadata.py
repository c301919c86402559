"""Tests of metadata.csv, the table of labels in a folder of images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from splitvae.data.sources import load

Save = Callable[..., None]


@pytest.fixture
def folder(tmp_path: Path, save: Save) -> Path:
    """A folder of 20 images, of which the i-th has the value i everywhere; every other one lies in a subfolder."""
    for i in range(20):
        save(tmp_path / ("more" if i % 2 else "") / f"{i:02}.png", np.full((8, 8), 10 * i + 30, np.uint8))
    return tmp_path


def write(folder: Path, header: str, value: Callable[[int], object], rows: range = range(20)) -> None:
    lines = [f"{'more/' * (i % 2)}{i:02}.png,{value(i)}" for i in rows]
    folder.mkdir(exist_ok=True)
    (folder / "metadata.csv").write_text("\n".join([header, *reversed(lines)]) + "\n")


def numbers(pixels: np.ndarray) -> np.ndarray:
    """Returns the number i of each image."""
    return (pixels[:, 0, 0, 0].astype(int) - 30) // 10


@pytest.mark.parametrize("header", ["file_name,label", "file_name,kind"])
def test_names_of_classes(folder: Path, header: str) -> None:
    write(folder, header, lambda i: ("cat", "dog", "ant")[i % 3])
    (folder / "04.png").write_bytes(b"broken")
    for part in ("train", "test"):
        images = load(folder, part)
        assert images.classes == ("ant", "cat", "dog")
        expected = [("cat", "dog", "ant")[i % 3] for i in numbers(images.pixels.numpy())]
        assert [images.classes[label] for label in images.labels] == expected
        assert "metadata" not in " ".join(images.notes)


def test_integers_and_a_column_label_among_others(folder: Path) -> None:
    write(folder, "file_name,weight,label", lambda i: f"{i / 7},{i % 4}")
    images = load(folder, "all")
    assert images.labels.tolist() == (numbers(images.pixels.numpy()) % 4).tolist() and images.classes == tuple("0123")


def test_several_columns_of_0_and_1_are_attributes(folder: Path) -> None:
    write(folder, "file_name,old,even", lambda i: f"{'true' if i > 9 else 'false'},{1 - i % 2}")
    images = load(folder, "all")
    expected = [[int(i > 9), int(i % 2 == 0)] for i in numbers(images.pixels.numpy())]
    assert images.labels.tolist() == expected and images.classes == ("old", "even")


def test_parts_with_tables_of_their_own_number_classes_alike(tmp_path: Path, save: Save) -> None:
    for part, classes in {"train": ("b", "c"), "test": ("a", "c")}.items():
        for i in range(4):
            save(tmp_path / part / f"{i}.png", np.full((8, 8), 60 + i, np.uint8))
        rows = "\n".join(f"{i}.png,{classes[i % 2]}" for i in range(4))
        (tmp_path / part / "metadata.csv").write_text(f"file_name,label\n{rows}\n", encoding="utf-8-sig")
    train, test = load(tmp_path), load(tmp_path, "test")
    assert train.classes == test.classes == ("a", "b", "c")
    assert train.labels.tolist() == [1, 2, 1, 2] and test.labels.tolist() == [0, 2, 0, 2]


@pytest.mark.parametrize(
    ("header", "value", "rows", "note"),
    [
        ("file_name,label", lambda i: i, range(19), "unlabelled, since metadata.csv has no row for 1 image: more/19.png"),
        ("file_name,label", lambda i: i, range(21), "metadata.csv has 1 name without an image: 20.png"),
        ("file_name,age", lambda i: i + 0.5, range(20), "in metadata.csv age has '0.5', which is no class"),
        ("file_name,label", lambda i: i - 1, range(20), "in metadata.csv label has '-1', which is no class"),
        ("file_name,label", lambda i: "" if i == 3 else "x", range(20), "label has '', which is no class"),
        ("file_name,age,sex", lambda i: f"{i},1", range(20), "no column is 'label', and age has '2', which is neither"),
        ("file_name,label", lambda i: 70_000 + i, range(20), "label has integers too large for classes"),
    ],
)
def test_what_is_left_out_is_noted(
    folder: Path, header: str, value: Callable[[int], object], rows: range, note: str
) -> None:
    write(folder, header, value, rows)
    images = load(folder, "all")
    assert note in " ".join(images.notes)
    assert (images.labels is None) == ("unlabelled" in " ".join(images.notes))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "begins with nothing: its first line names the columns, file_name,label"),
        (b"image;label\n", "begins with image;label: "),
        (b"file_name,label\n00.png,1,2\n", "has 2 columns, and a row of 3: 00.png,1,2; mend that row"),
        (b"file_name,label\n\xff\xfe,1\n", "is no table of text in UTF-8"),
        (b'file_name,label\n"00.png,' + b"1" * 200_000, "is no table of text in UTF-8 (field larger"),
    ],
)
def test_damaged_tables_are_refused(folder: Path, assert_refused: Callable[..., None], content: bytes, words: str) -> None:
    (folder / "metadata.csv").write_bytes(content)
    assert_refused(folder, words)


def test_tables_of_different_columns_are_refused(folder: Path, assert_refused: Callable[..., None]) -> None:
    write(folder, "file_name,label", lambda i: i)
    write(folder / "more", "file_name,kind", lambda i: i)
    assert_refused(folder, "another metadata.csv there label")
