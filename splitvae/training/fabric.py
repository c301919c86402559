"""What runs a step: device, precision, number of processes, and how memory is kept."""

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

from ..config import Config
from ..errors import UserError
from ..utils.machine import default_device, has_native_bf16

__all__ = ["Together", "alone", "aside", "average", "engine", "home", "over"]


Together = Callable[[Tensor, str], Tensor]  # the "mean" or "min" of a tensor over processes, which all must ask for


def engine(config: Config) -> Fabric:
    """A launched Fabric for a config; raises UserError where its accelerator is not here."""
    kind = default_device().type if config.accelerator == "auto" else config.accelerator
    bf16 = config.precision == "bf16" or (config.precision == "auto" and has_native_bf16(kind))
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning_fabric")
    try:
        fabric = Fabric(
            accelerator=config.accelerator,
            devices=config.devices,
            # Encoding and decoding are two forward passes before one backward: buffers must not be sent in between.
            strategy="auto" if config.devices == 1 else DDPStrategy(broadcast_buffers=False),
            precision="bf16-mixed" if bf16 else "32-true",
        )
    except Exception as error:  # Fabric has its own exception for each backend
        raise UserError(f"accelerator={config.accelerator!r} with {config.devices} devices: {error}") from None
    fabric.launch()
    return fabric


def home(pixels: Tensor, device: torch.device) -> torch.device:
    """Where uint8 images wait: on the device if half of its free memory holds them, else on the CPU."""
    if device.type == "cuda" and 2 * pixels.nbytes > torch.cuda.mem_get_info(device)[0]:
        return torch.device("cpu")
    return device


def over(fabric: Fabric) -> Together:
    """That of a fabric's processes."""

    def together(value: Tensor, reduce: str) -> Tensor:
        return cast(Tensor, fabric.all_reduce(value, reduce_op=reduce))

    return together


def alone(value: Tensor, reduce: str) -> Tensor:
    """A `Together` that asks no other process."""
    return value


def average(parameters: Iterable[nn.Parameter], together: Together) -> None:
    """Averages the gradients of parameters over processes, all at once."""
    grads = [p.grad for p in parameters if p.grad is not None]
    if grads:
        mean = together(torch.cat([g.flatten() for g in grads]), "mean")
        for g, part in zip(grads, mean.split([g.numel() for g in grads]), strict=True):
            g.copy_(part.view(g.shape))


@contextmanager
def aside(fabric: Fabric, seed: int) -> Iterator[None]:
    """Without gradients, in the engine's precision, drawing from a stream of its own that leaves the run's untouched."""
    device = fabric.device
    cuda = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), torch.no_grad(), fabric.autocast():
        before = torch.mps.get_rng_state() if device.type == "mps" else None
        torch.manual_seed(seed)
        try:
            yield
        finally:
            if before is not None:  # which fork_rng does not look after
                torch.mps.set_rng_state(before)
