"""`splitvae train --overwrite` and `--dry-run`: no finished run is lost, and a rehearsal writes nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
SMALL = ["--width", 4, "--embedding", 32, "--epochs", 1, "--preview-every", 0, "--no-report"]


class Keyboard(io.StringIO):
    """A terminal at which an answer is typed."""

    def isatty(self) -> bool:
        return True


def test_without_a_terminal_overwrite_needs_yes(command: Command, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    before = sorted(trained.iterdir())
    status, out, err = command("train", "digits-svae", *SMALL, "--out", trained, "--overwrite")
    assert (status, out) == (2, "")
    assert "a run of digits-svae, 2 epochs, finished" in err and "add --yes" in err
    assert sorted(trained.iterdir()) == before


def test_it_asks_once_and_no_keeps_the_run(command: Command, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Keyboard("\n"))
    history = (trained / "history.jsonl").read_text()
    status, _, err = command("train", "digits-svae", *SMALL, "--out", trained, "--overwrite")
    assert (status, err.count("[y/N]"), "nothing was changed" in err) == (2, 1, True)
    assert (trained / "history.jsonl").read_text() == history


def test_yes_moves_the_run_aside(command: Command, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Keyboard("y\n"))
    history = (trained / "history.jsonl").read_text()
    status, _, err = command("train", "digits-svae", *SMALL, "--out", trained, "--overwrite")
    aside = trained.parent / ".overwritten" / trained.name
    assert (status, str(aside) in err) == (0, True)
    assert (aside / "history.jsonl").read_text() == history
    assert len((trained / "history.jsonl").read_text().splitlines()) == 1


def test_a_training_that_cannot_begin_gives_the_run_back(command: Command, trained: Path) -> None:
    history = (trained / "history.jsonl").read_text()
    words = ["train", "digits-svae", *SMALL, "--batch-size", 100_000, "--out", trained, "--overwrite", "--yes"]
    status, _, err = command(*words)
    assert (status, "holds its run again" in err) == (2, True)
    assert (trained / "history.jsonl").read_text() == history and (trained / "model").is_dir()


def test_a_dry_run_says_what_to_expect_and_writes_nothing(command: Command, tmp_path: Path) -> None:
    words = ["train", "digits-svae", *SMALL, "--epochs", 7, "--out", tmp_path / "run", "--dry-run"]
    status, out, _ = command(*words)
    assert status == 0
    assert list(tmp_path.iterdir()) == []
    assert "1,518 to train on, 100 held out, as 1x16x16" in out and "210: 7 epochs of 30, each of 50 images" in out
    plan = json.loads(command(*words, "--json").out)
    assert (plan["images"], plan["steps"], plan["parameters"]["trainable"]) == (1518, 210, 19_843)
    assert 0 < plan["seconds_per_step"] * 210 <= plan["seconds"] and plan["peak_bytes"] > 1e8
