"""Settings for images of which nothing is known but shape and number: what `splitvae train --data FOLDER` trains."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from ..config import Config

__all__ = ["suggest_settings"]

STEPS = 10_000  # about as many steps as a training takes
LATENT_DIMS = {1: {16: 16, 32: 32, 64: 64, 128: 128}, 3: {16: 64, 32: 128, 64: 150, 128: 200}}  # by channels and side


def suggest_settings(
    shape: tuple[int, int, int], count: int, cuda: bool, config: Config, fixed: Set[str] = frozenset()
) -> dict[str, Any]:
    """Returns settings by flat name that suit images.

    The side becomes the nearest that the network reaches (padded where that adds at most an eighth, else resized). A
    machine without a GPU gets the small network. The number of epochs makes about 10,000 steps. The weights are those that
    the objective suggests for the shape.

    Arguments:
        shape: The channels, height and width of the images.
        count: The number of images.
        cuda: Whether there is a CUDA device.
        config: The settings so far, whose network and objective are kept.
        fixed: The options that the user has given, which other suggestions follow.
    """
    channels, side = shape[0], shape[1]
    sides = config.model.net.sides
    target = next((s for s in sides if s >= side), sides[-1])
    padded = (target - side) % 2 == 0 and (target - side) * 8 <= target
    target = target if padded else min(sides, key=lambda s: (abs(s - side), -s))
    batch = max(2, min(100, count // 10))
    suggested: dict[str, Any] = {
        "shape": (channels, target, target),
        "pad": (target - side) // 2 if padded else 0,
        "mirror": channels == 3,
        "latent_dim": LATENT_DIMS[channels].get(target, 512),
        "scales": min(4, target.bit_length() - 2),
        "width": 64 if cuda else 16,
        "batch_size": batch,
        "epochs": max(5, min(250, round(STEPS * batch / count))),
    }
    is_open = "latent_dim" not in fixed and config.model.latent_dim == Config().model.latent_dim
    latent_dim = suggested["latent_dim"] if is_open else config.model.latent_dim
    suggested |= config.objective.suggest(suggested["shape"], latent_dim)
    if "vae_epochs" in suggested and "epochs" in fixed and config.training.epochs == 1:
        suggested["vae_epochs"] = 0  # a training of one epoch is for the objective
    return {option: value for option, value in suggested.items() if option in config.options()}
