"""Checkpoints: files that hold everything on which the next training step depends; reading them executes no code."""

from __future__ import annotations

import io
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError
from ..utils.files import atomic_write, code_beside_tensors
from ..utils.text import shorten_text

__all__ = ["GOOD", "STATE", "checkpoint_error", "mark_good", "read_checkpoint", "write_checkpoint"]

STATE = "state.ckpt"
GOOD = "good.ckpt"  # the last state without an alarm, of trainings that may collapse (training/alarms.py)


def write_checkpoint(file: Path, state: dict[str, Any]) -> None:
    """Writes a checkpoint; a file of this name is replaced only when the new one is complete."""
    buffer = io.BytesIO()  # and then a file by Python, whose error names a full disk as the reason
    torch.save(state, buffer)
    with atomic_write(file) as draft:
        draft.write_bytes(buffer.getbuffer())


def read_checkpoint(file: Path) -> dict[str, Any] | None:
    """Returns the state in a checkpoint; None if there is no file. Raises UserError if it is damaged or holds code."""
    if not file.exists():
        return None
    try:
        return dict(torch.load(file, weights_only=True, map_location="cpu"))
    except Exception as error:  # a damaged file may raise any of a dozen exceptions
        raise checkpoint_error(file, error) from None


def checkpoint_error(file: Path, error: Exception) -> UserError:
    """Returns the error for a checkpoint that cannot be read or does not fit the model."""
    if code := code_beside_tensors(error):
        return UserError(
            f"{file} holds {code} beside tensors, and was not read, since to read it would execute code: splitvae "
            "did not write it. Delete it to start this run anew, or restore your own."
        )
    reason = shorten_text(str(error), 120) if str(error) else type(error).__name__
    if isinstance(error, pickle.UnpicklingError):  # whose text advises to read the file without protection
        reason = "it does not begin as a checkpoint does"
    return UserError(f"{file} is damaged or of another model ({reason}); delete it to start this run anew.")


def mark_good(folder: Path) -> None:
    """Makes good.ckpt a hard link to state.ckpt in the same folder, or a copy where the file system has no links."""
    with atomic_write(folder / GOOD) as draft:
        try:
            os.link(folder / STATE, draft)
        except OSError:
            shutil.copyfile(folder / STATE, draft)
