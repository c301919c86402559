"""Lightning Fabric, which runs a training on devices in several processes, and functions that depend on them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from torch import Tensor, nn

from ..config import Hardware
from ..errors import UserError
from ..utils.machine import default_device, has_native_bf16

__all__ = [
    "AllGather",
    "AllReduce",
    "all_gather_of",
    "all_reduce_of",
    "average_gradients",
    "isolated_evaluation",
    "launch_fabric",
    "pixel_storage_device",
]

AllGather = Callable[[Tensor], Tensor]  # returns the tensors of all processes in a new first dimension; one's own if alone
AllReduce = Callable[[Tensor, str], Tensor]  # returns the "mean" or "min" of a tensor over processes; all must call it


def launch_fabric(hardware: Hardware) -> Fabric:
    """Returns a launched Fabric; raises UserError if this machine lacks the accelerator or has fewer devices."""
    kind = default_device().type if hardware.accelerator == "auto" else hardware.accelerator
    bf16 = hardware.precision == "bf16" or (hardware.precision == "auto" and has_native_bf16(kind))
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning_fabric")
    try:
        fabric = Fabric(
            accelerator=hardware.accelerator,
            devices=hardware.devices,
            # Two forward passes, of encoder and decoder, come before one backward pass; buffers must not be sent between.
            strategy="auto" if hardware.devices == 1 else DDPStrategy(broadcast_buffers=False),
            precision="bf16-mixed" if bf16 else "32-true",
        )
    except Exception as error:  # each backend of Fabric has its own exception
        raise UserError(f"accelerator={hardware.accelerator!r} with {hardware.devices} devices: {error}") from None
    fabric.launch()
    return fabric


def pixel_storage_device(pixels: Tensor, device: torch.device) -> torch.device:
    """Returns the device that stores the pixels: the given one if they fit into half of its free memory, else the CPU."""
    if device.type == "cuda" and 2 * pixels.nbytes > torch.cuda.mem_get_info(device)[0]:
        return torch.device("cpu")
    return device


def all_reduce_of(fabric: Fabric) -> AllReduce:
    """Returns the all-reduce over the processes of a Fabric."""

    def all_reduce(value: Tensor, reduce: str) -> Tensor:
        return cast(Tensor, fabric.all_reduce(value, reduce_op=reduce))

    return all_reduce


def all_gather_of(fabric: Fabric) -> AllGather:
    """Returns the all-gather over the processes of a Fabric."""

    def all_gather(value: Tensor) -> Tensor:
        return cast(Tensor, fabric.all_gather(value)) if fabric.world_size > 1 else value

    return all_gather


def average_gradients(parameters: Iterable[nn.Parameter], all_reduce: AllReduce) -> None:
    """Averages the gradients of parameters over processes, in one all-reduce."""
    grads = [p.grad for p in parameters if p.grad is not None]
    if grads:
        mean = all_reduce(torch.cat([g.flatten() for g in grads]), "mean")
        for g, part in zip(grads, mean.split([g.numel() for g in grads]), strict=True):
            g.copy_(part.view(g.shape))


@contextmanager
def isolated_evaluation(fabric: Fabric, seed: int) -> Iterator[None]:
    """Runs the block without gradients, with autocast and with seeded random draws; then restores the random streams."""
    device = fabric.device
    cuda = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), torch.no_grad(), fabric.autocast():
        before = torch.mps.get_rng_state() if device.type == "mps" else None
        torch.manual_seed(seed)
        try:
            yield
        finally:
            if before is not None:  # fork_rng does not restore this stream
                torch.mps.set_rng_state(before)
