"""Presets: one frozen `Config` says everything about a run, and a plain dict maps names to configs.

A variant is two lines: `replace(PRESETS["mnist-svae"], split=3)`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Set
from dataclasses import replace
from typing import Any, cast

from .balance import KL_WEIGHTS, VARIANCES, Capacity, KLWeight, variance_named
from .baselines import baselines
from .config import Config
from .errors import UserError, nearest
from .introspection import Intro, SoftIntro
from .introspective_nets import INTRO_SIDES
from .introspective_presets import introspective
from .objectives import ELBO, RAE, Objective
from .residual_nets import SIDES
from .vae import VAE

__all__ = [
    "PRESETS",
    "Config",
    "configure",
    "create",
    "fields_of",
    "objective_of",
    "override",
    "suggest",
    "vae_of",
]

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
    **baselines("mnist", MNIST),
    **baselines("cifar10", CIFAR10),
    **baselines("celeba", CELEBA),
    **introspective(MNIST, CELEBA),
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


def fields_of(thing: VAE | Objective) -> dict[str, Any]:
    """The fields of a config that describe a model or an objective made without one, but for weights that are functions."""
    fields: dict[str, Any]
    if isinstance(thing, VAE):
        return {**cast(dict[str, Any], thing._hub_mixin_config), "shape": thing.shape}
    if isinstance(thing, RAE):
        fields = {"beta": thing.beta, "penalty": thing.kind, "penalty_weight": thing.strength}
        return fields | {"loss": "rae", "ambiguity": thing.ambiguity, "smoothness": thing.smoothness}
    if isinstance(thing, Intro):
        fields = {"loss": "intro", "ambiguity": thing.ambiguity, "smoothness": thing.smoothness, "hinge": thing.hinge}
        weights = {name: getattr(thing, name) for name in ("alpha", "beta", "margin", "alpha_decoder")}
        return fields | {name: value for name, value in weights.items() if not callable(value)}
    if isinstance(thing, SoftIntro):
        names = ("beta_rec", "beta_kl", "beta_neg", "gamma", "ambiguity", "smoothness")
        return {"loss": "soft-intro", **{name: getattr(thing, name) for name in names}}
    if not isinstance(thing, ELBO):
        return {}
    fields = {name: getattr(thing, name) for name in ("ambiguity", "smoothness", "scaling", "independence")}
    for name, kind in KL_WEIGHTS.items():
        if type(thing.weight) is kind:
            fields |= {"beta": thing.weight.beta, "kl": name, "kl_steps": thing.weight.steps}
    if isinstance(thing.weight, Capacity):
        fields["capacity"] = thing.weight.nats
    for name, variance in VARIANCES.items():
        if type(thing.variance) is variance:
            fields |= {"variance": name, "v": thing.variance.start}
    return fields


def create(name: str, **overrides: Any) -> VAE:
    """The untrained model of a preset: `create("mnist-svae", width=16)`."""
    return vae_of(configure(name, **overrides))


def vae_of(config: Config) -> VAE:
    """The untrained model a config describes."""
    if config.shape is None:
        raise UserError("the config says no shape; give one, such as shape=(3, 64, 64), or images to take it from.")
    return VAE(
        config.shape,
        config.latent_dim,
        config.split,
        config.width,
        config.scales,
        config.blocks,
        config.depth,
        config.kernel,
        config.embedding,
        config.net,
        config.latent,
        config.spectral_norm,
        config.content_dim,
        config.fusion,
        config.content_draw,
        config.eps_std,
        config.head_units,
        config.evidence,
    )


def objective_of(config: Config) -> Objective:
    """The objective a config describes."""
    if config.loss == "rae":
        return RAE(config.beta, config.penalty, config.penalty_weight, config.ambiguity, config.smoothness)
    split = (config.ambiguity, config.smoothness)
    if config.loss == "intro":
        return Intro(config.alpha, config.beta, config.margin, config.alpha_decoder, config.hinge, 0, *split)
    if config.loss == "soft-intro":
        return SoftIntro(config.beta_rec, config.beta_kl, config.beta_neg, config.gamma, 0, *split)
    if config.kl == "capacity":
        weight: KLWeight = Capacity(config.beta, config.kl_steps, config.capacity)
    else:
        weight = KL_WEIGHTS[config.kl](config.beta, config.kl_steps)
    return ELBO(
        weight,
        variance_named(config.variance, config.v),
        config.ambiguity,
        config.smoothness,
        config.scaling,
        config.independence,
    )


def suggest(
    shape: tuple[int, int, int], count: int, cuda: bool, config: Config, fixed: Set[str] = frozenset()
) -> dict[str, Any]:
    """Fields for images of which only shape and number are known: what `splitvae train --data FOLDER` trains.

    The side becomes the nearest the network paints (padded where that takes at most an eighth, else resized); colour gets
    the paper's CelebA settings, gray its MNIST settings; a CPU gets the small network; epochs make about 10,000 steps.
    The weight beta is the evidence lower bound's; in other losses it means something else. An introspective one gets an
    epoch of plain VAE and weights like those of the presets that were measured (introspective_presets.py).
    """
    channels, side = shape[0], shape[1]
    sides = INTRO_SIDES if config.net in ("intro", "intro-plain") else SIDES
    target = next((s for s in sides if s >= side), sides[-1])
    padded = (target - side) % 2 == 0 and (target - side) * 8 <= target
    target = target if padded else min(sides, key=lambda s: (abs(s - side), -s))
    batch = max(2, min(100, count // 10))
    latent = {16: 16, 32: 32, 64: 64, 128: 128} if channels == 1 else {16: 64, 32: 128, 64: 150, 128: 200}
    fields: dict[str, Any] = {
        "shape": (channels, target, target),
        "pad": (target - side) // 2 if padded else 0,
        "mirror": channels == 3,
        "latent_dim": latent.get(target, 512),
        "scales": min(4, target.bit_length() - 2),
        "width": 64 if cuda else 16,
        "batch_size": batch,
        "epochs": max(5, min(250, round(10_000 * batch / count))),
    }
    if config.loss == "elbo":
        return fields | {"beta": 3.0 if channels == 3 else 8.0}
    if config.loss not in ("intro", "soft-intro"):
        return fields
    kept = "latent_dim" in fixed or config.latent_dim != Config().latent_dim
    dim = config.latent_dim if kept else fields["latent_dim"]
    beta = 5.0 if channels == 3 else 8.0
    fields |= {"vae_epochs": int("epochs" not in fixed or config.epochs > 1), "lr": 5e-4}
    if config.loss == "intro":
        return fields | {"beta": beta, "margin": 2.0 * dim}
    return fields | {"beta_rec": beta / 2, "beta_neg": float(2 * channels * target**2 // dim), "gamma": 0.0}
