"""The film of a training: its frames, their order, its size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from splitvae import figures
from splitvae.figures import animation as films
from splitvae.figures.animation import film


def draw(folder: Path, epochs: list[int], side: int = 100) -> None:
    """A gray picture an epoch, brighter each time, of noise where it is large."""
    rng = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    for i, epoch in enumerate(epochs):
        page = np.full((side, side, 3), 10 * i, np.uint8)
        if side > 100:
            page = rng.integers(0, 256, page.shape, np.uint8)
        Image.fromarray(page).save(folder / f"epoch-{epoch:04d}.png")


def frames(path: Path) -> tuple[list[np.ndarray], list[int]]:
    with Image.open(path) as opened:
        found, durations = [], []
        for i in range(opened.n_frames):
            opened.seek(i)
            found.append(np.asarray(opened.convert("RGB")).astype(int))
            durations.append(opened.info["duration"])
    return found, durations


def test_frames_are_the_pictures_in_the_order_of_epochs_and_the_last_is_held(tmp_path: Path) -> None:
    epochs = [5, 10, 9995, 10000]
    draw(tmp_path, epochs)
    (tmp_path / "epoch-best.png").write_bytes(b"not one of them")
    out = film(tmp_path)
    assert out == tmp_path / "film.gif"
    shown, durations = frames(out)
    brightness = [float(np.median(frame[:100])) for frame in shown]
    assert brightness == pytest.approx([0, 10, 20, 30], abs=2)  # 64 colours
    assert durations == [500, 500, 500, 3000]
    with Image.open(out) as opened:
        assert opened.info["loop"] == 0


def test_each_frame_says_its_epoch(tmp_path: Path) -> None:
    draw(tmp_path, [1, 2])
    shown, _ = frames(film(tmp_path) or Path())
    below = [frame[100:] for frame in shown]
    assert all((frame < 128).any() and frame.shape[0] == 28 for frame in below)
    assert not np.array_equal(*below)


def test_a_film_takes_two_pictures(tmp_path: Path) -> None:
    assert film(tmp_path) is None
    draw(tmp_path, [3])
    assert film(tmp_path) is None
    assert not (tmp_path / "film.gif").exists()


def test_many_rich_pictures_are_thinned_out_but_for_the_first_and_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(films, "MOST", 8)
    monkeypatch.setattr(films, "LIMIT", 150_000)
    draw(tmp_path, list(range(1, 10)), side=520)
    out = film(tmp_path)
    assert out is not None and out.stat().st_size < 150_000
    shown, _ = frames(out)
    assert 2 <= len(shown) < 8
    assert shown[0].shape == (260 + 28, 260, 3)
    ends = [np.asarray(films._frame(tmp_path / f"epoch-{e:04d}.png", e)) for e in (1, 9)]
    for frame, end in zip((shown[0], shown[-1]), ends, strict=True):
        assert np.corrcoef(frame.ravel(), end.ravel())[0, 1] > 0.7  # noise in 64 colours


def test_a_film_names_its_model_and_is_replaced(tmp_path: Path) -> None:
    draw(tmp_path, [1, 2])
    for mark in ("abc", "def"):
        path = film(tmp_path, mark)
        assert path is not None and figures.drawn_by(path) == mark
    assert sorted(file.name for file in tmp_path.iterdir()) == ["epoch-0001.png", "epoch-0002.png", "film.gif"]
