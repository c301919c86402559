"""Progress bars: one line of the terminal where there is one, and a few lines of a log elsewhere."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from splitvae.utils import progress
from splitvae.utils.progress import ProgressBar, join_parts, show_fit


def test_a_log_gets_a_line_for_each_tenth_of_a_long_job(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_WITHOUT_LINES", 0.0)
    for _ in ProgressBar("reading", 50, "image").over(range(50)):
        pass
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == [f"reading: {tenth}0 % of 50 images" for tenth in range(1, 10)]
    assert all("\r" not in line and " left" in line for line in lines)


def test_a_short_job_leaves_nothing_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("reading", 50, "image") as bar:
        bar.update(25)
        bar.print("a note")
    assert capsys.readouterr() == ("a note\n", "")


@contextmanager
def terminal_of(columns: int) -> Iterator[int]:
    """A terminal as the error output, and the other end of it."""
    pty = pytest.importorskip("pty")  # not on Windows
    fcntl, struct, termios = (pytest.importorskip(name) for name in ("fcntl", "struct", "termios"))  # not on Windows
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    before, sys.stderr = sys.stderr, os.fdopen(writer, "w")
    try:
        yield reader
    finally:
        sys.stderr.close()
        sys.stderr = before


def read_screen(reader: int, words: str) -> str:
    """Returns what was written to a terminal, which a busy machine hands over in parts, up to the end of `words`' line."""
    text, end = "", time.monotonic() + 10
    while (is_more := bool(select.select([reader], [], [], 0.3)[0])) or (words not in text and time.monotonic() < end):
        text += os.read(reader, 10_000).decode() if is_more else ""
    return text


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_bar_fits_the_terminal_and_cuts_no_word(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    parts = ["12,345 images/s", "rec 207.9", "kl 7.409", "kl of samples 12.25"]
    with terminal_of(columns) as reader, ProgressBar("epoch 1/250", 10_000, "step") as bar:
        bar.rename("epoch 120/250")
        bar.update(5000, parts)
        bar.bar.refresh()
        text = read_screen(reader, "120/250")
    shown = [line.rstrip() for line in text.split("\r") if "left" in line and "120/250" in line][-1]
    assert len(shown) <= columns
    present = shown.partition(" left")[2].strip(", ").split(", ")
    assert present == parts[: len(present)] and len(present) == {60: 1, 80: 3, 120: 4}[columns]


def test_parts_are_whole() -> None:
    assert join_parts(["one part", "another"], 12) == "one part"
    assert join_parts(["one part"], 4) == ""


def test_a_fit_is_shown_by_its_epochs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "SECONDS_WITHOUT_LINES", -1.0)
    shown = show_fit("flow, trained")
    assert capsys.readouterr().err == ""  # nothing before the first epoch, whose number of epochs it learns
    for epoch in range(1, 5):
        shown(epoch, 4)
    lines = capsys.readouterr().err.splitlines()
    heads = [line.rsplit(",", 1)[0] for line in lines]
    assert heads == [f"fitting flow, trained: {percent} % of 4 epochs" for percent in (20, 50, 70)]
