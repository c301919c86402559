"""The loss on images that are held out from the training."""

from __future__ import annotations

from collections.abc import Callable

import torch
from lightning_fabric import Fabric

from ..models.vae import VAE
from ..objectives.base import Loss
from ..utils.collectives import all_reduce
from .batches import TrainingImages
from .fabric import isolated_evaluation

__all__ = ["measure_held_out"]


def measure_held_out(
    loss: Loss, vae: VAE, images: TrainingImages, step: int, seed: int, fabric: Fabric, take_turn: Callable[[], None]
) -> dict[str, float]:
    """Returns the mean terms of the loss on held-out images, in evaluation mode, with the same noise each time.

    Those that the loss divides by the number of groups are per image, as in the history. Without held-out images there are
    none.

    Arguments:
        loss: The loss, which is in training mode afterwards.
        vae: The model, which is in evaluation mode afterwards.
        images: The images.
        step: The number of steps that were made.
        seed: The seed of the noise.
        fabric: The devices; all processes must call this.
        take_turn: A function that waits, before each batch, for other trainings on this machine.
    """
    if not images.held_out_count:
        return {}
    count = len(images.held_out_order().rows)
    per_group = loss.terms_per_group() if vae.has_group_terms else frozenset[str]()
    validation_step = loss.validation_step(step)
    vae.eval()
    loss.eval()
    terms: dict[str, float] = {}
    with isolated_evaluation(fabric, seed):
        for x, group in images.held_out_batches():
            take_turn()
            for _ in loss(vae, x, group, validation_step):
                pass
            for name in ("loss", "mse", "kl"):
                members = len(x) if group is None or name not in per_group else group.total
                terms[name] = terms.get(name, 0.0) + float(loss.logs[name]) * members / count
    loss.train()
    if fabric.world_size > 1:  # a schedule decides by them, which must decide the same in each process
        means = all_reduce(torch.tensor(list(terms.values()), device=fabric.device), "mean").tolist()
        terms = dict(zip(terms, means, strict=True))
    return {f"val_{name}": value for name, value in terms.items()}
