"""Versions of splitvae in files: what to say of a file that a newer version wrote."""

from __future__ import annotations

from importlib.metadata import version

from packaging.version import InvalidVersion, Version

__all__ = ["describe_newer", "own_version"]


def own_version() -> str:
    """Returns the version of splitvae that runs."""
    return version("splitvae")


def describe_newer(written: object) -> str:
    """Returns the end of a message on a file that cannot be read, if a newer version wrote it; "" otherwise.

    Arguments:
        written: The version that the file names.
    """
    try:
        if Version(str(written)) <= Version(own_version()):
            return ""
    except InvalidVersion:
        return ""
    return (
        f" It was written by splitvae {written}, which is newer than this one, {own_version()}: install a newer splitvae."
    )
