"""The animated GIF of a training: its frames, their order, its size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from splitvae.figures import animation
from splitvae.figures.animation import write_film
from splitvae.figures.io import read_fingerprint


def draw_pictures(folder: Path, epochs: list[int], side: int = 100) -> None:
    """Draws a gray picture for each epoch, brighter each time, or a picture of noise if the side is large."""
    rng = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    for i, epoch in enumerate(epochs):
        page = np.full((side, side, 3), 10 * i, np.uint8)
        if side > 100:
            page = rng.integers(0, 256, page.shape, np.uint8)
        Image.fromarray(page).save(folder / f"epoch-{epoch:04d}.png")


def read_frames(path: Path) -> tuple[list[np.ndarray], list[int]]:
    """Returns the frames of a GIF and their durations in milliseconds."""
    with Image.open(path) as film:
        frames, durations = [], []
        for i in range(film.n_frames):
            film.seek(i)
            frames.append(np.asarray(film.convert("RGB")).astype(int))
            durations.append(film.info["duration"])
    return frames, durations


def test_frames_are_the_pictures_in_the_order_of_epochs_and_the_last_is_shown_longer(tmp_path: Path) -> None:
    epochs = [5, 10, 9995, 10000]
    draw_pictures(tmp_path, epochs)
    (tmp_path / "epoch-best.png").write_bytes(b"not one of them")
    out = write_film(tmp_path)
    assert out == tmp_path / "film.gif"
    frames, durations = read_frames(out)
    brightness = [float(np.median(frame[:100])) for frame in frames]
    assert brightness == pytest.approx([0, 10, 20, 30], abs=2)  # 64 colours
    assert durations == [500, 500, 500, 3000]
    with Image.open(out) as film:
        assert film.info["loop"] == 0


def test_each_frame_names_its_epoch(tmp_path: Path) -> None:
    draw_pictures(tmp_path, [1, 2])
    frames, _ = read_frames(write_film(tmp_path) or Path())
    below = [frame[100:] for frame in frames]
    assert all((frame < 128).any() and frame.shape[0] == 28 for frame in below)
    assert not np.array_equal(*below)


def test_a_film_takes_two_pictures(tmp_path: Path) -> None:
    assert write_film(tmp_path) is None
    draw_pictures(tmp_path, [3])
    assert write_film(tmp_path) is None
    assert not (tmp_path / "film.gif").exists()


def test_of_many_large_pictures_evenly_spaced_ones_are_used_with_the_first_and_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(animation, "MAX_FRAMES", 8)
    monkeypatch.setattr(animation, "MAX_FILE_BYTES", 150_000)
    draw_pictures(tmp_path, list(range(1, 10)), side=520)
    out = write_film(tmp_path)
    assert out is not None and out.stat().st_size < 150_000
    frames, _ = read_frames(out)
    assert 2 <= len(frames) < 8
    assert frames[0].shape == (260 + 28, 260, 3)
    ends = [np.asarray(animation._make_frame(tmp_path / f"epoch-{e:04d}.png", e)) for e in (1, 9)]
    for frame, end in zip((frames[0], frames[-1]), ends, strict=True):
        assert np.corrcoef(frame.ravel(), end.ravel())[0, 1] > 0.7  # noise in 64 colours


def test_a_film_names_its_model_and_is_replaced(tmp_path: Path) -> None:
    draw_pictures(tmp_path, [1, 2])
    for fingerprint in ("abc", "def"):
        path = write_film(tmp_path, fingerprint)
        assert path is not None and read_fingerprint(path) == fingerprint
    assert sorted(file.name for file in tmp_path.iterdir()) == ["epoch-0001.png", "epoch-0002.png", "film.gif"]
