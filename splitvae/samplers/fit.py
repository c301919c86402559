"""How densities of codes are trained: minimising nats a code by Adam, on the accelerator where there is one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import StepLR

from ..errors import UserError
from ..models.codes import Codes
from ..utils.console import Progress
from ..utils.machine import default_device

__all__ = ["descend", "seeded", "settings_checked"]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draws on the CPU, as those of initial weights, follow from `seed` and leave the global stream untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def descend(
    network: nn.Module,
    codes: Codes,
    what: str,
    *,
    epochs: int,
    lr: float,
    batch: int,
    halve_every: float = 0.375,
    draws: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
) -> float:
    """Trains `network(z, generator)` -> (B,), nats a code; returns the last epoch's mean and leaves it on the CPU.

    Arguments:
        halve_every: the learning rate is halved each time this share of the epochs is over.
        draws: z ~ q(z|x), anew each epoch; means where False, or where codes have no noise.

    Raises UserError where the loss is not finite. A step reads nothing back from the device.
    """
    device = default_device()
    network.to(device).train()
    generator = torch.Generator(device).manual_seed(seed)
    mean = codes.mean.to(device, torch.float32)
    noise = torch.exp(0.5 * codes.logvar).to(device, torch.float32) if draws and codes.logvar is not None else None
    fused = device.type in ("cpu", "cuda", "mps")
    optimizer = torch.optim.Adam(network.parameters(), lr=lr, fused=fused)
    schedule = StepLR(optimizer, max(1, round(halve_every * epochs)), gamma=0.5)
    size = min(batch, len(mean))
    steps, last = len(mean) // size, math.nan
    for epoch in range(epochs):
        z = mean
        if noise is not None:
            z = torch.addcmul(mean, noise, torch.randn(mean.shape, generator=generator, device=device))
        order = torch.randperm(len(z), generator=generator, device=device)[: steps * size]
        total = torch.zeros((), device=device)
        for rows in z[order].split(size):
            loss: Tensor = network(rows, generator).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach()
        schedule.step()
        last = float(total) / steps
        if not math.isfinite(last):
            raise UserError(f"the loss of {what} is not finite in epoch {epoch + 1}; give a learning rate below {lr:g}.")
        if progress is not None:
            progress(epoch + 1, epochs)
    network.to("cpu").eval()
    return last


def settings_checked(what: str, **settings: float) -> None:
    """Raises UserError for a setting that is not positive."""
    for name, value in settings.items():
        if not (value > 0 and math.isfinite(value)):
            raise UserError(f"{name}={value} makes no {what}; it must be a positive number.")
