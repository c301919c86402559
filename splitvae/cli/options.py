"""TODO docstring of cli.options."""

from collections.abc import Sequence
from typing import Any

import tyro

__all__ = ["tell"]


def option(arguments: Sequence[str], name: str) -> str | None:
    """The value of an option before the others are parsed."""
    for i, word in enumerate(arguments):
        if word == name and i + 1 < len(arguments):
            return arguments[i + 1]
        if word.startswith(name + "="):
            return word[len(name) + 1 :]
    return None


def parse(kind: Any, arguments: Sequence[str], prog: str, about: str | None, **default: Any) -> Any:
    return tyro.cli(kind, args=list(arguments), prog=prog, description=about, **default)


def tell(images: Any) -> None:
    """Prints what is worth knowing of images that were read, such as files that were skipped."""
    for note in images.notes:
        print(f"Note: {note}")
