"""The fit of densities by Adam, on the accelerator if there is one; no step reads a value back from the device."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import StepLR

from ..errors import UserError, setting
from ..models.codes import Codes
from ..utils.console import Progress
from ..utils.machine import default_device, has_fused_adam

__all__ = ["MIN_CODES", "DensityTraining", "check_positive", "train_density"]

MIN_CODES = 100  # for a density that is trained


class DensityTraining(NamedTuple):
    """How a density is trained by Adam.

    Arguments:
        epochs: The number of passes over the codes.
        lr: The learning rate.
        batch: The number of codes in a step.
        halve_every: The share of the epochs after which the learning rate is halved, each time.
        draws: Whether z is drawn from its posterior anew in each epoch, if codes have noise; if not, z is the mean.
        seed: The seed of draws and of the order of codes.
    """

    epochs: int
    lr: float
    batch: int
    halve_every: float = 0.375
    draws: bool = True
    seed: int = 0


def train_density(
    network: nn.Module, codes: Codes, what: str, training: DensityTraining, progress: Progress | None = None
) -> float:
    """Trains a density by maximum likelihood and moves it to the CPU.

    Arguments:
        network: The density, trained in place: `network(z, generator)` maps codes (B, D) to losses (B,), in nats.
        codes: The codes.
        what: The density, as messages name it.
        training: How the density is trained.
        progress: A function that is called with (epoch, epochs) after each epoch.

    Returns:
        The mean loss of the last epoch, in nats per code.

    Raises:
        UserError: If the loss is not finite.
    """
    epochs, lr, batch, halve_every, draws, seed = training
    device = default_device()
    network.to(device).train()
    generator = torch.Generator(device).manual_seed(seed)
    mean = codes.mean.to(device, torch.float32)
    std = torch.exp(0.5 * codes.logvar).to(device, torch.float32) if draws and codes.logvar is not None else None
    optimizer = torch.optim.Adam(network.parameters(), lr=lr, fused=has_fused_adam(device))
    schedule = StepLR(optimizer, max(1, round(halve_every * epochs)), gamma=0.5)
    size = min(batch, len(mean))
    steps, last = len(mean) // size, math.nan
    for epoch in range(epochs):
        z = mean
        if std is not None:
            z = torch.addcmul(mean, std, torch.randn(mean.shape, generator=generator, device=device))
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
            raise UserError(f"the loss of {what} is not finite in epoch {epoch + 1}; choose a learning rate below {lr:g}.")
        if progress is not None:
            progress(epoch + 1, epochs)
    network.to("cpu").eval()
    return last


def check_positive(what: str, **settings: float) -> None:
    """Raises UserError for a setting that is not a positive number.

    Arguments:
        what: The density, as the message names it.
        settings: The settings, by their names without `sampler_`.
    """
    for name, value in settings.items():
        if not (value > 0 and math.isfinite(value)):
            raise UserError(f"{setting(f'sampler_{name}', value)} of a {what} must be a positive number.")
