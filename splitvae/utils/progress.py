"""A progress bar on a terminal; where there is none, such as in a log file, a line for each tenth of a long job."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self, TypeVar

from tqdm import tqdm

from .console import Progress
from .text import count_noun, format_duration

__all__ = ["ProgressBar", "join_parts", "show_fit"]

T = TypeVar("T")

SECONDS_WITHOUT_LINES = 30.0  # of a job, before its first line in a log
BAR_FORMAT = "{desc} {percentage:3.0f}%|{bar:6}| {remaining} left{postfix}"


class ProgressBar:
    """Shows how far a job is, on the error output.

    Arguments:
        title: What is done.
        total: The number of all units.
        unit: The noun of a unit, such as "step".
        done: The number of units that were done before.
        delay: The seconds before a bar appears.
        active: Whether anything is shown.
    """

    def __init__(self, title: str, total: int, unit: str, done: int = 0, delay: float = 0.0, active: bool = True) -> None:
        self.title, self.total, self.unit, self.n, self.active = title, total, unit, done, active
        self.begun, self.done_before, self.tenths, self.parts = time.monotonic(), done, 10 * done // max(1, total), ""
        self.bar: Any = None
        if active and sys.stderr.isatty():
            self.bar = tqdm(
                desc=title,
                total=total,
                initial=done,
                unit=unit,
                leave=False,
                dynamic_ncols=True,
                delay=delay,
                bar_format=BAR_FORMAT,
            )

    def update(self, done: int, parts: Sequence[str] = ()) -> None:
        """Shows how many units are done.

        Arguments:
            done: The number of units that are done.
            parts: What else is shown, the most important part first; parts for which a line has no room are left out.
        """
        before, self.n = self.n, done
        if self.bar is not None:
            room = shutil.get_terminal_size().columns - len(self.title) - 28  # percentage, bar and time
            self.bar.set_postfix_str(join_parts(parts, room), refresh=False)
            self.bar.update(done - before)
        elif self.active:
            self._write_line(parts)

    def _write_line(self, parts: Sequence[str]) -> None:
        """Writes a line, if another tenth of a long job is done."""
        seconds, tenths = time.monotonic() - self.begun, 10 * self.n // max(1, self.total)
        if seconds < SECONDS_WITHOUT_LINES or not self.tenths < tenths < 10:
            return
        self.tenths = tenths
        left = seconds / max(1, self.n - self.done_before) * (self.total - self.n)
        facts = [f"{10 * tenths} % of {count_noun(self.total, self.unit)}", f"{format_duration(left)} left", *parts]
        print(f"{self.title}: {', '.join(facts)}", file=sys.stderr, flush=True)

    def over(self, items: Iterable[T]) -> Iterator[T]:
        """Yields items, and counts them."""
        with self:
            for item in items:
                yield item
                self.update(self.n + 1)

    def rename(self, title: str) -> None:
        """Changes what is done."""
        self.title = title
        if self.bar is not None:
            self.bar.set_description_str(title, refresh=False)

    def print(self, text: str) -> None:
        """Prints a line of text, above the bar where there is one."""
        if self.bar is not None:
            self.bar.write(text)
        elif self.active:
            print(text, flush=True)

    def close(self) -> None:
        """Removes the bar."""
        if self.bar is not None:
            self.bar.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def show_fit(name: str) -> Progress:
    """Returns a function that shows the progress of a fit by epochs.

    Arguments:
        name: What is fitted.
    """
    bar: ProgressBar | None = None

    def progress(epoch: int, epochs: int) -> None:
        nonlocal bar
        bar = bar or ProgressBar(f"fitting {name}", epochs, "epoch")
        bar.update(epoch)
        if epoch == epochs:
            bar.close()

    return progress


def join_parts(parts: Sequence[str], room: int) -> str:
    """Joins parts of text by commas, but only the first ones that fit in a number of characters.

    >>> join_parts(["627 images/s", "rec 204.8"], 20)
    '627 images/s'
    """
    text = ""
    for part in parts:
        longer = f"{text}, {part}" if text else part
        if len(longer) + 2 > room:
            break
        text = longer
    return text
