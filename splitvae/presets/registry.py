"""Presets: one frozen `Config` says everything about a run, and a plain dict maps names to configs.

A variant is two lines: `replace(PRESETS["mnist-svae"], split=3)`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any

from ..config import Config
from ..errors import UserError, nearest
from ..models.vae import VAE
from .baselines import baseline_presets
from .build import vae_of
from .introvae import introvae_presets

__all__ = ["PRESETS", "configure", "create", "override"]


# The paper's three systems: section 5, and its public code. Mirroring is ours.
MNIST = Config(data="mnist", shape=(1, 32, 32), pad=2, latent_dim=32, beta=8, epochs=250, components=20)


CIFAR10 = Config(
    data="hf://uoft-cs/cifar10", shape=(3, 32, 32), mirror=True, latent_dim=200, beta=3, epochs=110, components=100
)


CELEBA = Config(
    data="hf://flwrlabs/celeba",
    shape=(3, 64, 64),
    crop=128,
    mirror=True,
    latent_dim=150,
    beta=3,
    epochs=160,
    components=100,
)


DIGITS = Config(
    data="digits", shape=(1, 16, 16), latent_dim=16, width=16, scales=3, beta=4, v=0.1, epochs=80, validation=100
)


# The Multi-Level VAE's network, with what keeps digits out of its styles (docs/groups.md).
ML_VAE = Config(
    data="mnist",
    shape=(1, 28, 28),
    net="mlp",
    embedding=500,
    latent="grouped",
    latent_dim=20,
    content_dim=10,
    head_units=500,
    independence=40,
    split=1,
    variance="fixed",
    v=0.5,
    batch_size=128,
    schedule="cosine",
    epochs=48,
)


PRESETS: dict[str, Config] = {
    "digits-svae": DIGITS,
    "digits-vae": replace(DIGITS, split=1),
    "mnist-svae": MNIST,
    "fashion-svae": replace(MNIST, data="fashion-mnist"),
    "kmnist-svae": replace(MNIST, data="kmnist"),
    "mnist-ml-vae": ML_VAE,
    "cifar10-svae": CIFAR10,
    "celeba-svae": CELEBA,
    **baseline_presets("mnist", MNIST),
    **baseline_presets("cifar10", CIFAR10),
    **baseline_presets("celeba", CELEBA),
    **introvae_presets(MNIST, CELEBA),
}


PRESETS = {name: replace(config, preset=name) for name, config in PRESETS.items()}


def configure(name: str, **overrides: Any) -> Config:
    """The preset called `name` with fields overridden; raises UserError naming the nearest presets or fields."""
    if name not in PRESETS:
        raise UserError(f"no preset is called {name!r}; {nearest(name, PRESETS)} `splitvae list` shows them all.")
    return override(PRESETS[name], **overrides)


def override(config: Config, **overrides: Any) -> Config:
    """A config with fields overridden; raises UserError naming the nearest fields."""
    fields = {f.name for f in dataclasses.fields(Config)} - {"preset"}
    for key in overrides:
        if key not in fields:
            raise UserError(f"a preset has no field {key!r}; {nearest(key, fields)}")
    return replace(config, **overrides)


def create(name: str, **overrides: Any) -> VAE:
    """The untrained model of a preset: `create("mnist-svae", width=16)`."""
    return vae_of(configure(name, **overrides))
