"""Output on the console: lines that are printed once for all processes, and the type of progress callbacks."""

from __future__ import annotations

from collections.abc import Callable

from .processes import is_main_process

__all__ = ["Progress", "print_once"]

Progress = Callable[[int, int], None]  # is called with (epochs done, all epochs) after each epoch of a fit


def print_once(progress: bool, text: str) -> None:
    """Prints a line, but only in the main process of several.

    Arguments:
        progress: Whether to print at all.
        text: The line.
    """
    if progress and is_main_process():
        print(text, flush=True)
