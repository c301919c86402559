"""Tests of CelebA's folder: parts, attributes, the crop of the paper, and what is missing or damaged."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from splitvae.data.sources import load

COUNT = 12
NAMES = [f"{number:06}.jpg" for number in range(1, COUNT + 1)]
PARTS = [0] * 6 + [1] * 2 + [2] * 4
ATTRIBUTES = ["5_o_Clock_Shadow", "Male", "Smiling"]
VALUES = np.array([[i >> bit & 1 for bit in range(3)] for i in range(COUNT)])  # those of image i are the bits of i


@pytest.fixture(scope="module")
def jpegs() -> list[bytes]:
    """Photographs of 178x218 pixels, as files."""
    rng = np.random.default_rng(3)
    files = []
    for _ in range(COUNT):
        small = Image.fromarray(rng.integers(0, 256, (14, 12, 3), dtype=np.uint8))
        file = io.BytesIO()
        small.resize((178, 218), Image.Resampling.BICUBIC).save(file, "JPEG", quality=95)
        files.append(file.getvalue())
    return files


@pytest.fixture
def celeba(tmp_path: Path, jpegs: list[bytes]) -> Path:
    """A small CelebA in the layout of its authors' archive, with lists beside the photographs."""
    folder = tmp_path / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    for name, content in zip(NAMES, jpegs, strict=True):
        (folder / "img_align_celeba" / name).write_bytes(content)
    rows = [f"{name} {part}" for name, part in zip(NAMES, PARTS, strict=True)]
    (folder / "list_eval_partition.txt").write_text("\n".join(rows) + "\n")
    rows = [f"{name} " + " ".join(f"{2 * v - 1:2d}" for v in row) for name, row in zip(NAMES, VALUES, strict=True)]
    (folder / "list_attr_celeba.txt").write_text("\n".join([str(COUNT), " ".join(ATTRIBUTES) + " ", *rows]) + "\n")
    return folder


def paper(content: bytes, crop: tuple[int, int, int, int] = (25, 45, 153, 173), side: int = 64) -> torch.Tensor:
    """What the paper's code makes of a photograph: columns 25 to 152 and rows 45 to 172, resized by Pillow."""
    image = Image.open(io.BytesIO(content)).crop(crop).resize((side, side), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def test_parts_attributes_and_the_crop_of_the_paper(celeba: Path, jpegs: list[bytes]) -> None:
    parts = {part: load(celeba, part) for part in ("train", "validation", "test")}
    assert [len(part) for part in parts.values()] == [6, 2, 4]
    for part, first in zip(parts.values(), (0, 6, 8), strict=True):
        assert part.shape == (3, 64, 64) and part.classes == tuple(ATTRIBUTES)
        for row in range(len(part)):
            assert torch.equal(part.pixels[row], paper(jpegs[first + row]))
            assert part.labels[row].tolist() == VALUES[first + row].tolist()
        assert list(part.names) == [f"{first + row + 1:06}.jpg" for row in range(len(part))]
    assert "rows 45 to 172 and columns 25 to 152" in parts["train"].notes[0]


def test_side_and_crop_replace_those_of_the_paper(celeba: Path, jpegs: list[bytes]) -> None:
    assert torch.equal(load(celeba, side=128).pixels[0], paper(jpegs[0], side=128))
    images = load(celeba, crop=140)
    assert torch.equal(images.pixels[0], paper(jpegs[0], (19, 39, 159, 179)))
    assert "rows 45" not in " ".join(images.notes) and images.crop == 140


def test_the_lists_of_kaggle_and_the_folders_of_the_authors_are_read(celeba: Path) -> None:
    expected = load(celeba, "test")
    original = celeba.parent / "original"
    for inner, file in (
        ("Img", "img_align_celeba"),
        ("Eval", "list_eval_partition.txt"),
        ("Anno", "list_attr_celeba.txt"),
    ):
        (original / inner).mkdir(parents=True)
        copy = shutil.copytree if (celeba / file).is_dir() else shutil.copy
        copy(celeba / file, original / inner / file)
    kaggle = celeba.parent / "kaggle"
    shutil.copytree(celeba / "img_align_celeba", kaggle / "img_align_celeba" / "img_align_celeba")
    rows = [f"{name},{part}" for name, part in zip(NAMES, PARTS, strict=True)]
    (kaggle / "list_eval_partition.csv").write_text("\n".join(["image_id,partition", *rows]) + "\n")
    rows = [f"{name}," + ",".join(str(2 * v - 1) for v in row) for name, row in zip(NAMES, VALUES, strict=True)]
    (kaggle / "list_attr_celeba.csv").write_text("\n".join([",".join(["image_id", *ATTRIBUTES]), *rows]) + "\n")
    for folder in (original, kaggle):
        images = load(folder, "test")
        assert torch.equal(images.pixels, expected.pixels) and images.classes == expected.classes
        assert torch.equal(images.labels, expected.labels) and images.notes == expected.notes


def test_photographs_of_another_size_are_treated_like_any_and_a_note_says_so(
    celeba: Path, save: Callable[..., None], noise: Callable[..., np.ndarray]
) -> None:
    for name in NAMES:
        save(celeba / "img_align_celeba" / name, noise(64, 64, 3))
    images = load(celeba)
    assert images.shape == (3, 64, 64) and "not of 178x218 pixels (64x64)" in images.notes[0]
    for name in NAMES:
        save(celeba / "img_align_celeba" / name, noise(109, 89, 3))
    assert load(celeba).shape == (3, 64, 64) and load(celeba, crop=74, side=32).shape == (3, 32, 32)


def test_a_part_of_celeba_is_read_and_what_is_missing_is_noted(celeba: Path, jpegs: list[bytes]) -> None:
    (celeba / "img_align_celeba/000002.jpg").unlink()
    (celeba / "img_align_celeba/000099.jpg").write_bytes(jpegs[0])
    (celeba / "img_align_celeba/000003.jpg").write_bytes(b"broken")
    images = load(celeba)
    notes = "\n".join(images.notes)
    assert images.labels.tolist() == VALUES[[0, 3, 4, 5]].tolist()
    assert "1 of 12 images in list_eval_partition.txt missing in img_align_celeba: 000002.jpg" in notes
    assert (
        "skipped 1 image without a part in list_eval_partition.txt: 000099.jpg" in notes and "000003.jpg (no image" in notes
    )
    (celeba / "list_attr_celeba.txt").unlink()
    images = load(celeba)
    assert images.labels is None and "no list_attr_celeba.txt" in "\n".join(images.notes)


def test_a_part_that_is_wholly_absent_is_no_part(celeba: Path, assert_refused: Callable[..., None]) -> None:
    for name in NAMES[6:8]:
        (celeba / "img_align_celeba" / name).unlink()
    assert len(load(celeba)) == 6
    assert_refused(celeba, "no validation part, only train and test", part="validation")


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("partition", "000004.jpg 0", "000004.jpg 7", ("line 4", "0 (train), 1 (validation) or 2 (test)")),
        ("partition", "000004.jpg 0", "000004.jpg", ("line 4",)),
        ("attr", " 1\n000005", " x\n000005", ("line 6", "'x'", "-1 or 1")),
        ("attr", "000004.jpg  1", "000004.jpg", ("line 6", "2 values for 3 attributes")),
        ("attr", "12\n", "13\n", ("announces 13 images but has 12", "cut")),
        ("attr", "000004.jpg", "000044.jpg", ("no attributes of 1 image, such as 000004.jpg", "unlabelled")),
    ],
)
def test_rows_that_cannot_be_read_are_named(
    celeba: Path, file: str, old: str, new: str, words: tuple[str, ...], assert_refused: Callable[..., None]
) -> None:
    path = next(celeba.glob(f"list_*{file}*"))
    text = path.read_text()
    if old.startswith(" 1"):
        old = text[text.index("000004.jpg") :][: text[text.index("000004.jpg") :].index("000005.jpg") + 6]
        new = old.replace("-1\n", " x\n")
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert_refused(celeba, path.name, *words)


def test_missing_and_empty_files_are_refused(celeba: Path, assert_refused: Callable[..., None]) -> None:
    partition, attributes = celeba / "list_eval_partition.txt", celeba / "list_attr_celeba.txt"
    whole = partition.read_bytes()
    partition.write_bytes(b"")
    assert_refused(celeba, "list_eval_partition.txt is empty")
    partition.write_bytes(b"\xff\xfe\x80")
    assert_refused(celeba, "list_eval_partition.txt is no text")
    partition.write_bytes(b"a.jpg 0\nb.jpg 0\n")
    assert_refused(celeba, "None of the 2 images in list_eval_partition.txt is in")
    partition.unlink()
    assert_refused(celeba, "lacks list_eval_partition.txt (or .csv)", "img_align_celeba")
    partition.write_bytes(whole)
    attributes.write_bytes(b"12\n")
    assert_refused(celeba, "list_attr_celeba.txt has no attributes")
    (celeba / "img_align_celeba").rename(celeba / "photographs")
    assert_refused(celeba, "no folder img_align_celeba")
    (celeba / "img_align_celeba.zip").write_bytes(b"PK")
    assert_refused(celeba, "unpack", "img_align_celeba.zip")


def test_a_folder_at_the_wrong_level_is_answered_with_the_right_one(
    celeba: Path, assert_refused: Callable[..., None]
) -> None:
    assert_refused(celeba.parent, "one level too high", str(celeba))
    assert_refused(celeba / "img_align_celeba", "only the photographs", str(celeba))
    assert_refused(celeba / "list_attr_celeba.txt", "one file of CelebA", str(celeba))
