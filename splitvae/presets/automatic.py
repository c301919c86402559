"""TODO docstring of presets.automatic."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from ..config import Config
from ..networks.introvae import INTRO_SIDES
from ..networks.layers import SIDES

__all__ = ["suggest"]


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
