"""The learning rate's schedules, by name."""

from __future__ import annotations

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, ReduceLROnPlateau, StepLR

from .presets import Config

__all__ = ["scheduler"]


def scheduler(optimizer: torch.optim.Optimizer, config: Config) -> LRScheduler | ReduceLROnPlateau:
    """The learning rate's schedule, stepped once an epoch."""
    if config.schedule == "plateau":
        return ReduceLROnPlateau(optimizer, factor=0.5, patience=config.schedule_epochs)
    if config.schedule == "cosine":
        return CosineAnnealingLR(optimizer, config.epochs)
    return StepLR(optimizer, config.schedule_epochs, gamma=0.5 if config.schedule == "step" else 1.0)
