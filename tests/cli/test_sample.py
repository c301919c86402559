"""`splitvae sample`, `splitvae encode` and `splitvae reconstruct`: the files that they write from a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from splitvae.samplers.gaussian_mixture import GaussianMixture

Command = Callable[..., Any]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of 20 gray images."""
    (tmp_path / "photos").mkdir()
    for i in range(20):
        Image.fromarray(np.full((20, 20), 10 * i, np.uint8)).save(tmp_path / "photos" / f"{i}.png")
    return tmp_path / "photos"


def test_samples_are_a_sheet_arrays_or_files_and_repeat(command: Command, trained: Path, tmp_path: Path) -> None:
    words = ["sample", trained, "-n", 6, "--sampler", "gmm", "--components", 3]
    for name in ("a.npz", "b.npz", "sheet.png", "folder"):
        assert command(*words, "--out", tmp_path / name).status == 0
    a, b = np.load(tmp_path / "a.npz"), np.load(tmp_path / "b.npz")
    assert a["image"].shape == (6, 1, 16, 16)
    assert a["images"].shape == (6, 2, 1, 16, 16)
    np.testing.assert_array_equal(a["image"], b["image"])
    np.testing.assert_allclose((a["masks"] * a["images"]).sum(1), a["image"], atol=1e-6)
    assert Image.open(tmp_path / "sheet.png").size[0] > 16
    assert len(list((tmp_path / "folder").glob("*.png"))) == 6


def test_each_component_and_a_mix_of_them_can_be_drawn(command: Command, trained: Path, tmp_path: Path) -> None:
    words = ["sample", trained, "-n", 8]
    assert command(*words, "--out", tmp_path / "all.npz").status == 0
    images = np.load(tmp_path / "all.npz")["images"]
    drawn = {}
    for name in ("x1", "x2", "mix"):
        assert command(*words, "--image", name, "--out", tmp_path / name).status == 0
        files = sorted((tmp_path / name).glob("*.png"))
        drawn[name] = np.stack([np.asarray(Image.open(file)) for file in files]) / 255
    for k, name in enumerate(("x1", "x2")):
        np.testing.assert_allclose(drawn[name], images[:, k, 0], atol=0.5 / 255 + 1e-6)
    of_first = [np.array_equal(mixed, first) for mixed, first in zip(drawn["mix"], drawn["x1"], strict=True)]
    of_second = [np.array_equal(mixed, second) for mixed, second in zip(drawn["mix"], drawn["x2"], strict=True)]
    assert all(a != b for a, b in zip(of_first, of_second, strict=True)) and any(of_first) and any(of_second)
    status, _, err = command(*words, "--image", "x3")
    assert status == 2 and "this model generates no 'x3'; it has blend, x1, x2, mix." in err


def test_fitted_samplers_are_kept_and_used_again(command: Command, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["sample", trained, "--sampler", "gmm", "--components", 5]
    assert command(*words).status == 0
    monkeypatch.setattr(GaussianMixture, "fit", lambda *_: pytest.fail("fitted again"))
    assert command(*words).status == 0


def test_codes_are_arrays_of_means_and_log_variances(command: Command, trained: Path) -> None:
    assert command("encode", trained).status == 0
    codes = np.load(trained / "codes-test.npz")
    assert codes["mean"].shape == codes["logvar"].shape == (179, 16)
    assert codes["labels"].shape == (179,)


def test_other_images_are_encoded_and_reconstructed(command: Command, trained: Path, photos: Path, tmp_path: Path) -> None:
    words = ["reconstruct", trained, "--data", photos, "--part", "train", "-n", 5, "--out", tmp_path / "r.npz"]
    status, out, _ = command(*words)
    assert status == 0
    assert "5 reconstructions" in out
    assert np.load(tmp_path / "r.npz")["image"].shape == (5, 1, 16, 16)
    assert command("encode", trained, "--data", photos, "--out", tmp_path / "c.npz").status == 0
    codes = np.load(tmp_path / "c.npz")
    assert codes["mean"].shape == (20, 16)
    assert [(photos / name).is_file() for name in codes["names"]] == [True] * 20


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("sample nowhere", "holds no run"),
        ("sample RUN -n 0", "-n 0 must be at least 1"),
        ("reconstruct RUN -n 0", "-n 0 must be at least 1"),
        ("sample RUN --sampler gnm", "'gmm'"),
        ("sample RUN --sampler gmm --components 3 --seed -1", "--seed -1 must be at least 0"),
        ("sample RUN --sampler gmm --components -1", "--components -1 must be at least 0"),
        ("sample RUN --sampler gmm --components 5000", "too few"),
        ("sample RUN --out x.gif", "does not end in .png or .npz"),
        ("encode RUN --data /nonexistent", "/nonexistent"),
        ("encode RUN --part tset", "tset"),
    ],
)
def test_mistakes_are_answered_in_a_sentence_and_a_status(command: Command, trained: Path, words: str, answer: str) -> None:
    status, out, err = command(*words.replace("RUN", str(trained)).split())
    assert status == 2
    assert answer in err
    assert "Traceback" not in out + err
