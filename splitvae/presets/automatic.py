"""Suggested settings for images without a preset, from their shape and number, as for `splitvae train --data FOLDER`."""

from __future__ import annotations

import dataclasses
from collections.abc import Set
from typing import Any

from ..config import Config
from ..networks.residual import Residual
from ..networks.upsampled import Upsampled
from .registry import PRESETS

__all__ = ["suggest_settings"]

TRAINING_STEPS = 10_000  # the approximate length of a training
INTROSPECTIVE_STEPS = 5_000  # about that of the presets of introspective models
PLAIN_SHARE = 0.25  # of the epochs of an introspective model, in which it is a plain VAE
MARGIN_RATIO = 1.5  # the margin by the KL of these images in the plain VAE, since that of digits is not theirs
INTROSPECTIVE = ("latent_dim", "batch_size", "lr", "schedule", "ema")  # what such a preset suggests, beside its objective
LATENT_DIMS = {1: {16: 16, 32: 32, 64: 64, 128: 128}, 3: {16: 64, 32: 128, 64: 150, 128: 200}}  # by channels and side
LARGE_LATENT_DIM = 512  # for larger sides


def suggest_settings(
    shape: tuple[int, int, int], count: int, has_gpu: bool, config: Config, fixed: Set[str] = frozenset()
) -> dict[str, Any]:
    """Returns settings by flat name that suit images.

    The side becomes the next larger one of the network by padding, if that adds at most an eighth, and the nearest one by
    resizing otherwise. A machine without a GPU gets a small network. The number of epochs makes about 10,000 training
    steps. The weights of the objective are those that it suggests for the shape. An introspective objective without a
    network of its own gets the network and the settings of its preset: the one for faces if images have colours, the one
    for digits if they are gray.

    Arguments:
        shape: The channels, height and width of the images.
        count: The number of images.
        has_gpu: Whether a CUDA device trains the model.
        config: The settings so far, whose network and objective are kept.
        fixed: The flat names of the settings that the user gave; other suggestions depend on them.
    """
    channels, side = shape[0], shape[1]
    sides = config.model.net.sides
    target = next((s for s in sides if s >= side), sides[-1])
    is_padded = target >= side and (target - side) % 2 == 0 and (target - side) * 8 <= target
    target = target if is_padded else min(sides, key=lambda s: (abs(s - side), -s))
    batch_size = max(2, min(100, count // 10 // 2 * 2))  # even, as a latent of pairs needs it
    suggested: dict[str, Any] = {
        "shape": (channels, target, target),
        "pad": (target - side) // 2 if is_padded else 0,
        "mirror": channels == 3,
        "latent_dim": LATENT_DIMS[channels].get(target, LARGE_LATENT_DIM),
        "scales": min(4, target.bit_length() - 2),
        "width": 64 if has_gpu else 16,
        "batch_size": batch_size,
        "epochs": max(5, min(250, round(TRAINING_STEPS * batch_size / count))),
    }
    is_latent_dim_free = "latent_dim" not in fixed and config.model.latent_dim == Config().model.latent_dim
    latent_dim = suggested["latent_dim"] if is_latent_dim_free else config.model.latent_dim
    suggested |= _introspective_settings(suggested["shape"], count, config, fixed) or config.objective.suggest(
        suggested["shape"], latent_dim
    )
    if "vae_epochs" in suggested and "epochs" in fixed and config.training.epochs == 1:
        suggested["vae_epochs"] = 0  # the only epoch trains the objective itself
        if suggested.get("margin_ratio"):  # there is no plain epoch whose KL it could take
            latent_dim = suggested["latent_dim"] if is_latent_dim_free else latent_dim
            suggested |= {"margin_ratio": 0.0, "margin": 2.0 * latent_dim}
    known = config.override(net=suggested["net"]) if "net" in suggested else config
    return {option: value for option, value in suggested.items() if option in known.options()}


def _introspective_settings(shape: tuple[int, int, int], count: int, config: Config, fixed: Set[str]) -> dict[str, Any]:
    """Returns the settings of the preset of an introspective objective, or {} where the user chose a network unlike its."""
    default, images, own = Config().model.net, "celeba64" if shape[0] == 3 else "mnist", config.model.net
    preset = PRESETS.get(f"{images}-{config.objective.name}")
    assert isinstance(default, Residual)
    is_net_free = "net" not in fixed and dataclasses.replace(default, width=config.options().get("width", 0)) == own
    if preset is None or not (is_net_free or isinstance(own, Upsampled)):
        return {}
    options, now = preset.options(), config.options()
    names = {*preset.objective.options(), *INTROSPECTIVE} - {"margin"}
    suggested = {name: value for name, value in options.items() if name in names and value != now[name]}
    if is_net_free:
        net = preset.model.net
        assert isinstance(net, Upsampled)
        smallest_map = min(net.smallest_map, shape[1] // 4)
        suggested["net"] = dataclasses.replace(net, width=now["width"], smallest_map=smallest_map)
    if "margin_ratio" in names:
        has_margin = "margin" in fixed or ("vae_epochs" in fixed and not now["vae_epochs"])
        suggested["margin_ratio"] = 0.0 if has_margin else MARGIN_RATIO
    batch_size = min(options["batch_size"], max(2, count // 10 // 2 * 2))
    epochs = max(5, min(250, round(INTROSPECTIVE_STEPS * batch_size / count)))
    trained = config.training.epochs if "epochs" in fixed else epochs
    return suggested | {"batch_size": batch_size, "epochs": epochs, "vae_epochs": max(1, round(PLAIN_SHARE * trained))}
