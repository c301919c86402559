"""How many images a model encodes and decodes at once where nothing is trained."""

from __future__ import annotations

from typing import Any

from torch import nn

from ..utils.memory import images_per_batch

__all__ = ["MOST_IMAGES", "inference_batch_size"]

MOST_IMAGES = 500


def inference_batch_size(model: Any, most: int = MOST_IMAGES) -> int:
    """Returns the number of images in a batch of an evaluation: at most `most`, fewer for large images or wide networks.

    To encode such a batch and decode its codes takes at most `INFERENCE_BYTES` beside the weights (utils/memory.py).

    Arguments:
        model: The model. One that is no `VAE`, such as a formula in closed form, takes `most`.
        most: The largest result.
    """
    if not isinstance(model, nn.Module) or not hasattr(model, "settings"):
        return most
    vae: Any = model
    key = repr(vae.settings)  # models of the same settings need the same
    return images_per_batch(model, vae.shape, most, lambda x: vae.decode(vae.encode(x).mean), key)
