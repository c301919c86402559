"""The preparation of a training: whether a run is begun or resumed, and its settings and images."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from ..config import Config
from ..data.images import Images
from ..data.sources import is_from_memory
from ..errors import UserError, setting
from ..objectives.base import Objective
from ..presets.automatic import suggest_settings
from ..presets.images import load_for_config, match_config
from ..runs import Run
from ..utils.console import print_once
from ..utils.machine import find_device
from ..utils.text import count_noun
from .batches import count_held_out

__all__ = ["find_run_to_resume", "prepare_images", "resume_config"]

RESUMABLE_OPTIONS = {  # a resumed run may change these, all options of the sampler, and `Objective.resumable`
    *("epochs", "lr", "precision", "compile", "accelerator", "devices", "nodes"),
    *("data", "preview_every", "fid_every", "on_alarm", "logger", "sampler"),
}


def find_run_to_resume(folder: Path, resume: bool, progress: bool) -> Run | None:
    """Returns the run to resume, or None to begin a new one.

    Arguments:
        folder: The folder of the run.
        resume: Whether a run in the folder may be resumed.
        progress: Whether to print a note.

    Raises:
        UserError: For a folder with a run if `resume` is False.
    """
    if (folder / "config.json").exists():
        if resume:
            return Run(folder)
        raise UserError(
            f"{folder} already holds a run; continue it with {setting('resume', True)}, or give another folder with "
            f"{setting('out')}."
        )
    if resume:
        print_once(progress, f"{folder} holds no run yet; starting anew.")
    return None


def resume_config(
    run: Run, explicit: dict[str, Any], given: dict[str, Any] | None = None, objective: Objective | None = None
) -> Config:
    """Returns the settings of a resumed run: its own, with changes that are compatible with the trained epochs.

    What an alarm changed stays so if the user gives the value that the run was begun with, as the same command does.

    Arguments:
        run: The run.
        explicit: The settings that the user gave now, by flat name.
        given: The settings of the objects that the user gave now, by flat name.
        objective: The objective that the user gave now; its weights may be functions, which config.json cannot hold.

    Raises:
        UserError: For a change that a resumed run cannot make.
    """
    stored = {**run.config.options(), "preset": run.config.preset}
    changed = run.changed_by_alarms
    given = {k: v for k, v in (given or {}).items() if k not in changed or v != changed[k][0]}
    explicit = {k: v for k, v in explicit.items() if k not in changed or [v, stored[k]] != changed[k]}
    values = {k: getattr(v, "name", v) for k, v in (given | explicit).items() if v is not None and not callable(v)}
    changes = {name: value for name, value in values.items() if value != stored.get(name)}
    choice = {"sampler": changes["sampler"]} if "sampler" in changes else {}
    resumable = RESUMABLE_OPTIONS | run.config.objective.resumable
    resumable |= run.config.override(**choice).sampler.options().keys()
    resumable -= {"epochs"} if run.config.training.schedule == "cosine" else set()
    for name in changes.keys() - resumable:
        if name not in stored:
            raise UserError(run.config.explain(name))
        raise UserError(
            f"{run.path} was begun with {setting(name, stored[name])}, and a resumed run cannot change it to "
            f"{changes[name]}; leave it out, or give another folder with {setting('out')}."
        )
    config = run.config.override(**changes)
    functions = {} if objective is None else {f.name: value for f, value in objective.items() if callable(value)}
    return dataclasses.replace(config, objective=dataclasses.replace(config.objective, **functions))


def prepare_images(
    images: Images | None, config: Config, explicit: frozenset[str], progress: bool
) -> tuple[Images, Config]:
    """Returns the training images in the network's shape, and the settings completed from them.

    Arguments:
        images: The images; None reads those of the settings.
        config: The settings; if they have no shape, it and other settings are suggested from the images.
        explicit: The flat names of the settings that the user gave, which suggestions do not replace.
        progress: Whether to print the suggested settings and notes.

    Raises:
        UserError: If there are no images, or too few.
    """
    if images is None:
        if config.data.source is None:
            raise UserError(f"there is nothing to train on; give images, such as {setting('data', 'FOLDER')}.")
        loaded = load_for_config(config, "train")
    else:
        loaded = images
        source = None if is_from_memory(images) else images.source
        config = config.override(data=source, crop=images.crop)  # so that test images are cropped in the same way
        if images.part not in ("train", "") and source is not None:
            print_once(progress, f"Note: these are the {images.part} images of {source}; test images may be among them.")
    if config.model.shape is None:
        has_gpu = find_device(config.hardware.accelerator).type == "cuda"
        suggested = suggest_settings(loaded.shape, len(loaded), has_gpu, config, explicit)
        present, default = config.options(), _defaults(config)
        chosen = {k: v for k, v in suggested.items() if k not in explicit and present[k] == default[k]}
        config = config.override(**chosen)
        shown = {k: getattr(v, "name", v) for k, v in chosen.items()}
        shown |= config.model.net.options() if "net" in chosen else {}
        print_once(progress, "Chosen for these images: " + ", ".join(f"{k}={v}" for k, v in shown.items()) + ".")
        loaded = match_config(loaded, config)
    elif images is not None:
        loaded = match_config(loaded, config)
    for note in loaded.notes:
        print_once(progress, f"Note: {note}")
    held_out, training = count_held_out(len(loaded), config), config.training
    if not held_out and (training.best or training.schedule == "plateau"):
        raise UserError(
            f"{loaded.source} has too few images to hold some out; best=True and schedule='plateau' need held-out images."
        )
    processes = config.hardware.processes
    if len(loaded) - held_out < training.batch_size * processes:
        together = f" for each of {processes} processes" if processes > 1 else ""
        raise UserError(
            f"{loaded.source} holds {count_noun(len(loaded), 'training image')}, fewer than a batch of "
            f"{training.batch_size}{together} after validation; type "
            f"{setting('batch_size', max(2, len(loaded) // 4 // processes))} or give more images."
        )
    return loaded, config


def _defaults(config: Config) -> dict[str, Any]:
    """Returns the settings by flat name of a configuration that has the same choices, with all other defaults."""
    choices = {field.option: value.name for _, field, value in config.walk() if field.registry is not None}
    return Config().override(**choices).options()
