"""Turns of processes that need all cores: one at a time, alternately, and never for good."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from splitvae.utils import turns
from splitvae.utils.turns import Turns

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")


def test_one_at_a_time_and_alternately(tmp_path: Path) -> None:
    order: list[int] = []
    running = threading.Lock()

    def work(number: int) -> None:
        mine = Turns(folder=tmp_path, seconds=0.02)
        for _ in range(30):
            mine.take()
            if not order or order[-1] != number:
                order.append(number)
            assert running.acquire(blocking=False), "two had a turn at once"
            time.sleep(0.005)
            running.release()
        mine.end()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    # Each works for 150 ms in turns of 20 ms: with nobody giving way there would be two entries.
    assert len(order) >= 8


def test_a_turn_is_kept_for_its_length_and_then_taken_anew(tmp_path: Path) -> None:
    first, second = Turns(folder=tmp_path, seconds=60), Turns(folder=tmp_path, seconds=60)
    first.take()
    file = first.file
    first.take()
    assert first.file == file is not None
    first.end()
    second.take()
    assert second.file is not None and first.file is None


def test_beside_a_suspended_process_one_waits_once_and_then_computes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.1)
    suspended, other = Turns(folder=tmp_path), Turns(folder=tmp_path)
    suspended.take()
    start = time.monotonic()
    for _ in range(5):
        other.take()
    assert other.file is None and 0.1 <= time.monotonic() - start < 0.2
    monkeypatch.setattr(turns, "RETRY_SECONDS", 0.0)
    suspended.end()
    other.end()
    other.take()
    assert other.file is not None


def test_the_turn_of_a_killed_process_ends(tmp_path: Path) -> None:
    code = f"""
import os, pathlib, signal
from splitvae.utils.turns import Turns
Turns(folder=pathlib.Path({str(tmp_path)!r})).take()
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    start, mine = time.monotonic(), Turns(folder=tmp_path)
    mine.take()
    assert mine.file is not None and time.monotonic() - start < 0.5


def test_a_folder_that_cannot_be_written_and_an_inactive_one_never_wait(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    holder = Turns(folder=tmp_path)
    holder.take()
    start = time.monotonic()
    for mine in (Turns(folder=tmp_path / "file"), Turns(folder=tmp_path / "missing" / "folder"), Turns(False, tmp_path)):
        mine.take()
        assert mine.file is None
    assert time.monotonic() - start < 0.05
