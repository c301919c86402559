"""Versions of splitvae in files: what to say of a file that a newer version wrote."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

from packaging.version import InvalidVersion, Version

__all__ = ["describe_newer", "is_newer", "note_newer", "own_version"]


def own_version() -> str:
    """Returns the version of splitvae that runs."""
    return version("splitvae")


def is_newer(written: object) -> bool:
    """Returns whether a version that a file names is newer than the one that runs."""
    try:
        return Version(str(written)) > Version(own_version())
    except InvalidVersion:
        return False


@cache
def note_newer(written: object, file: Path) -> None:
    """Prints a note to the error output, once, on a file that can be read although a newer version wrote it.

    Arguments:
        written: The version that the file names.
        file: The file.
    """
    if is_newer(written):
        print(
            f"Note: {file} was written by splitvae {written}, which is newer than this one, {own_version()}, and may mean "
            "something else by it: install a newer splitvae if results differ.",
            file=sys.stderr,
        )


def describe_newer(written: object) -> str:
    """Returns the end of a message on a file that cannot be read, if a newer version wrote it; "" otherwise.

    Arguments:
        written: The version that the file names.
    """
    if not is_newer(written):
        return ""
    return (
        f" It was written by splitvae {written}, which is newer than this one, {own_version()}: install a newer splitvae."
    )
