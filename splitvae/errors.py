"""The one exception that is meant for the person at the keyboard, and the words of its messages.

A message says what to type. That is `batch_size=26` in Python and `--batch-size 26` in a shell, so every message, also a
note that is printed, writes settings by `setting`. A whole command, such as `splitvae report RUN`, is the same for both.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["UserError", "is_in_shell", "messages_for_shell", "nearest", "setting"]

_reader = {"is_in_shell": False}  # of the messages of this process


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
    close = [name for name in known if name.lower() == word.lower()]
    close = close or difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(repr(name) for name in close) + "?"
    return "known are: " + ", ".join(known) + "."


def is_in_shell() -> bool:
    """Returns whether messages are read in a shell, and otherwise in Python."""
    return _reader["is_in_shell"]


@contextmanager
def messages_for_shell(is_in_shell: bool = True) -> Iterator[None]:
    """Lets `setting` write options of the command line for the block, or for a page that is read elsewhere, Python."""
    before = _reader["is_in_shell"]
    _reader["is_in_shell"] = is_in_shell
    try:
        yield
    finally:
        _reader["is_in_shell"] = before


def setting(name: str, *value: Any) -> str:
    """Returns a setting or an argument as the reader of a message types it: in Python, or on the command line.

    Arguments:
        name: The flat name.
        value: The value, if there is one to type; True and False switch an option on and off.

    >>> setting("batch_size", 26), setting("resume", True), setting("lr")
    ('batch_size=26', 'resume=True', '`lr`')
    >>> with messages_for_shell():
    ...     setting("batch_size", 26), setting("resume", True), setting("lr")
    ('--batch-size 26', '--resume', '--lr')
    """
    flag = name.replace("_", "-")
    if not _reader["is_in_shell"]:
        return f"{name}={value[0]!r}" if value else f"`{name}`"
    if not value or value[0] is True:
        return f"--{flag}"
    if value[0] is False:
        return f"--no-{flag}"
    words = value[0] if isinstance(value[0], tuple | list) else value
    return " ".join([f"--{flag}", *map(str, words)])
