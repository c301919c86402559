"""Tests of the lock of a folder."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from splitvae.errors import UserError
from splitvae.utils import lock
from splitvae.utils.lock import LOCK, lock_folder


def test_a_locked_folder_is_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "run"
    with lock_folder(folder):
        with pytest.raises(UserError, match=r"run is being trained by another process; .*`out`"), lock_folder(folder):
            pass
        assert (folder / LOCK).exists()
        (folder / "file").touch()
    assert [file.name for file in folder.iterdir()] == ["file"]
    with pytest.raises(KeyError), lock_folder(tmp_path / "other" / "run"):
        raise KeyError
    assert not (tmp_path / "other").exists()


def test_the_other_processes_of_a_training_leave_the_lock_to_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lock_folder(tmp_path):
        monkeypatch.setenv("LOCAL_RANK", "1")
        with lock_folder(tmp_path):
            pass
        assert (tmp_path / LOCK).exists()


def test_a_process_that_dies_leaves_no_lock(tmp_path: Path) -> None:
    code = "import os, sys; from pathlib import Path; from splitvae.utils.lock import lock_folder\n"
    code += "with lock_folder(Path(sys.argv[1])): os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)]).returncode == 9
    assert (tmp_path / LOCK).exists()  # the file, which locks nothing
    with lock_folder(tmp_path):
        pass
    assert not (tmp_path / LOCK).exists()


def test_without_locks_or_without_a_place_for_them_the_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(file: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(lock, "_lock", unsupported)
    with lock_folder(tmp_path / "run"):
        (tmp_path / "run" / "file").touch()
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["file"]
    with lock_folder(tmp_path / "run" / "file" / "below"):
        pass
