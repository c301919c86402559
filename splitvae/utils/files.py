"""Atomic writing: after a crash a file holds either its old content or its new one, never a part of it."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import UserError

__all__ = ["atomic_write", "code_beside_tensors", "read_json", "to_json", "write_json", "write_json_lines", "write_text"]


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, and renames that file to `path` when the block ends without an error.

    Missing folders are created.

    Raises:
        UserError: If the file cannot be written. What `path` held before is unchanged.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror or error}. What was there before is unharmed."
        ) from None
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes a text file atomically, in UTF-8."""
    with atomic_write(path) as draft:
        draft.write_text(text, encoding="utf-8")


def to_json(value: Any, **options: Any) -> str:
    """Returns a value as JSON, with null in place of numbers that are not finite, which JSON has not.

    >>> to_json({"a": float("nan"), "b": [1.0]})
    '{"a": null, "b": [1.0]}'
    """
    try:
        return json.dumps(value, allow_nan=False, **options)
    except ValueError:
        return json.dumps(_without_non_finite(value), allow_nan=False, **options)


def _without_non_finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_non_finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_non_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: Path, value: Any) -> None:
    """Writes a value as indented JSON atomically."""
    write_text(path, to_json(value, indent=2) + "\n")


def write_json_lines(path: Path, rows: Iterable[Any]) -> None:
    """Writes values as JSON atomically, one in each line."""
    write_text(path, "".join(to_json(row) + "\n" for row in rows))


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Raises:
        UserError: If the file is missing or holds no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); restore it or train the run anew.") from None


def code_beside_tensors(error: Exception) -> str | None:
    """Returns what a file holds beside tensors, or None if it is damaged.

    Such a file is no damaged one, but to read it would execute code.

    Arguments:
        error: The error of `torch.load(file, weights_only=True)`.
    """
    found = re.search(r"GLOBAL (\S+)", str(error))
    return found[1] if found else None
