r"""Figures for introspective models: the plane through three codes, and the effect of one latent.

Both follow yukunchen113's public IntroVAE code. What its README shows as generated images are not samples of the prior but
decoded points of the plane through the codes z_0, z_1, z_2 of three images,

    z_0 + a (z_1 - z_0) + b (z_2 - z_0),     a, b in [0, 1] .

Its traversal moves one latent between its extremes over images while the others are 0, and then shifts all of them by one
and by two posterior deviations.
"""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..metrics.latents import kl_by_dimension
from ..models.codes import Codes
from ..models.vae import VAE
from .grid import tile_images

__all__ = ["draw_deviations", "draw_plane"]

SHIFTS_IN_DEVIATIONS = (0, 1, 2)


@torch.no_grad()
def draw_plane(vae: VAE, codes: Tensor, steps: int = 8) -> Figure:
    """Draws the plane through three codes, z_0 + a (z_1 - z_0) + b (z_2 - z_0), with a downwards and b to the right.

    The corners are z_0 (upper left), z_1 (lower left) and z_2 (upper right). The README of yukunchen113's IntroVAE shows
    such planes as generated images, there of drawn codes in 4 x 6 steps.

    Arguments:
        vae: The model.
        codes: The three codes, with shape (3, D), such as posterior means of test images.
        steps: The number of images along each side.
    """
    at = torch.linspace(0, 1, steps, device=codes.device)
    first, second = codes[1] - codes[0], codes[2] - codes[0]
    rows = [vae.decode(codes[0] + a * first + at[:, None] * second).image for a in at]
    return tile_images(rows)


@torch.no_grad()
def draw_deviations(vae: VAE, codes: Codes, steps: int = 10) -> Figure:
    """Draws the latent with the largest KL, from the largest to the smallest of its posterior means, in three rows.

    In the first row the other latents are 0. In the second and the third they are shifted by one and by two of their
    posterior deviations, averaged over images. For codes without noise they are the mean of the codes, shifted by the
    deviations of the codes. (yukunchen113's code moves the latent whose mean over images is farthest from 0, and shifts it
    together with the others.)

    Arguments:
        vae: The model.
        codes: The codes of images, such as the test images.
        steps: The number of images in a row.
    """
    kl = kl_by_dimension(codes.mean, codes.logvar)
    latent = int(kl.argmax())
    if codes.logvar is None:
        centre, deviation = codes.mean.mean(0), codes.mean.std(0, correction=0)
    else:
        centre, deviation = torch.zeros_like(codes.mean[0]), torch.exp(codes.logvar / 2).mean(0)
    values = torch.linspace(float(codes.mean[:, latent].max()), float(codes.mean[:, latent].min()), steps)
    z = torch.stack([centre + shift * deviation for shift in SHIFTS_IN_DEVIATIONS])[:, None].repeat(1, steps, 1)
    z[:, :, latent] = values
    images = vae.decode(z.flatten(0, 1)).image
    shifted = [rf"others $+{shift}\,\sigma$" for shift in SHIFTS_IN_DEVIATIONS[1:]]
    labels = [f"z{latent}   {kl[latent]:.2f} nats", *shifted]
    return tile_images(images.split(steps), labels, [f"{value:+.1f}".replace("-", "−") for value in values.tolist()])
