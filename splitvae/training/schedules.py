"""Schedules of the learning rate, and its rise in the first steps.

Adam's first steps are as long as the learning rate, whatever the size of the gradient. On images that are mostly black they
may drive all logits of a decoder so far down that the sigmoid has no gradient left, in twenty steps of 1e-3; the decoder
then generates black images for thousands of steps. A learning rate that rises from 0 prevents that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, ReduceLROnPlateau, StepLR

from ..config import Training

__all__ = ["build_learning_rate_schedule", "scale_learning_rate", "warmed_up"]

WARMUP_STEPS = 100  # in which the learning rate rises
Schedulers = Iterable[LRScheduler | ReduceLROnPlateau]


def build_learning_rate_schedule(optimizer: torch.optim.Optimizer, training: Training) -> LRScheduler | ReduceLROnPlateau:
    """Returns the schedule of an optimizer's learning rate, of which each epoch makes one step.

    The plateau rule is Keras's, as in the code of regularized autoencoders: an epoch counts as better if its loss is lower
    than the best one by more than 0.0001, and the rate is halved at the end of the n-th epoch in a row that is not better.
    """
    if training.schedule == "plateau":
        patience = training.schedule_epochs - 1  # PyTorch halves the rate one epoch later than Keras
        return ReduceLROnPlateau(optimizer, factor=0.5, patience=patience, threshold=1e-4, threshold_mode="abs")
    if training.schedule == "cosine":
        return CosineAnnealingLR(optimizer, training.epochs)
    return StepLR(optimizer, training.schedule_epochs, gamma=0.5 if training.schedule == "step" else 1.0)


def scale_learning_rate(optimizers: Mapping[str, Any], schedulers: Schedulers, factor: float) -> None:
    """Multiplies the present learning rates and their schedules by a factor.

    Arguments:
        optimizers: The optimizers by name, which are changed.
        schedulers: The schedules, which are changed.
        factor: The factor.
    """
    for group in (group for o in optimizers.values() for group in o.param_groups):
        group |= {name: group[name] * factor for name in ("lr", "initial_lr") if name in group}
    for s in schedulers:
        if not isinstance(s, ReduceLROnPlateau):  # this one has no base learning rates
            s.base_lrs = [lr * factor for lr in s.base_lrs]


@contextmanager
def warmed_up(optimizer: Any, step: int) -> Iterator[None]:
    """Multiplies the learning rate of an optimizer by min(1, (step + 1) / WARMUP_STEPS) for the block.

    Arguments:
        optimizer: The optimizer.
        step: The training step, counted from 0.
    """
    if step + 1 >= WARMUP_STEPS:
        yield
        return
    rates = [group["lr"] for group in optimizer.param_groups]
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate * (step + 1) / WARMUP_STEPS
    try:
        yield
    finally:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
