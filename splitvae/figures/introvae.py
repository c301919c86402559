r"""Figures by which introspective models are known: what lies between images, what one latent does, how the KLs run.

The first two are those of yukunchen113's public IntroVAE code. With codes z_i of three images, its "image generation" is
no sampling of the prior but the plane

    z_0 + a (z_1 - z_0) + b (z_2 - z_0),     a, b in [0, 1] ,

and its traversal moves one latent between the extremes that images take there, the others being 0, and then all of them
moved by one and two posterior deviations.
"""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..metrics.latents import kl_by_dimension
from ..models.codes import Codes
from ..models.vae import VAE
from .grid import tiles

__all__ = ["deviations", "plane"]

SHIFTS = (0, 1, 2)  # deviations


@torch.no_grad()
def plane(vae: VAE, codes: Tensor, steps: int = 8) -> Figure:
    """The plane through three codes (3, D): z_0 + a (z_1 - z_0) + b (z_2 - z_0), a down and b to the right, in equal steps.

    The corners are z_0, at the upper left, z_1 below and z_2 to its right. Codes of test images make it what the
    README of yukunchen113's IntroVAE shows as generated images (there of drawn codes, in 4 x 6 steps). Nothing is drawn
    from the prior.
    """
    at = torch.linspace(0, 1, steps, device=codes.device)
    first, second = codes[1] - codes[0], codes[2] - codes[0]
    rows = [vae.decode(codes[0] + a * first + at[:, None] * second).image for a in at]
    return tiles(rows)


@torch.no_grad()
def deviations(vae: VAE, codes: Codes, steps: int = 10) -> Figure:
    """The most used latent, from the largest to the smallest of its posterior means, in three rows.

    In the first row the other latents are 0, in the next ones moved by one and two of their posterior deviations, averaged
    over images. The latent is that with the largest KL, in nats (yukunchen113's code takes that whose mean over images is
    farthest from 0, and moves it along with the others). Codes without noise have no such deviation: theirs is that of
    the codes, about whose mean the rows are.
    """
    kl = kl_by_dimension(codes.mean, codes.logvar)
    j = int(kl.argmax())
    if codes.logvar is None:
        centre, spread = codes.mean.mean(0), codes.mean.std(0, correction=0)
    else:
        centre, spread = torch.zeros_like(codes.mean[0]), torch.exp(codes.logvar / 2).mean(0)
    values = torch.linspace(float(codes.mean[:, j].max()), float(codes.mean[:, j].min()), steps)
    z = torch.stack([centre + shift * spread for shift in SHIFTS])[:, None].repeat(1, steps, 1)
    z[:, :, j] = values
    images = vae.decode(z.flatten(0, 1)).image
    labels = [f"$z_{{{j}}}$   {kl[j]:.2f} nats", *(rf"others $+{shift}\,\sigma$" for shift in SHIFTS[1:])]
    return tiles(images.split(steps), labels, [f"{value:+.1f}".replace("-", "−") for value in values.tolist()])
