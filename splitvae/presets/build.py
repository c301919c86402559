"""TODO docstring of presets.build."""

from __future__ import annotations

from typing import Any, cast

from ..config import Config
from ..errors import UserError
from ..models.vae import VAE
from ..objectives.base import Objective
from ..objectives.elbo import ELBO
from ..objectives.introvae import Intro
from ..objectives.kl_weight import KL_WEIGHTS, Capacity, KLWeight
from ..objectives.rae import RAE
from ..objectives.soft_introvae import SoftIntro
from ..objectives.variance import VARIANCES, variance_named

__all__ = ["fields_of", "objective_of", "vae_of"]


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
