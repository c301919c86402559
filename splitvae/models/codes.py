"""TODO docstring of models.codes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..data.images import Images, batches
from .split import Canvas
from .vae import VAE

__all__ = ["Codes", "decode", "encode"]


@torch.no_grad()
def decode(vae: VAE, z: Tensor, size: int = 500) -> Canvas:
    """Decodes any number of latents (N, D) in batches, on the model's device; the canvas is on the CPU."""
    device = next(vae.parameters()).device
    canvases = [vae.decode(part.to(device)) for part in z.split(size)]
    return Canvas(*(torch.cat([c[i].cpu() for c in canvases]) for i in range(2)))


class Codes(NamedTuple):
    """Posterior means and log-variances of N images, each (N, D), and their labels where there are any.

    There are no log-variances where codes have no noise.
    """

    mean: Tensor
    logvar: Tensor | None
    labels: Tensor | None = None


@torch.no_grad()
def encode(vae: VAE, images: Images) -> Codes:
    """Codes of images with a model as it is, on the CPU."""
    device = next(vae.parameters()).device
    posteriors = [vae.encode(x) for x in batches(images.pixels, device)]
    mean = torch.cat([p.mean for p in posteriors]).cpu()
    noise = [p.logvar for p in posteriors if p.logvar is not None]
    return Codes(mean, torch.cat(noise).cpu() if noise else None, images.labels)
