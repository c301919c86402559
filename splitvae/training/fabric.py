"""Lightning Fabric, which runs a training on devices in several processes, and functions that depend on them."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from lightning_fabric.strategies import DDPStrategy
from torch import Tensor, nn

from ..config import Hardware
from ..errors import UserError, setting
from ..utils.collectives import all_reduce
from ..utils.machine import default_device, has_native_bf16
from ..utils.processes import Launcher, find_launcher
from ..utils.random_streams import isolated_randomness
from ..utils.text import shorten_text
from .devices import choose_devices
from .launcher import leave_group_at_exit, start_other_processes, watch_first_process

__all__ = ["average_gradients", "isolated_evaluation", "launch_fabric", "pixel_storage_device"]

TIMEOUT = timedelta(minutes=30)  # after which a process that waits for another one gives up


def launch_fabric(hardware: Hardware) -> Fabric:
    """Returns a launched Fabric, for which the other processes of this machine are started.

    Raises:
        UserError: If this machine lacks the accelerator or the devices, and for numbers that the launcher contradicts.
    """
    hardware, launcher = choose_devices(hardware), find_launcher()
    kind = default_device().type if hardware.accelerator in ("auto", "gpu") else hardware.accelerator
    bf16 = hardware.precision == "bf16" or (hardware.precision == "auto" and has_native_bf16(kind))
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning_fabric")  # advice to its own users, who cannot follow it here
    try:
        fabric = Fabric(
            accelerator=hardware.accelerator,
            devices=hardware.devices,
            num_nodes=hardware.nodes,
            # Two forward passes, of encoder and decoder, come before one backward pass; buffers must not be sent then.
            strategy="auto" if hardware.processes == 1 else DDPStrategy(broadcast_buffers=False, timeout=TIMEOUT),
            precision="bf16-mixed" if bf16 else "32-true",
            plugins=[_environment(launcher)],
        )
    except Exception as error:  # each backend of Fabric has its own exception
        raise UserError(
            f"{setting('accelerator', hardware.accelerator)} on {hardware.devices} of its devices: {error}"
        ) from None
    if launcher is None and hardware.processes > 1:
        start_other_processes(int(hardware.devices))
    elif launcher is not None and launcher.name == "splitvae" and launcher.rank:
        watch_first_process()
    leave_group_at_exit()
    try:
        fabric.launch()
    except RuntimeError as error:
        raise UserError(
            f"the {hardware.processes} processes did not meet ({shorten_text(str(error))}); look at the messages "
            "of the others, and at docs/many-machines.md for firewalls and the names of machines."
        ) from None
    return fabric


def _environment(launcher: Launcher | None) -> ClusterEnvironment:
    """Returns Fabric's description of the launcher, which would otherwise take the script of a SLURM job for a step."""
    if launcher is None or launcher.name == "splitvae":
        return LightningEnvironment()
    if launcher.name == "torchrun":
        return TorchElasticEnvironment()
    os.environ.setdefault("SLURM_NTASKS_PER_NODE", str(launcher.devices))  # is missing without the option of this name
    return SLURMEnvironment(auto_requeue=False)


def pixel_storage_device(pixels: Tensor, device: torch.device) -> torch.device:
    """Returns the device that stores the pixels: the given one if they fit into half of its free memory, else the CPU."""
    if device.type == "cuda" and 2 * pixels.nbytes > torch.cuda.mem_get_info(device)[0]:
        return torch.device("cpu")
    return device


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Averages the gradients of parameters over processes, in one all-reduce."""
    grads = [p.grad for p in parameters if p.grad is not None]
    if grads:
        mean = all_reduce(torch.cat([g.flatten() for g in grads]), "mean")
        for g, part in zip(grads, mean.split([g.numel() for g in grads]), strict=True):
            g.copy_(part.view(g.shape))


@contextmanager
def isolated_evaluation(fabric: Fabric, seed: int) -> Iterator[None]:
    """Runs the block without gradients, with autocast and with seeded random draws; then restores the random streams."""
    with isolated_randomness(fabric.device), torch.no_grad(), fabric.autocast():
        torch.manual_seed(seed)
        yield
