"""Before training: which settings a run has, whether it is begun or resumed, and which images it sees."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..config import Config
from ..data.images import Images
from ..data.labels import get_group_labels
from ..errors import UserError
from ..models.vae import VAE
from ..objectives.base import Objective
from ..presets.automatic import suggest
from ..presets.build import fields_of
from ..presets.registry import configure, override
from ..runs import Run, fitted, images_for
from ..utils.console import print_once

__all__ = ["agreed", "config_for", "doubts", "held_out", "images_of", "labels_for", "opened"]


HARMLESS = {  # may change on resume
    *("epochs", "lr", "precision", "compile", "accelerator", "devices", "pictures", "data", "on_alarm"),
    *("fid", "sampler", "components", "sampler_epochs", "sampler_width", "sampler_lr"),
}


WEIGHTS = {  # these too, of losses that are tuned while they run: an alarm says which
    "intro": {"alpha", "alpha_decoder", "beta", "margin", "hinge"},
    "soft-intro": {"beta_rec", "beta_kl", "beta_neg", "gamma"},
}


REACH = 25.0  # nats of a latent variable beyond which a margin is not to be reached


def config_for(model: str | Config | VAE, objective: Objective | None, **overrides: Any) -> Config:
    """The config of a preset, a config, or a model, completed from an objective, with fields overridden."""
    config = configure(model) if isinstance(model, str) else Config() if isinstance(model, VAE) else model
    fields = fields_of(model) if isinstance(model, VAE) else {}
    if objective is not None:
        fields |= fields_of(objective)
    return override(dataclasses.replace(config, **fields), **overrides)


def opened(folder: Path, resume: bool, progress: bool) -> Run | None:
    """The run to resume, or None to begin one."""
    if (folder / "config.json").exists():
        if resume:
            return Run(folder)
        raise UserError(f"{folder} already holds a run; continue it with --resume, or give another folder with --out.")
    if resume:
        print_once(progress, f"{folder} holds no run yet; starting anew.")
    return None


def agreed(run: Run, asked: dict[str, Any]) -> Config:
    """The config a run goes on with: its own, with those changes that leave what was trained valid."""
    stored = dataclasses.asdict(run.config)
    asked = {name: value for name, value in asked.items() if value is not None and value != stored[name]}
    harmless = HARMLESS | WEIGHTS.get(run.config.loss, set())
    harmless -= {"epochs"} if run.config.schedule == "cosine" else set()
    for name in asked.keys() - harmless:
        raise UserError(
            f"{run.path} was begun with {name}={stored[name]}, and a resumed run cannot change it to {asked[name]}; "
            "leave it away, or give another folder with --out."
        )
    return dataclasses.replace(run.config, **asked)


def images_of(images: Images | None, config: Config, fixed: frozenset[str], progress: bool) -> tuple[Images, Config]:
    """The training images in the network's shape, and the config completed from them, but for the `fixed` fields."""
    if images is None:
        if config.data is None:
            raise UserError("there is nothing to train on; give images with --data, such as --data FOLDER.")
        found = images_for(config, "train")
    else:
        found = images
        source = None if images.source.startswith("array") else images.source
        config = dataclasses.replace(config, data=source, crop=images.crop)  # test images are to be cut as these were
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
            f"{found.source} holds {len(found)} training images, fewer than a batch of {config.batch_size} after "
            f"validation; type --batch-size {max(2, len(found) // 4)} or give more images."
        )
    return found, config


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
