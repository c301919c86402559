"""Turns: trainings of one user on the processors of one machine compute one after the other, half a second each.

The threads of a parallel loop wait for the slowest of them. Where two processes have a thread for each core, a thread
that waits for its core holds up all others, thousands of times in a step (benchmarks/neighbours.py). Where processes take
turns, they do nearly as much as one alone, and each has the results that it has alone, which another number of threads
would change.

Whoever has locked the file `now` has its turn, and whoever has locked `next` waits for it, so that turns alternate. The
system releases both when a process ends. A process that gets no turn for some seconds, since another one was suspended in
its own, computes without one.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["Turns", "turns_folder"]

TURN_SECONDS = 0.5
PATIENCE_SECONDS = 3.0  # several turns of others
RETRY_SECONDS = 30.0  # after nobody gave way for that long
POLL_SECONDS = 0.002


def turns_folder() -> Path:
    """Returns the folder of the two files, one for each user of this machine."""
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return Path(tempfile.gettempdir()) / f"splitvae-turns-{user}"


class Turns:
    """Takes turns with other processes; without locks of files, as on Windows, it never waits.

    Arguments:
        active: Whether this process takes turns at all; one that needs few of the cores does not.
        folder: The folder of the two files, which all who take turns have in common.
        seconds: The length of a turn.
    """

    def __init__(self, active: bool = True, folder: Path | None = None, seconds: float = TURN_SECONDS) -> None:
        self.active = active
        self.folder, self.seconds = folder or turns_folder(), seconds
        self.until = 0.0  # no attempt before this time
        self.file: int | None = None  # of the turn

    def take(self) -> None:
        """Waits for a turn unless there is one that has not ended yet; call this before each piece of work."""
        start = time.monotonic()
        if not self.active or start < self.until:
            return
        self.end()
        deadline = start + PATIENCE_SECONDS
        following = self._wait_for("next", deadline)
        if following is not None:
            self.file = self._wait_for("now", deadline)
            os.close(following)
        self.until = time.monotonic() + (RETRY_SECONDS if self.file is None else self.seconds)

    def end(self) -> None:
        """Ends the turn, so that others need not wait during what follows."""
        self.until = 0.0
        if self.file is not None:
            os.close(self.file)
            self.file = None

    def _wait_for(self, name: str, deadline: float) -> int | None:
        """Opens and locks a file; returns its descriptor, or None if it was not to be had."""
        if sys.platform == "win32":
            return None
        import fcntl

        file = None
        with suppress(OSError):  # no folder can be written: nobody takes turns
            self.folder.mkdir(mode=0o700, exist_ok=True)
            file = os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return file
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        break
                    time.sleep(POLL_SECONDS)
        if file is not None:
            os.close(file)
        return None
