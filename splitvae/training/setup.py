"""What is decided before a training: whether a run is begun or resumed, and with which settings and images."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from ..config import Config
from ..data.images import Images
from ..data.labels import get_group_labels
from ..errors import UserError
from ..objectives.base import Objective
from ..presets.automatic import suggest
from ..presets.build import fields_of
from ..presets.registry import configure, override
from ..runs import Run, fitted, images_for
from ..utils.console import print_once

__all__ = ["find_run_to_resume", "prepare_images", "resume_config"]

RESUMABLE_OPTIONS = {  # may change on resume; so may all options of the sampler, and the weights that an objective names
    *("epochs", "lr", "precision", "compile", "accelerator", "devices"),
    *("data", "preview_every", "fid_every", "on_alarm", "sampler"),
}


def find_run_to_resume(folder: Path, resume: bool, progress: bool) -> Run | None:
    """Returns the run to resume, or None to begin one; raises UserError for a run that is not to be resumed."""
    if (folder / "config.json").exists():
        if resume:
            return Run(folder)
        raise UserError(f"{folder} already holds a run; continue it with --resume, or give another folder with --out.")
    if resume:
        print_once(progress, f"{folder} holds no run yet; starting anew.")
    return None


def resume_config(run: Run, explicit: dict[str, Any], objective: Objective | None = None) -> Config:
    """Returns the settings that a run goes on with: its own, with those changes that leave valid what was trained.

    Arguments:
        run: The run.
        explicit: The settings that are given now, by flat name.
        objective: The objective that is given now; its weights may be functions, which config.json cannot hold.

    Raises:
        UserError: For a change that a resumed run cannot make.
    """
    stored = {**run.config.options(), "preset": run.config.preset}
    given = {k: getattr(v, "name", v) for k, v in explicit.items() if v is not None and not callable(v)}
    changes = {name: value for name, value in given.items() if value != stored.get(name)}
    choice = {"sampler": changes["sampler"]} if "sampler" in changes else {}
    resumable = RESUMABLE_OPTIONS | run.config.objective.resumable
    resumable |= run.config.override(**choice).sampler.options().keys()
    resumable -= {"epochs"} if run.config.training.schedule == "cosine" else set()
    for name in changes.keys() - resumable:
        if name not in stored:
            raise UserError(run.config.explain(name))
        raise UserError(
            f"{run.path} was begun with {name}={stored[name]}, and a resumed run cannot change it to {changes[name]}; "
            "leave it away, or give another folder with --out."
        )
    config = run.config.override(**changes)
    if objective is not None and any(callable(value) for _, value in objective.items()):
        return dataclasses.replace(config, objective=objective)
    return config


def prepare_images(
    images: Images | None, config: Config, explicit: frozenset[str], progress: bool
) -> tuple[Images, Config]:
    """Returns the training images in the network's shape, and the settings completed from them.

    Arguments:
        images: The images, or None for those of the settings.
        config: The settings.
        explicit: The options that the user has given, which suggestions do not replace.
        progress: Whether to print what was chosen.

    Raises:
        UserError: Where there are no images, or too few.
    """
    if images is None:
        if config.data.source is None:
            raise UserError("there is nothing to train on; give images with --data, such as --data FOLDER.")
        loaded = images_for(config, "train")
    else:
        loaded = images
        source = None if images.source.startswith("array") else images.source
        config = config.override(data=source, crop=images.crop)  # test images are to be cut as these were
        if images.split not in ("train", "") and source is not None:
            print_once(progress, f"Note: these are the {images.split} images of {source}; test images may be among them.")
    if config.shape is None:
        fields = suggest(found.shape, len(found), torch.cuda.is_available(), config, fixed)
        default = Config()
        chosen = {k: v for k, v in fields.items() if k not in fixed and getattr(config, k) == getattr(default, k)}
        config = dataclasses.replace(config, **chosen)
        print_once(progress, "Chosen for these images: " + ", ".join(f"{k}={v}" for k, v in chosen.items()) + ".")
        found = fitted(found, config)
    elif images is not None:
        found = fitted(found, config)
    for note in found.notes:
        print_once(progress, f"Note: {note}")
    if not held_out(len(found), config) and (config.best or config.schedule == "plateau"):
        raise UserError(f"{found.source} holds too few images to hold some out; --best and --schedule plateau need that.")
    if len(found) - held_out(len(found), config) < config.batch_size * config.devices:
        raise UserError(
            f"{loaded.source} holds {len(loaded)} training images, fewer than a batch of {training.batch_size} after "
            f"validation; type --batch-size {max(2, len(loaded) // 4)} or give more images."
        )
    return loaded, config


def doubts(config: Config) -> list[str]:
    """What is to be said, before training starts, of settings that can be meant but seldom are."""
    found = []
    if config.loss == "intro" and not config.alpha:
        also = f" but for its decoder, whose alpha_decoder={config.alpha_decoder:g}" if config.alpha_decoder else ""
        found.append(f"alpha=0 trains a plain VAE{also}; alpha=0.25 is the paper's.")
    if config.loss == "intro" and config.margin > REACH * config.latent_dim:
        found.append(
            f"margin={config.margin:g} asks for more than {REACH:.0f} nats of each of {config.latent_dim} latent "
            "variables; a margin somewhat above the images' own KL is enough."
        )
    if config.loss == "soft-intro" and not config.beta_neg:
        found.append("with beta_neg=0 the encoder does not raise the KL of what is painted; beta_neg=256 is the authors'.")
    if config.loss in WEIGHTS and 0 < config.epochs <= config.vae_epochs:
        found.append(f"all {config.epochs} epochs train a plain VAE, since vae_epochs={config.vae_epochs}.")
    return found


def labels_for(images: Images, config: Config, vae: VAE) -> Tensor | None:
    """The group of each training image where the latent shares something, else None; UserError where none is known."""
    if not vae.shares:
        return None
    labels = get_group_labels(images, config.group_by)
    if vae.pairs:
        values, counts = labels.unique(return_counts=True)
        if (single := values[counts < 2]).numel():
            name = images.classes[int(single[0])] if labels is images.labels and images.classes else int(single[0])
            raise UserError(
                f"{images.source} has only one image in group {name} (of {len(single)} such groups), and latent='adaptive' "
                "compares pairs; give each group two images at least, or leave those groups out."
            )
        if config.batch_size % 2:
            raise UserError(f"pairs fill no batch of {config.batch_size}; type --batch-size {config.batch_size + 1}.")
    return labels


def held_out(count: int, config: Config) -> int:
    """How many training images the validation loss takes: what was asked for, at most a tenth."""
    return min(config.validation, count // 10)
