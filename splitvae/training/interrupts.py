"""TODO docstring of training.interrupts."""

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
    """Ctrl-C was pressed and the checkpoint is written."""

    status = 130

    def __init__(self, folder: Path, epoch: int, step: int, more: str = "") -> None:
        self.epoch, self.step = epoch, step
        super().__init__(
            f"stopped at epoch {epoch + 1}, step {step}, nothing lost; "
            f"`splitvae train --resume --out {folder}{more}` goes on."
        )


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Yields a function that says whether Ctrl-C (or SIGTERM) came; the step in progress ends first, a second one kills."""
    came: list[int] = []

    def note(number: int, frame: Any) -> None:
        if came:
            raise KeyboardInterrupt
        came.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
