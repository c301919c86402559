"""TODO docstring of utils.console."""

from __future__ import annotations

from collections.abc import Callable

from .machine import is_main_process

__all__ = ["Progress", "print_once"]


def print_once(progress: bool, text: str) -> None:
    """Prints a line, once however many processes there are."""
    if progress and is_main_process():
        print(text, flush=True)


Progress = Callable[[int, int], None]  # told (epoch, epochs) after each epoch of a fit that has some
