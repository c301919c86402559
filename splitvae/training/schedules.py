"""The learning rate's schedules, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, ReduceLROnPlateau, StepLR

from ..config import Config

__all__ = ["scale_rate", "scheduler"]


Schedulers = Iterable[LRScheduler | ReduceLROnPlateau]


def scheduler(optimizer: torch.optim.Optimizer, config: Config) -> LRScheduler | ReduceLROnPlateau:
    """The learning rate's schedule, stepped once an epoch."""
    if config.schedule == "plateau":
        return ReduceLROnPlateau(optimizer, factor=0.5, patience=config.schedule_epochs)
    if config.schedule == "cosine":
        return CosineAnnealingLR(optimizer, config.epochs)
    return StepLR(optimizer, config.schedule_epochs, gamma=0.5 if config.schedule == "step" else 1.0)


def scale_rate(optimizers: Mapping[str, Any], schedulers: Schedulers, factor: float) -> None:
    """Multiplies the learning rate wherever its schedule stands, and all of the schedule."""
    for group in (group for o in optimizers.values() for group in o.param_groups):
        group |= {name: group[name] * factor for name in ("lr", "initial_lr") if name in group}
    for s in schedulers:
        if not isinstance(s, ReduceLROnPlateau):  # which has no base to follow
            s.base_lrs = [lr * factor for lr in s.base_lrs]
