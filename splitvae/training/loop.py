"""The one training loop, on lightning-fabric.

A step reads no value back from the device: terms are summed there and looked at once in `LOOK` steps. Everything a step
depends on is in `state.ckpt` (parameters, optimizers, balance, averages, random streams, place in the epoch), and the
order of an epoch follows from the seed and its number, so that a resumed run is the uninterrupted one bit for bit.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import torch

from ..config import Config
from ..data.images import Images
from ..data.sources import Source, load
from ..models.vae import VAE
from ..objectives.base import Objective
from ..presets.build import fields_of, objective_of, vae_of
from ..runs import Run, fitted
from ..utils.console import print_once
from .alarms import Alarmed
from .checkpoints import STATE
from .interrupts import interruptible
from .recovery import answer, begin
from .recovery import resume as continue_from
from .setup import agreed, config_for, doubts, images_of, opened
from .trainer import Training

__all__ = ["train"]


def train(
    model: str | Config | VAE,
    images: Images | Source | None = None,
    objective: Objective | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
    **overrides: Any,
) -> Run:
    """Trains a model and returns its run.

    Arguments:
        model: a preset's name, a `Config`, or a `VAE`, which is trained in place.
        images: what to train on, by default what the preset names; of an array a tenth is held out as test.
        objective: by default what the config says.
        out: the run's folder, by default runs/NAME.
        resume: go on where the run in `out` stopped; a folder without a run is begun.
        progress: show a progress bar.
        overrides: fields of `Config`.

    Raises:
        UserError: for unusable settings or images, a folder in use, a training that dies (alarms.py).
    """
    if isinstance(images, str | os.PathLike):
        overrides["data"], images = os.fspath(images), None
    config = config_for(model, objective, **overrides)
    known: dict[str, Images] = {}
    if isinstance(images, Images):
        known["train"] = images
    elif images is not None:
        known = {part: load(images, part) for part in ("train", "test")}
    folder = Path(out) if out is not None else Path("runs") / (config.preset or "vae")
    run = opened(folder, resume, progress)
    if run is not None:
        asked = dataclasses.asdict(config) if isinstance(model, Config | VAE) else {**overrides, "preset": model}
        config = agreed(run, asked)
        if len(run.history) >= config.epochs:
            print_once(progress, f"{folder} is finished after {config.epochs} epochs; a larger --epochs goes on.")
            return run
    for doubt in doubts(config):
        print_once(progress, f"Note: {doubt}")
    told = overrides.keys() | (fields_of(objective) if objective else {}).keys()
    known["train"], config = images_of(known.get("train"), config, frozenset(told), progress)
    torch.manual_seed(config.seed)
    vae = model if isinstance(model, VAE) else vae_of(config)
    training = Training(vae, objective or objective_of(config), known["train"], config)
    if run is not None and continue_from(training, folder / STATE):
        print_once(progress, f"Resuming {folder} at epoch {training.epoch + 1}, step {training.step}.")
    elif run is not None:
        print_once(progress, f"{folder} has no checkpoint yet; starting anew.")
    if training.fabric.is_global_zero:
        if run is None:
            Run.begin(folder, config, vae.counts())
        else:
            run.reconfigure(config, vae.counts())
    training.fabric.barrier()
    run = Run(folder)
    for part, found in known.items():
        run.remember(part, found if part == "train" else fitted(found, config))
    fit(training, run, progress)
    return run


def fit(trainer: Training, run: Run, progress: bool = True) -> None:
    """Trains to the last epoch, writing the run as it goes."""
    monitor = trainer.monitor
    with interruptible() as interrupted, monitor.writing(run, progress and trainer.fabric.is_global_zero):
        if monitor.rows:
            monitor.write_history()  # a run that was killed may have a row in its checkpoint alone
        begin(trainer, run)
        while trainer.epoch < trainer.config.epochs:
            monitor.begin(trainer.epoch, trainer.config.epochs, trainer.steps)
            try:
                trainer.run_epoch(run, interrupted)
                trainer.close_epoch(run)
            except Alarmed as alarmed:
                answer(trainer, run, alarmed)
    trainer.fabric.barrier()
    trainer.vae.eval().to("cpu")
