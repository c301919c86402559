"""Builds the untrained model of a configuration, and the configuration of a model and an objective."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from ..config import Config
from ..errors import UserError
from ..models.vae import VAE
from ..objectives.base import Objective
from ..objectives.registry import OBJECTIVES
from ..utils.text import shorten_text
from .registry import find_preset

__all__ = ["build_config", "build_vae", "check_buildable", "create"]


def create(name: str, **options: Any) -> VAE:
    """Creates the untrained model of a preset: `create("mnist-svae", width=16)`.

    Arguments:
        name: The name of the preset.
        options: Settings by flat name.

    Raises:
        UserError: For an unknown preset or option, with the nearest ones.
    """
    return build_vae(find_preset(name, **options))


def build_vae(config: Config) -> VAE:
    """Creates the untrained model of a configuration; raises UserError if its shape is None."""
    model = config.model
    if model.shape is None:
        raise UserError(
            "the configuration has no shape; give one, such as shape=(3, 64, 64), or train on images, which have one."
        )
    return VAE(**{field.name: getattr(model, field.name) for field in dataclasses.fields(model)})


def check_buildable(config: Config) -> None:
    """Raises UserError for settings of which no model can be built, without the cost of its weights.

    Arguments:
        config: The configuration; one without a shape is not checked, since its images decide on the network.
    """
    if config.model.shape is not None:
        with torch.device("meta"):
            build_vae(config)


def build_config(model: str | Config | VAE, objective: Objective | None = None, **options: Any) -> Config:
    """Returns the configuration of a preset or of a model, with settings changed.

    Arguments:
        model: The name of a preset, a model, or a configuration.
        objective: An objective that replaces that of the configuration.
        options: Settings by flat name.

    Raises:
        UserError: For an unknown preset or option, with the nearest ones.
    """
    if isinstance(model, str):
        config = find_preset(model)
    elif isinstance(model, VAE | Config):
        config = Config(model=model.settings) if isinstance(model, VAE) else model
    else:
        hint = ", and images are given as `images=`" if hasattr(model, "shape") else ""
        raise UserError(
            "a model is the name of a preset, such as 'digits-svae', a splitvae.VAE or a splitvae.Config, "
            f"not {shorten_text(repr(model), 60)}{hint}."
        )
    if objective is not None:
        config = dataclasses.replace(config, objective=OBJECTIVES.make(objective))
    return config.override(**options)
