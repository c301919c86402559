"""A rehearsal: the first steps of a training, timed, for `splitvae train --dry-run`; no file is written."""

from __future__ import annotations

import dataclasses
import statistics
import time
from typing import Any, NamedTuple

import torch

from ..config import Config
from ..presets.build import build_vae
from ..utils.memory import peak_memory
from .setup import prepare_images
from .trainer import Trainer

__all__ = ["Rehearsal", "rehearse", "time_steps"]

TIMED_STEPS = 6  # after two that are not counted
MAX_SECONDS = 60.0  # of steps after the first, which may compile; after them no further step is begun


class Rehearsal(NamedTuple):
    """What a training would be.

    Arguments:
        config: The settings, completed from the images.
        parameters: The numbers of parameters of the model, as `VAE.counts` returns them.
        images: The number of training images, without those that are held out.
        held_out: The number of images that are held out for validation.
        steps_per_epoch: The number of steps of an epoch.
        seconds_per_step: The median time of a step.
        seconds_per_epoch: The time of an epoch, with the statistics of BatchNorm and the validation at its end.
        peak_bytes: The largest memory in use so far, of the GPU if that trains, and else of this process.
    """

    config: Config
    parameters: dict[str, int]
    images: int
    held_out: int
    steps_per_epoch: int
    seconds_per_step: float
    seconds_per_epoch: float
    peak_bytes: int

    @property
    def seconds(self) -> float:
        """The time of all epochs."""
        return self.seconds_per_epoch * self.config.training.epochs


def rehearse(config: Config, **options: Any) -> Rehearsal:
    """Prepares a training, makes a few steps on one device, and returns what all of it would be.

    Arguments:
        config: The settings.
        options: The settings by flat name that the user gave, which are not replaced by what suits the images.

    Raises:
        UserError: For settings or images that cannot be used.
    """
    images, config = prepare_images(None, config.override(**options), frozenset(options), progress=True)
    torch.manual_seed(config.training.seed)
    vae, processes = build_vae(config), config.hardware.processes
    counts = vae.counts()
    alone = dataclasses.replace(config, hardware=dataclasses.replace(config.hardware, devices=1, nodes=1))
    trainer = Trainer(vae, config.objective, images, alone)
    seconds = time_steps(trainer)
    begun = time.perf_counter()
    trainer.recompute_batchnorm()
    trainer.validate()
    closing = time.perf_counter() - begun
    steps = trainer.images.batches_per_epoch(processes)
    held_out = trainer.images.held_out_count
    return Rehearsal(
        *(config, counts, len(trainer.images), held_out, steps),
        *(seconds, seconds * steps + closing, peak_memory(trainer.fabric.device)),
    )


def time_steps(trainer: Trainer, count: int = TIMED_STEPS) -> float:
    """Makes a few training steps and returns the median of their seconds.

    Arguments:
        trainer: The trainer, which is changed by the steps.
        count: The number of steps that are timed, after two that are not; fewer if the images or the time end.
    """
    seconds: list[float] = []
    for x, groups in trainer.batches():
        start = time.perf_counter()
        trainer.train_step(x, groups)
        if torch.accelerator.is_available():
            torch.accelerator.synchronize()
        seconds.append(time.perf_counter() - start)
        if len(seconds) == count + 2 or sum(seconds[1:]) > MAX_SECONDS:
            break
    trainer.turns.end()
    return statistics.median(seconds[2:] or seconds[1:] or seconds)
