"""Tests of arrays: layouts, types and files, and what is refused."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from splitvae.data.sources import load


def test_the_digits_are_8x8_and_use_the_whole_range() -> None:
    digits = load("digits")
    assert digits.shape == (1, 8, 8) and digits.pixels.dtype == torch.uint8
    assert digits.pixels.min() == 0 and digits.pixels.max() == 255
    assert digits.classes == tuple("0123456789") and digits.labels.unique().tolist() == list(range(10))
    assert load("digits", side=16, channels=3).shape == (3, 16, 16)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ((10, 8, 8), (1, 8, 8)),
        ((10, 8, 8, 1), (1, 8, 8)),
        ((10, 8, 8, 3), (3, 8, 8)),
        ((10, 3, 8, 8), (3, 8, 8)),
        ((10, 1, 8, 8), (1, 8, 8)),
        ((10, 24, 20, 3), (3, 16, 16)),
    ],
)
def test_both_layouts_of_arrays_are_understood(
    given: tuple[int, ...], read: tuple[int, ...], noise: Callable[..., np.ndarray]
) -> None:
    assert load(noise(*given)).shape == read
    assert load(torch.from_numpy(noise(*given)) / 255).shape == read


def test_channels_last_is_preferred_where_both_layouts_are_possible(
    noise: Callable[..., np.ndarray], assert_refused: Callable[..., None]
) -> None:
    x = noise(10, 3, 16, 3)
    assert_refused(x, "3x16 pixels")
    assert load(noise(10, 3, 16, 16, 3)[..., 0]).shape == (3, 16, 16)


def test_floats_in_the_unit_interval_are_rounded_to_bytes() -> None:
    x = np.zeros((10, 4, 4), np.float64)
    x[:, 0] = (1.0, 0.5, 0.1, 1 / 255)
    assert load(x).pixels[0, 0, 0].tolist() == [255, 128, 26, 1]
    assert load(torch.from_numpy(x).half()).pixels[0, 0, 0, 0] == 255
    assert load(x.astype(">f4")).pixels[0, 0, 0].tolist() == [255, 128, 26, 1]


def blank(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.uint8)


def broken(value: float, dtype: type = np.float32) -> np.ndarray:
    array = np.zeros((10, 8, 8), dtype)
    array[3, 2, 1] = value
    return array


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (broken(np.nan), ("1 values that are NaN",)),
        (broken(np.inf), ("NaN or infinite",)),
        (broken(-0.5), ("-0.5 to 0", "[0, 1]")),
        (broken(255.0), ("0 to 255", "astype('uint8')")),
        (broken(300, np.int64), ("integer", "0 to 300")),
        (broken(255, np.uint16), ("integer", "astype('uint8')")),
        (broken(1, np.complex64), ("complex64",)),
        (np.array([["a"] * 8] * 8), ("<U1",)),
        (blank(10, 64), ("(10, 64)",)),
        (blank(10, 8, 8, 4), ("(10, 8, 8, 4)",)),
        (blank(2, 10, 8, 8, 3), ("(2, 10, 8, 8, 3)",)),
        (blank(32, 32, 3), ("array[None]",)),
        (blank(0, 8, 8), ("0 image",)),
        (blank(1, 8, 8), ("1 image", "at least 2")),
        (blank(10, 8, 0), ("(10, 8, 0)",)),
        (np.array(3), ("0 image",)),
    ],
)
def test_bad_arrays_are_refused_with_what_they_hold(
    array: np.ndarray, words: tuple[str, ...], assert_refused: Callable[..., None]
) -> None:
    assert_refused(array, *words)


def test_arrays_of_a_validation_part_are_read(tmp_path: Path, noise: Callable[..., np.ndarray]) -> None:
    np.savez(tmp_path / "a.npz", x_train=noise(20, 8, 8), x_val=noise(6, 8, 8), y_val=np.arange(6) % 2)
    assert [len(load(tmp_path / "a.npz", part)) for part in ("train", "validation", "test")] == [20, 6, 6]


def test_labels_that_are_no_classes_are_left_out_with_a_note(tmp_path: Path, noise: Callable[..., np.ndarray]) -> None:
    np.savez(tmp_path / "a.npz", images=noise(20, 8, 8), labels=1_000_000 + np.arange(20))
    images = load(tmp_path / "a.npz")
    assert images.labels is None and "the labels are left out: classes are integers from 0 to 65535" in images.notes[-1]


def test_images_that_are_nearly_black_are_noted() -> None:
    assert "no value above 16 of 255" in load(np.full((20, 8, 8), 16, np.uint8)).notes[-1]
    assert not any("nearly black" in note for note in load(np.full((20, 8, 8), 32, np.uint8)).notes)


def test_npy_and_npz_files_are_read(tmp_path: Path, noise: Callable[..., np.ndarray]) -> None:
    images, labels = noise(20, 8, 8, 3), np.arange(20) % 4
    np.save(tmp_path / "a.npy", images)
    np.savez(tmp_path / "b.npz", images=images, labels=labels)
    np.savez_compressed(tmp_path / "c.npz", x_train=images[:15], y_train=labels[:15, None], x_test=images[15:])
    np.savez(tmp_path / "d.npz", images)
    np.savez(tmp_path / "e.npz", x=images, y=np.array(["cat", "dog"] * 10))
    assert load(tmp_path / "a.npy").labels is None and len(load(tmp_path / "d.npz", "test")) == 2
    parts = [load(tmp_path / "b.npz", part) for part in ("train", "test")]
    assert sum((part.labels == 3).sum() for part in parts) == 5 and parts[0].classes == ("0", "1", "2", "3")
    assert load(tmp_path / "c.npz").labels.tolist() == labels[:15].tolist() and len(load(tmp_path / "c.npz", "test")) == 5
    assert load(tmp_path / "e.npz").classes == ("cat", "dog")


def test_bad_numpy_files_are_refused(
    tmp_path: Path, noise: Callable[..., np.ndarray], assert_refused: Callable[..., None]
) -> None:
    path = tmp_path / "a.npy"
    np.save(path, noise(20, 8, 8))
    path.write_bytes(path.read_bytes()[:500])
    assert_refused(path, "incomplete")
    path.write_bytes(b"hello")
    assert_refused(path, "no NumPy file")
    np.save(path, np.array([noise(3, 3), noise(4, 4)], dtype=object), allow_pickle=True)
    assert_refused(path, "pickled", "can run code", "np.stack")
    path.write_bytes(pickle.dumps([1, 2]))  # no array at all
    assert_refused(path, "pickled", "can run code")
    path.write_bytes(b"neither")
    assert_refused(path, "no NumPy file")
    path = tmp_path / "b.npz"
    np.savez(path, images=noise(20, 8, 8))
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    assert_refused(path, "damaged")
    path.write_bytes(whole[:700] + bytes([whole[700] ^ 255]) + whole[701:])
    assert_refused(path, "damaged")
    np.savez(path, images=np.array([noise(3, 3), None], dtype=object))
    assert_refused(path, "pickled")
    np.savez(path, codes=noise(20, 8))
    assert_refused(path, "codes", "name the array 'images'")


@pytest.mark.parametrize(
    ("labels", "word"),
    [
        (np.arange(19), "20 images but 19 labels"),
        (np.linspace(0, 1, 20), "float64"),
        (np.full((20, 3), 7), "attributes 0 and 1"),
        (np.array(3), "shape ()"),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    tmp_path: Path, labels: np.ndarray, word: str, noise: Callable[..., np.ndarray], assert_refused: Callable[..., None]
) -> None:
    np.savez(tmp_path / "a.npz", images=noise(20, 8, 8), labels=labels)
    assert_refused(tmp_path / "a.npz", word)
