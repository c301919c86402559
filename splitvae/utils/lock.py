"""Locks by which one process at a time writes in a place; the system releases them when that process ends."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import UserError, setting
from .processes import is_main_process

__all__ = ["LOCK", "lock_file", "lock_folder"]

LOCK = "training.lock"  # the name of the file, which exists while the folder is locked
HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)  # by another process, on one system or another

if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def lock_file(path: Path, on_busy: Callable[[], None]) -> Iterator[bool]:
    """Locks a file for the block, and yields whether it is locked; the file is removed at the end.

    It is not locked where the system has no locks, or where the file cannot be written.

    Arguments:
        path: The file, in a folder that is created if it is missing.
        on_busy: Is called whenever another process has locked the file: it raises, or returns for another attempt.
    """
    file = None
    try:
        with suppress(OSError):  # what is to be written there next gives the reason
            path.parent.mkdir(parents=True, exist_ok=True)
            file = _open_locked(path, on_busy)
        yield file is not None
    finally:
        if file is not None:
            with suppress(OSError):  # Windows removes no open file; an empty one that stays locks nothing
                path.unlink()  # before it is released, so that nobody else has locked it
            os.close(file)


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Locks a folder for the block; of several processes of one training, the first one does it for all.

    A missing folder is created, and removed at the end if it is empty. Where the system has no locks, or the folder cannot
    be written, the block runs without one.

    Arguments:
        folder: The folder.

    Raises:
        UserError: If another process has locked it.
    """

    def refuse() -> None:
        raise UserError(
            f"{folder} is being trained by another process; wait until it ends or stop it there, or give another folder "
            f"with {setting('out')}."
        )

    if not is_main_process():
        yield
        return
    created = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        with lock_file(folder / LOCK, refuse):
            yield
    finally:
        with suppress(OSError):
            for path in created:
                path.rmdir()


def _open_locked(path: Path, on_busy: Callable[[], None]) -> int | None:
    """Opens and locks a file; returns its descriptor, or None where the system has no locks."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(file)
        except OSError as error:
            os.close(file)
            if error.errno in HELD:
                on_busy()
                continue
            path.unlink(missing_ok=True)
            return None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), path.stat()):
                return file
        os.close(file)  # the process that held the lock removed this file meanwhile
