"""Ctrl-C in a training: the present step is finished and a checkpoint is written before the training ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import UserError

__all__ = ["ExperimentInterrupted", "Interrupted", "interruptible"]


class Interrupted(UserError):
    """Is raised after Ctrl-C, when the checkpoint is written.

    Arguments:
        folder: The folder of the run.
        epoch: The number of finished epochs.
        step: The number of finished steps.
        more: Further options of the command that resumes the training.
    """

    status = 130
    raised_by_all = True

    def __init__(self, folder: Path, epoch: int, step: int, more: str = "") -> None:
        self.epoch, self.step = epoch, step
        super().__init__(
            f"stopped at epoch {epoch + 1}, step {step}; everything is saved, and "
            f"`splitvae train --resume --out {folder}{more}` continues."
        )


class ExperimentInterrupted(UserError):
    """Is raised after Ctrl-C in one of several trainings. All results so far are on disk."""

    status = 130


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Catches SIGINT (Ctrl-C) and SIGTERM in the block, and yields a function that returns whether one was received.

    A second signal ends the program at once. Outside the main thread no signal can be caught, and the function returns
    False.
    """
    received: list[int] = []

    def record(number: int, frame: Any) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, record) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
