"""Checkpoints: everything that the next step depends on, in one file that is read without executing anything."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError
from ..utils.files import atomic_write

__all__ = ["GOOD", "STATE", "load", "mark_good", "save"]

STATE = "state.ckpt"
GOOD = "good.ckpt"  # the last state that raised no alarm, of trainings that may die (training/alarms.py)


def save(file: Path, state: dict[str, Any]) -> None:
    """Writes a checkpoint in one piece."""
    buffer = io.BytesIO()  # written by Python, whose error on a full disk says so
    torch.save(state, buffer)
    with atomic_write(file) as draft:
        draft.write_bytes(buffer.getbuffer())


def load(file: Path) -> dict[str, Any] | None:
    """Returns a checkpoint's state; None where there is no file."""
    if not file.exists():
        return None
    try:
        return dict(torch.load(file, weights_only=True, map_location="cpu"))
    except Exception as error:  # damage shows as any of a dozen exceptions
        raise damaged(file, error) from None


def damaged(file: Path, error: Exception) -> UserError:
    """Returns the error for a checkpoint that cannot be read or does not fit the model."""
    why = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
    return UserError(f"{file} is damaged or of another model ({why}); delete it to start this run anew.")


def mark_good(folder: Path) -> None:
    """Makes the present checkpoint in a folder the good one, in one piece and without a copy where the file system can."""
    with atomic_write(folder / GOOD) as draft:
        try:
            os.link(folder / STATE, draft)
        except OSError:
            shutil.copyfile(folder / STATE, draft)
