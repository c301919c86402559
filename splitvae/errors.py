"""The one exception that is meant for the person at the keyboard."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["UserError", "nearest"]


class UserError(Exception):
    """A mistake its maker can mend: the message says what was wrong, why, and what to type instead.

    The command line prints the message alone, without a traceback, and exits with `status`.
    """

    status = 2
    raised_by_all = False  # whether all processes of a training raise it together, so that the first one prints it


def nearest(word: str, known: Iterable[str]) -> str:
    """The known names closest to `word`, as the end of an error message.

    >>> nearest("mnst-svae", ["mnist-svae", "cifar10-svae"])
    "did you mean 'mnist-svae'?"
    """
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(repr(name) for name in close) + "?"
    return "known are: " + ", ".join(known) + "."
