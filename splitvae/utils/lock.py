"""A lock of a folder, by which one process at a time writes there; the system releases it when that process ends."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import UserError
from .processes import is_main_process

__all__ = ["LOCK", "lock_folder"]

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
def lock_folder(folder: Path) -> Iterator[None]:
    """Locks a folder for the block; of several processes of one training, the first one does it for all.

    A missing folder is created, and removed at the end if it is empty. Where the system has no locks, or the folder cannot
    be written, the block runs without one.

    Arguments:
        folder: The folder.

    Raises:
        UserError: If another process has locked it.
    """
    if not is_main_process():
        yield
        return
    created = [path for path in (folder, *folder.parents) if not path.exists()]
    file = None
    try:
        with suppress(OSError):  # what is to be written there next gives the reason
            folder.mkdir(parents=True, exist_ok=True)
            file = _open_locked(folder / LOCK)
        yield
    finally:
        if file is not None:
            with suppress(OSError):  # Windows removes no open file; an empty one that stays locks nothing
                (folder / LOCK).unlink()  # before it is released, so that nobody else has locked it
            os.close(file)
        with suppress(OSError):
            for path in created:
                path.rmdir()


def _open_locked(path: Path) -> int | None:
    """Opens and locks a file; returns its descriptor, or None where the system has no locks."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(file)
        except OSError as error:
            os.close(file)
            if error.errno in HELD:
                raise UserError(
                    f"{path.parent} is being trained by another process; wait until it ends or stop it there, or give "
                    "another folder with --out."
                ) from None
            path.unlink(missing_ok=True)
            return None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), path.stat()):
                return file
        os.close(file)  # the process that held the lock removed this file meanwhile
