"""A whole training: its preparation, and the loop over epochs."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from ..config import Config
from ..data.images import Images
from ..data.sources import Source, load
from ..errors import UserError, setting
from ..models.vae import VAE
from ..objectives.base import Loss, Objective
from ..objectives.registry import OBJECTIVES
from ..presets.build import build_config, build_vae, check_buildable
from ..presets.images import match_config
from ..runs import Run
from ..utils.collectives import ProcessLost, barrier
from ..utils.console import print_once
from ..utils.lock import lock_folder
from ..utils.random_streams import isolated_randomness
from ..utils.text import count_noun
from .agreement import check_agreement
from .alarms import Alarmed
from .checkpoints import STATE
from .devices import choose_devices
from .interrupts import interruptible
from .loggers import check_logger
from .lost_model import restore_lost_model
from .recovery import handle_alarm, initialise_good, load_checkpoint
from .setup import find_run_to_resume, prepare_images, resume_config
from .trainer import Trainer
from .windows import describe_end

__all__ = ["Callback", "fit", "train"]

Callback = Callable[[dict[str, Any], Run], object]  # of the row of the history of an epoch, and of the run


def train(
    model: str | Config | VAE | None = None,
    images: Images | Source | None = None,
    objective: Objective | Loss | str | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
    callback: Callback | None = None,
    **options: Any,
) -> Run:
    """Trains a model and returns its run.

    Arguments:
        model: The name of a preset, a `Config`, or a `VAE`, which is trained in place. Without one, or with a `Config`
            that has no shape, settings are chosen for the images.
        images: The images to train on, or a source as in `splitvae.load`; by default those of the preset. Of a source
            without parts, such as an array, a tenth is held out as test images.
        objective: The objective, its name, or a loss that it built; by default that of the settings.
        out: The folder of the run; by default runs/PRESET.
        resume: Whether to resume the run in `out`; if there is none, it is begun.
        progress: Whether to show a progress bar.
        callback: A function that is called after each epoch as `callback(row, run)`, with the epoch's row of the history, a
            dictionary of numbers by name, and the run, whose files are complete: `run.vae` is its model so far.
            It may draw random numbers; those of the training stay the same. An exception in it ends the training, which
            `resume=True` continues after this epoch. Of several processes, the first one calls it.
        options: Settings by flat name, such as `width=16` or `epochs=10`.

    Raises:
        UserError: For settings or images that cannot be used, and a folder that is not empty.
        TrainingStopped: If an alarm ends the training (training/alarms.py).
        Interrupted: After Ctrl-C.
        ProcessLost: If another process of the training has ended.
    """
    if isinstance(images, str | os.PathLike):
        options["data"], images = os.fspath(images), None
    if isinstance(objective, Loss):
        settings: Objective | None = objective.settings
    else:
        settings = None if objective is None else OBJECTIVES.make(objective)
    if callback is not None and not callable(callback):
        raise UserError(f"callback={callback!r} is no function; give one that takes the epoch's row and the run.")
    if callback is not None:
        _check_takes_two(callback)
    model = Config() if model is None else model
    config = build_config(model, settings)
    parts = _read_parts(images, options.get("crop", config.data.crop))
    folder = Path(out) if out is not None else Path("runs") / (config.preset or "vae")
    with lock_folder(folder):
        run = find_run_to_resume(folder, resume, progress)
        if isinstance(model, VAE):
            _check_model_stays(model, options)
        if run is None:
            config = config.override(**options)
        else:
            given = {"preset": model} if isinstance(model, str) else config.options()
            if config.model.shape is None:  # its other values were chosen for the images
                given = {name: value for name, value in given.items() if value != Config().options().get(name)}
            given |= {} if settings is None else settings.options()
            config = resume_config(run, options, given, settings)
            _note_changes_by_alarms(run, config, options, progress)
            restore_lost_model(run, progress)
            if _is_finished(run, config, progress):
                return run
        check_logger(config.monitoring.logger)
        check_buildable(config)
        hardware = choose_devices(config.hardware, options.keys())
        config = config.override(devices=hardware.devices, nodes=hardware.nodes)
        for warning in config.objective.warnings(config.model.latent_dim, config.training.epochs):
            print_once(progress, f"Note: {warning}")
        explicit_options = options.keys() | (settings.options().keys() if settings is not None else set())
        parts["train"], config = prepare_images(parts.get("train"), config, frozenset(explicit_options), progress)
        torch.manual_seed(config.training.seed)
        vae = model if isinstance(model, VAE) else build_vae(config)
        if isinstance(objective, Loss):
            objective.settings = config.objective
        trainer = Trainer(vae, objective if isinstance(objective, Loss) else config.objective, parts["train"], config)
        if note := trainer.images.note():
            print_once(progress, f"Note: {note}")
        if run is not None and load_checkpoint(trainer, folder / STATE):
            print_once(progress, f"Resuming {folder} at epoch {trainer.epoch + 1}, step {trainer.step}.")
        elif run is not None:
            print_once(progress, f"{folder} has no checkpoint yet; starting anew.")
        if trainer.fabric.is_global_zero:
            if run is None:
                Run.begin(folder, config, vae.counts(), parts["train"].sha256, parts["train"].divided)
            else:
                run.reconfigure(config, vae.counts(), images=parts["train"].sha256)
        check_agreement(
            folder,
            trainer.fabric.device,
            training_images=parts["train"].sha256 if config.hardware.nodes > 1 else "",  # each machine reads its own
            settings=config.override(data=None).to_json(),
            checkpoint=trainer.step,
        )
        run = Run(folder, config)
        for part, loaded in parts.items():
            run.remember(part, loaded if part == "train" else match_config(loaded, config))
        try:
            fit(trainer, run, progress, callback)
        except ProcessLost as lost:
            raise ProcessLost(
                f"{lost}, and this one cannot go on without it. All until the last checkpoint is saved: the same command "
                f"with {setting('resume', True)} and {setting('out', str(folder))} continues from there."
            ) from None
        return run


def _read_parts(images: Images | Source | None, crop: int | None) -> dict[str, Images]:
    """Returns the images that were given, by part: those to train on, and of a source in memory those to test on."""
    if images is None:
        return {}
    return {"train": images} if isinstance(images, Images) else {p: load(images, p, crop=crop) for p in ("train", "test")}


def _note_changes_by_alarms(run: Run, config: Config, options: Mapping[str, Any], progress: bool) -> None:
    """Prints a note on each setting that an alarm changed, and that the same command does not take back."""
    for name, (old, new) in run.changed_by_alarms.items():
        if options.get(name) == old and config.options()[name] == new:
            note = f"an alarm changed {name} from {old:g} to {new:g}, which stays; any other value changes it."
            print_once(progress, f"Note: {note}")


def _is_finished(run: Run, config: Config, progress: bool) -> bool:
    """Returns whether a run has all of its epochs, and says so."""
    # The first process may be writing a lost model from the checkpoint; the others must decide as it does.
    has_model = run.has_model() or (run.path / STATE).exists()
    if len(run.history) < config.training.epochs or not has_model:
        return False
    more = f"a larger {setting('epochs')} continues it"
    if config.training.schedule == "cosine":
        more = "its learning rate has come down to 0, so that more epochs need a new run"
    print_once(progress, f"{run.path} is finished after {count_noun(len(run.history), 'epoch')}; {more}.")
    return True


def _check_takes_two(callback: Callable[..., Any]) -> None:
    """Raises UserError for a function that does not take the row and the run."""
    try:
        parameters = inspect.signature(callback)
    except (TypeError, ValueError):  # of some functions written in C nothing is known
        return
    try:
        parameters.bind({}, None)
    except TypeError:
        raise UserError(
            f"callback takes {parameters}; give a function of two arguments, the epoch's row and the run."
        ) from None


def _check_model_stays(model: VAE, options: Mapping[str, Any]) -> None:
    """Raises UserError for a setting of the model that is given with a model, which has another one."""
    own = model.settings.options()
    for name in sorted(options.keys() & own.keys()):
        value = tuple(options[name]) if isinstance(options[name], list) else options[name]
        if getattr(value, "name", value) != own[name]:
            raise UserError(
                f"{setting(name, value)} is a setting of the model, and the given one has {setting(name, own[name])}; "
                f"build it with VAE(shape, {name}={value!r}), or leave the setting out."
            )


def fit(trainer: Trainer, run: Run, progress: bool = True, callback: Callback | None = None) -> None:
    """Trains to the last epoch, and writes the files of the run after each epoch.

    Arguments:
        trainer: The trainer, which is new or has loaded a checkpoint.
        run: The run.
        progress: Whether to show a progress bar.
        callback: A function of the history's row and the run, which is called after each epoch.
    """
    monitor, epochs = trainer.monitor, trainer.config.training.epochs
    is_first = trainer.fabric.is_global_zero
    shows_progress = progress and is_first
    with interruptible() as is_interrupted, monitor.writing(run, shows_progress, is_first):
        if monitor.rows and is_first:
            monitor.write_history()  # after a kill, the last row may be in the checkpoint only
        initialise_good(trainer, run)
        while trainer.epoch < epochs:
            monitor.begin_epoch(trainer.epoch, epochs, trainer.steps_per_epoch)
            try:
                trainer.train_epoch(run, is_interrupted)
                trainer.close_epoch(run)
                if callback is not None and is_first:
                    with isolated_randomness(trainer.fabric.device):
                        callback(dict(monitor.rows[-1]), run)
            except Alarmed as alarmed:
                handle_alarm(trainer, run, alarmed)
            finally:
                trainer.turns.end()
    for line in describe_end(monitor.windows, trainer.loss):
        print_once(progress, line)
    barrier(trainer.fabric.device)
    trainer.vae.eval().to("cpu")
