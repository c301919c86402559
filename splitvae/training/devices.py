"""The number of devices and machines of a training: as in the settings, and as torchrun or srun started it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection

import torch

from ..config import Hardware
from ..errors import UserError, setting
from ..utils.machine import find_device
from ..utils.processes import RANKS, Launcher, find_launcher, is_main_process
from ..utils.text import count_noun

__all__ = ["choose_devices"]


def choose_devices(hardware: Hardware, typed: Collection[str] = ()) -> Hardware:
    """Returns settings with the numbers of devices and machines that the training has.

    Under torchrun or srun, `devices="auto"`, and one device that was not typed, mean as many as were started.

    Arguments:
        hardware: The settings.
        typed: The flat names of the settings that the user gave.

    Raises:
        UserError: For numbers that this machine lacks, or that contradict those of the launcher.
    """
    launcher = find_launcher()
    if launcher is not None:
        hardware = _match_launcher(hardware, launcher, typed)
    elif hardware.nodes > 1:
        raise UserError(_how_to_launch(hardware))
    elif os.environ.get("WORLD_SIZE", "1") != "1" or not is_main_process():
        found = [f"{name}={os.environ[name]}" for name in ("WORLD_SIZE", *RANKS) if name in os.environ]
        raise UserError(
            f"the environment says that there are several processes ({', '.join(found)}), but neither torchrun nor "
            f"srun started this one; type `unset {' '.join(name.partition('=')[0] for name in found)}` to train on this "
            "machine alone, or start with torchrun."
        )
    present = _count_devices(hardware.accelerator)
    if hardware.devices == "auto":
        return dataclasses.replace(hardware, devices=present or 1)
    if present and present < int(hardware.devices):
        hint = ""
        if launcher is not None and launcher.name == "srun":
            hint = "; a task must see all devices of its machine: type --gpus-per-node, not --gpus-per-task"
        raise UserError(
            f"{setting('devices', hardware.devices)}, and this machine has {count_noun(present, 'device')} of that kind; "
            f"type {setting('devices', present)}, or {setting('accelerator', 'cpu')}{hint}."
        )
    return hardware


def _match_launcher(hardware: Hardware, launcher: Launcher, typed: Collection[str]) -> Hardware:
    """Returns settings with the launcher's numbers; raises UserError if the settings say others."""
    adopted = dataclasses.replace(hardware, devices=launcher.devices, nodes=launcher.nodes)
    is_open = (hardware.devices, hardware.nodes) == (1, 1) and not {"devices", "nodes"} & set(typed)
    has_auto = hardware.devices == "auto" and (hardware.nodes == launcher.nodes or "nodes" not in typed)
    if is_open or has_auto or hardware == adopted:
        return adopted
    options = {
        "torchrun": f"--nproc-per-node {hardware.devices} --nnodes {hardware.nodes}",
        "srun": f"--ntasks-per-node={hardware.devices} --nodes={hardware.nodes}",
    }
    other = f", or {launcher.name} {options[launcher.name]}" if launcher.name in options else ""
    raise UserError(
        f"{launcher}, and the settings say {setting('devices', hardware.devices)} and {setting('nodes', hardware.nodes)}; "
        f"type {setting('devices', launcher.devices)} and {setting('nodes', launcher.nodes)}{other}."
    )


def _how_to_launch(hardware: Hardware) -> str:
    """Returns the message for several machines without a launcher."""
    return (
        f"{setting('nodes', hardware.nodes)} needs a launcher that starts splitvae on each machine. Type there "
        f"`torchrun --nnodes {hardware.nodes} --nproc-per-node {hardware.devices} --node-rank 0 --master-addr HOST "
        "--master-port 29500 -m splitvae train ...` with the name of the first machine as HOST and another --node-rank on "
        "each, or `srun splitvae train ...` in a SLURM job; docs/many-machines.md has both."
    )


def _count_devices(accelerator: str) -> int:
    """Returns the number of devices of a kind on this machine; 0 for kinds of which any number can be taken."""
    kind = find_device(accelerator).type
    return torch.cuda.device_count() if kind == "cuda" else int(kind == "mps")
