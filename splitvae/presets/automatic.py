"""Suggested settings for images without a preset, from their shape and number, as for `splitvae train --data FOLDER`."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from ..config import Config

__all__ = ["suggest_settings"]

TRAINING_STEPS = 10_000  # the approximate length of a training
LATENT_DIMS = {1: {16: 16, 32: 32, 64: 64, 128: 128}, 3: {16: 64, 32: 128, 64: 150, 128: 200}}  # by channels and side
LARGE_LATENT_DIM = 512  # for larger sides


def suggest_settings(
    shape: tuple[int, int, int], count: int, cuda: bool, config: Config, fixed: Set[str] = frozenset()
) -> dict[str, Any]:
    """Returns settings by flat name that suit images.

    The side becomes the next larger one of the network by padding, if that adds at most an eighth, and the nearest one by
    resizing otherwise. A machine without a GPU gets a small network. The number of epochs makes about 10,000 training
    steps. The weights of the objective are those that it suggests for the shape.

    Arguments:
        shape: The channels, height and width of the images.
        count: The number of images.
        cuda: Whether there is a CUDA device.
        config: The settings so far, whose network and objective are kept.
        fixed: The flat names of the settings that the user gave; other suggestions depend on them.
    """
    channels, side = shape[0], shape[1]
    sides = config.model.net.sides
    target = next((s for s in sides if s >= side), sides[-1])
    is_padded = (target - side) % 2 == 0 and (target - side) * 8 <= target
    target = target if is_padded else min(sides, key=lambda s: (abs(s - side), -s))
    batch_size = max(2, min(100, count // 10))
    suggested: dict[str, Any] = {
        "shape": (channels, target, target),
        "pad": (target - side) // 2 if is_padded else 0,
        "mirror": channels == 3,
        "latent_dim": LATENT_DIMS[channels].get(target, LARGE_LATENT_DIM),
        "scales": min(4, target.bit_length() - 2),
        "width": 64 if cuda else 16,
        "batch_size": batch_size,
        "epochs": max(5, min(250, round(TRAINING_STEPS * batch_size / count))),
    }
    is_latent_dim_free = "latent_dim" not in fixed and config.model.latent_dim == Config().model.latent_dim
    latent_dim = suggested["latent_dim"] if is_latent_dim_free else config.model.latent_dim
    suggested |= config.objective.suggest(suggested["shape"], latent_dim)
    if "vae_epochs" in suggested and "epochs" in fixed and config.training.epochs == 1:
        suggested["vae_epochs"] = 0  # the only epoch trains the objective itself
    return {option: value for option, value in suggested.items() if option in config.options()}
