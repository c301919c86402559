"""The processes of one training: who started them, and which of them this one is, from variables of the environment.

| started by            | on each machine                   | variables                                        |
| --------------------- | --------------------------------- | ------------------------------------------------ |
| splitvae, `--devices` | the first process and its copies  | `SPLITVAE_DEVICES`, `LOCAL_RANK`                 |
| torchrun              | as many as `--nproc-per-node`     | `TORCHELASTIC_RUN_ID`, `RANK`, `WORLD_SIZE`, ... |
| srun, in a SLURM job  | as many as `--ntasks-per-node`    | `SLURM_STEP_ID`, `SLURM_PROCID`, ...             |

This file does not import torch, so that commands answer at once.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from typing import NamedTuple

from ..errors import UserError
from .text import count_noun

__all__ = ["RANKS", "STARTED_DEVICES", "Launcher", "find_launcher", "is_main_process", "print_error"]

STARTED_DEVICES = "SPLITVAE_DEVICES"  # the number of processes on this machine, set in each by the first one
PATIENCE_SECONDS = 5.0  # in which the process that prints a message reaches it
RANKS = (
    "RANK",
    "LOCAL_RANK",
    "NODE_RANK",
    "GROUP_RANK",
    "SLURM_PROCID",
)  # are 0 or missing in the first process of several


class Launcher(NamedTuple):
    """Who started the processes, and the place of this one among them.

    Arguments:
        name: "torchrun", "srun" or "splitvae".
        rank: The number of this process among all.
        local_rank: The number of this process among those of its machine.
        devices: The number of processes on each machine.
        nodes: The number of machines.
    """

    name: str
    rank: int
    local_rank: int
    devices: int
    nodes: int

    def __str__(self) -> str:
        return f"{self.name} started {count_noun(self.devices, 'process')} on {count_noun(self.nodes, 'machine')}" + (
            " each" if self.nodes > 1 else ""
        )


def find_launcher() -> Launcher | None:
    """Returns who started this process as one of several; None if it was started alone.

    Raises:
        UserError: For machines with different numbers of processes, and variables that are no numbers.
    """
    names = os.environ
    if "TORCHELASTIC_RUN_ID" in names:
        rank, local_rank, processes, devices = _numbers("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
        if processes % devices:
            raise UserError(
                f"torchrun started {devices} of {processes} processes on this machine; type the same --nproc-per-node on "
                "each."
            )
        return Launcher("torchrun", rank, local_rank, devices, processes // devices)
    if STARTED_DEVICES in names:
        rank, devices = _numbers("LOCAL_RANK", STARTED_DEVICES)
        return Launcher("splitvae", rank, rank, devices, 1)
    if _is_slurm_step() and (processes := _numbers("SLURM_NTASKS")[0]) > 1:
        rank, local_rank = _numbers("SLURM_PROCID", "SLURM_LOCALID")
        text = names.get("SLURM_STEP_TASKS_PER_NODE") or names.get("SLURM_TASKS_PER_NODE") or ""  # "2(x4)", or "3,1"
        found = re.fullmatch(r"(\d+)(\(x\d+\))?", text)
        devices = int(found[1]) if found else int(names.get("SLURM_NTASKS_PER_NODE", "0"))
        if not devices or processes % devices:
            raise UserError(
                f"srun started {processes} processes, {text or 'unknown numbers'} on the machines; type "
                "--ntasks-per-node, which is the same on all."
            )
        return Launcher("srun", rank, local_rank, devices, processes // devices)
    return None


def is_main_process() -> bool:
    """Returns whether this is the one process of several (rank zero) that writes files and prints."""
    return all(os.environ.get(name, "0") == "0" for name in RANKS)


def print_error(text: str, raised_by_all: bool = False) -> None:
    """Prints a message for the person at the keyboard, once for each machine, or once for all.

    A process that does not print waits a little, since torchrun ends the others, silently, when the first of them ends.

    Arguments:
        text: The message.
        raised_by_all: Whether all processes have this message, so that the first one of all prints it.
    """
    if is_main_process():
        print(f"splitvae: {text}", file=sys.stderr)
    elif not raised_by_all and os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID")) == "0":
        print(f"splitvae on {socket.gethostname()}: {text}", file=sys.stderr)
    elif STARTED_DEVICES not in os.environ:
        time.sleep(PATIENCE_SECONDS)


def _is_slurm_step() -> bool:
    """Returns whether srun started this process, and not the script of a job or a shell in it."""
    return "SLURM_STEP_ID" in os.environ and os.environ.get("SLURM_JOB_NAME") not in ("bash", "interactive")


def _numbers(*names: str) -> list[int]:
    """Returns the numbers in variables of the environment."""
    try:
        return [int(os.environ[name]) for name in names]
    except (KeyError, ValueError):
        missing = next(name for name in names if not os.environ.get(name, "").isdigit())
        raise UserError(
            f"the variable {missing} of the environment is missing or no number; start with torchrun or srun."
        ) from None
