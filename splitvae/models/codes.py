"""Codes of any number of images, encoded and decoded in batches."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..data.images import Images, batches
from .inference import inference_batch_size
from .split import Canvas
from .vae import VAE

__all__ = ["Codes", "decode", "encode"]


class Codes(NamedTuple):
    """The codes of N images, and their labels.

    Arguments:
        mean: The posterior means, shape (N, D).
        logvar: The posterior log-variances, shape (N, D); None for a latent without noise.
        labels: The labels of the images; None if they have none.
    """

    mean: Tensor
    logvar: Tensor | None
    labels: Tensor | None = None


@torch.no_grad()
def encode(vae: VAE, images: Images) -> Codes:
    """Encodes images in batches and returns their codes on the CPU.

    The model stays in its mode: call `vae.eval()` first, so that BatchNorm uses its running statistics.

    Arguments:
        vae: The model.
        images: The images, in the model's shape.
    """
    device = next(vae.parameters()).device
    posteriors = [vae.encode(x) for x in batches(images.pixels, device, inference_batch_size(vae))]
    mean = torch.cat([p.mean for p in posteriors]).cpu()
    logvars = [p.logvar for p in posteriors if p.logvar is not None]
    return Codes(mean, torch.cat(logvars).cpu() if logvars else None, images.labels)


@torch.no_grad()
def decode(vae: VAE, z: Tensor, batch_size: int | None = None) -> Canvas:
    """Decodes latents in batches and returns the canvas on the CPU.

    Arguments:
        vae: The model.
        z: The latents, shape (N, D), on any device.
        batch_size: The number of latents that are decoded at once; by default as many as memory allows, at most 500.
    """
    device = next(vae.parameters()).device
    canvases = (vae.decode(part.to(device)) for part in z.split(batch_size or inference_batch_size(vae)))
    decoded = [[tensor.cpu() for tensor in canvas] for canvas in canvases]  # each batch leaves the device at once
    return Canvas(*(torch.cat(tensors) for tensors in zip(*decoded, strict=True)))
