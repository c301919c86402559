"""Tests of folders of images: classes, parts, and files that are skipped."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from splitvae.data.sources import load
from splitvae.errors import UserError


def test_a_flat_folder_is_unlabelled_and_keeps_its_pixels(
    tmp_path: Path, noise: Callable[..., np.ndarray], save: Callable[..., None]
) -> None:
    originals = noise(20, 12, 12, 3)
    for number, image in enumerate(originals):
        save(tmp_path / f"{number:02}.png", image)
    train, test = load(tmp_path), load(tmp_path, "test")
    assert train.labels is None and train.classes == () and train.shape == (3, 12, 12)
    both = {bytes(x.permute(1, 2, 0).contiguous().numpy()) for x in torch.cat([train.pixels, test.pixels])}
    assert both == {image.tobytes() for image in originals} and len(test) == 2


def test_linked_folders_are_read_and_loops_are_not(tmp_path: Path, save: Callable[..., None]) -> None:
    for name in ("cat", "dog"):
        for number in range(3):
            save(tmp_path / "real" / name / f"{number}.png", np.full((8, 8), 9 * number, np.uint8))
    (tmp_path / "linked").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "linked" / name).symlink_to(tmp_path / "real" / name)
    (tmp_path / "real" / "cat" / "up").symlink_to(tmp_path / "real")
    for folder in ("real", "linked"):
        images = load(tmp_path / folder, "all")
        assert (len(images), images.classes) == (6, ("cat", "dog"))


def test_subfolders_are_classes_and_train_and_test_are_parts(
    tmp_path: Path, save: Callable[..., None], assert_refused: Callable[..., None]
) -> None:
    for part, count in (("train", 3), ("test", 2)):
        for value, name in enumerate(("cat", "dog", "eel") if part == "train" else ("cat", "eel")):
            for number in range(count):
                save(tmp_path / part / name / f"{number}.png", np.full((8, 8), 50 * value, np.uint8))
    train, test = load(tmp_path), load(tmp_path, "test")
    assert train.classes == test.classes == ("cat", "dog", "eel")
    assert train.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2] and test.labels.tolist() == [0, 0, 2, 2]
    assert (train.pixels[:, 0, 0, 0] == 50 * train.labels).all()
    assert_refused(tmp_path, "no validation part, only", part="validation")


def test_a_validation_part_stands_in_for_a_test_part(
    tmp_path: Path, noise: Callable[..., np.ndarray], save: Callable[..., None]
) -> None:
    for part in ("train", "val"):
        for number in range(3):
            save(tmp_path / part / f"{number}.png", noise(8, 8))
    assert len(load(tmp_path)) == 3 and len(load(tmp_path, "validation")) == 3
    assert "stands in" in load(tmp_path, "test").notes[0]


def test_labels_of_a_held_out_part_belong_to_its_images(tmp_path: Path, save: Callable[..., None]) -> None:
    for value in range(3):
        for number in range(10):
            save(tmp_path / f"class{value}" / f"{number}.png", np.full((8, 8), 50 * value, np.uint8))
    (tmp_path / "class1/5.png").write_bytes(b"\x89PNG broken")
    for part in ("train", "test"):
        images = load(tmp_path, part)
        assert (images.pixels[:, 0, 0, 0] == 50 * images.labels).all()


def test_images_keep_the_names_of_their_files(
    tmp_path: Path, noise: Callable[..., np.ndarray], save: Callable[..., None]
) -> None:
    for number, image in enumerate(noise(30, 8, 8)):
        save(tmp_path / f"{number % 2}" / f"{number:02}.png", image)
    (tmp_path / "1/05.png").write_bytes(b"\x89PNG broken")
    train, test = load(tmp_path), load(tmp_path, "test")
    assert len(train) + len(test) == 29 == len({*train.names, *test.names})
    chosen = train[torch.tensor([7, 0, 3])]
    for images in (train, test, chosen, train[5:9], train[train.labels == 1]):
        for pixels, name in zip(images.pixels, images.names, strict=True):
            np.testing.assert_array_equal(pixels[0], np.asarray(Image.open(tmp_path / name)))
    assert load("digits")[:3].names == ()
    with pytest.raises(UserError, match="2 Images have 26 names"):
        dataclasses.replace(train, pixels=train.pixels[:2], labels=None)


def test_other_and_damaged_files_are_named_and_skipped(
    tmp_path: Path, noise: Callable[..., np.ndarray], save: Callable[..., None]
) -> None:
    for number in range(20):
        save(tmp_path / f"{number:02}.png", noise(32, 32, 3))
    whole = (tmp_path / "00.png").read_bytes()
    for number in range(20):  # wherever the held-out tenth lies, each part has some of each kind
        if number % 3 == 0:
            (tmp_path / f"{number:02}.png").write_bytes((whole[:1500], b"", b"text")[number // 3 % 3])
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / ".DS_Store").write_text("clutter")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "ghost.png").write_text("clutter")
    images = load(tmp_path)
    notes = " ".join(images.notes)
    assert (
        "skipped 1 file of other kinds: notes.txt" in notes
        and "cannot be read" in notes
        and "truncated" in notes
        and ".png (" in notes
    )
    assert "DS_Store" not in notes and "ghost" not in notes
    assert len(images) + len(load(tmp_path, "test")) == 13


def test_a_folder_with_no_images_or_only_bad_ones_is_refused(tmp_path: Path, assert_refused: Callable[..., None]) -> None:
    assert_refused(tmp_path, "no images", "no files at all")
    (tmp_path / "a.txt").write_text("hello")
    assert_refused(tmp_path, "no images", "only a.txt")
    (tmp_path / "a.png").write_bytes(b"broken")
    assert_refused(tmp_path, "1 image")
    (tmp_path / "b.png").write_bytes(b"broken")
    assert_refused(tmp_path, "can be read")
