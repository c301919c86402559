"""Ctrl-C during a training: the step in progress ends, and a checkpoint is written."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import UserError

__all__ = ["Interrupted", "interruptible"]


class Interrupted(UserError):
    """Ctrl-C was pressed, and the checkpoint is written.

    Arguments:
        folder: The folder of the run.
        epoch: The number of finished epochs.
        step: The number of finished steps.
        more: More options of the command that goes on.
    """

    status = 130

    def __init__(self, folder: Path, epoch: int, step: int, more: str = "") -> None:
        self.epoch, self.step = epoch, step
        super().__init__(
            f"stopped at epoch {epoch + 1}, step {step}, nothing lost; "
            f"`splitvae train --resume --out {folder}{more}` goes on."
        )


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Yields a function that returns whether Ctrl-C was pressed (or SIGTERM came); a second Ctrl-C ends the program."""
    signals: list[int] = []

    def record(number: int, frame: Any) -> None:
        if signals:
            raise KeyboardInterrupt
        signals.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, record) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(signals)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
