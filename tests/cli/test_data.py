"""`splitvae data`: preparing, listing, showing and clearing decoded images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from splitvae.data.prepared import list_prepared, lock_of, prepared_folder
from splitvae.utils.lock import lock_file

Command = Callable[..., Any]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of images in two classes, and an empty cache."""
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for i in range(20):
        path = tmp_path / "photos" / ("cat", "dog")[i % 4 == 0] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(path)
    return tmp_path / "photos"


def test_prepare_says_what_it_did_and_list_shows_it(command: Command, photos: Path) -> None:
    status, out, _ = command("data", "prepare", photos)
    assert status == 0
    assert "train: 18 images of 3x16x16, 13.8 kB; decoded in" in out
    assert "test: 2 images of 3x16x16" in out
    assert str(prepared_folder()) in out
    assert command("data", "prepare", photos).out.count("was prepared already") == 2
    listed = command("data", "list").out
    rows = [line for line in listed.splitlines() if line.startswith(str(photos))]
    assert len(rows) == 2
    assert "train, 16x16, colour" in listed
    assert all("ready" in row and "seconds" in row for row in rows)
    assert "2 sets" in listed
    assert "digits is not kept" in command("data", "prepare", "digits").out


def test_clear_removes_one_source_or_all_and_says_how_much(command: Command, photos: Path, tmp_path: Path) -> None:
    other = photos.rename(tmp_path / "others")
    command("data", "prepare", other, "--part", "train")
    other.rename(photos)
    command("data", "prepare", photos)
    foreign = prepared_folder() / "a-b-c"
    foreign.mkdir()
    (foreign / "mine.txt").write_text("precious")
    sizes = {each.source: each.size for each in list_prepared()}
    status, out, _ = command("data", "clear", other)
    assert status == 0
    assert f"{sizes[str(other)]:,} bytes" in out
    assert [each.source for each in list_prepared()] == [str(photos)] * 2
    status, _, err = command("data", "clear", "photo")
    assert status == 2
    assert "photo has no decoded images" in err
    assert "2 sets removed" in command("data", "clear").out
    assert list_prepared() == []
    assert (foreign / "mine.txt").exists()
    assert (photos / "cat").is_dir()


def test_what_another_process_writes_is_not_cleared(command: Command, photos: Path) -> None:
    command("data", "prepare", photos, "--part", "train")
    (entry,) = list_prepared()
    with lock_file(lock_of(entry.path), lambda: None):
        out = command("data", "clear").out
    assert "stays" in out
    assert "0 sets removed" in out
    assert list_prepared() == [entry]


def test_show_paints_a_sheet_with_a_row_for_each_class(command: Command, photos: Path, tmp_path: Path) -> None:
    status, out, _ = command("data", "show", photos, "--out", tmp_path / "sheet.png")
    assert status == 0
    assert "18 images of 3x16x16 of 2 classes: cat 14, dog 4." in out
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height < sheet.width
    for path in photos.glob("*/*.png"):
        path.rename(photos / path.name)
    assert "without labels" in command("data", "show", photos).out
    assert (tmp_path / "photos-train.png").exists()


def test_an_unknown_word_is_answered_with_the_nearest(command: Command) -> None:
    status, _, err = command("data", "perpare")
    assert status == 2
    assert "did you mean 'prepare'" in err
    assert "contact sheet" in command("data").out
