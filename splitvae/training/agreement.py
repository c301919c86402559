"""The check that the machines of a training have the same images, settings and checkpoint, before the first step."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import torch

from ..errors import UserError, setting
from ..utils.collectives import all_gather, barrier, count_processes

__all__ = ["Disagreement", "check_agreement"]

SHARING_SECONDS = 60  # within which a network file system shows a new file to all machines


class Disagreement(UserError):
    """Is raised by all processes together if their machines differ in what a training needs to have in common."""

    raised_by_all = True


def check_agreement(folder: Path, device: torch.device, **values: object) -> None:
    """Checks that all processes have equal values and see the folder of the run; all must call this.

    Arguments:
        folder: The folder, in which the first process has written config.json.
        device: The device of the training.
        values: What must be equal, each by a name for the message; `training_images="3f5a"`.

    Raises:
        Disagreement: If something differs.
    """
    if count_processes() == 1:
        return
    barrier(device)  # until the first process has written
    deadline = time.monotonic() + SHARING_SECONDS
    while not (sees := (folder / "config.json").exists()) and time.monotonic() < deadline:
        time.sleep(0.5)
    found = torch.tensor([int(sees), *map(_number, values.values())], device=device)
    everywhere = all_gather(found)
    if not bool(everywhere[:, 0].all()):
        raise Disagreement(
            f"{folder} is not the same folder on all machines: config.json, which the first process wrote, is missing on "
            f"another one. Give a folder with {setting('out')} that all machines share."
        )
    differing = [name for name, column in zip(values, everywhere[:, 1:].T, strict=True) if (column != column[0]).any()]
    if differing:
        raise Disagreement(
            f"the processes differ in {' and '.join(name.replace('_', ' ') for name in differing)}; give each machine the "
            f"same data, the same command, and a folder with {setting('out')} that all share."
        )


def _number(value: object) -> int:
    """Returns a number that is nearly always another one for another value."""
    return int.from_bytes(hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()[:7])
