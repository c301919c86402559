"""Figures of images that a person chose: a path between two of them, and what single latents change in one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..models.codes import Codes, decode
from ..models.vae import VAE
from .grid import tile_images
from .samples import TRAVERSAL_STEPS, label_latents, list_components, move_latents, traversal_headings

__all__ = ["draw_path", "draw_traversal"]


@torch.no_grad()
def draw_path(vae: VAE, ends: Tensor, steps: int = 10) -> Figure:
    """Draws the images on the line between the codes of two images, in equal steps, with their maps and components.

    The first row holds the two images themselves.

    Arguments:
        vae: The model.
        ends: The two images, shape (2, C, H, W), floats in [0, 1].
        steps: The number of images on the line, with both ends.
    """
    start, end = vae.encode(ends.to(vae.device)).mean.cpu()
    weights = torch.linspace(0, 1, steps)[:, None]
    rows = list_components(decode(vae, torch.lerp(start, end, weights)))
    originals = torch.ones(steps, *ends.shape[1:])
    originals[0], originals[-1] = ends.cpu()
    headings = [f"{weight:.2g}" for weight in weights[:, 0].tolist()]
    return tile_images([originals, *(images for _, images in rows)], ["$x$", *(label for label, _ in rows)], headings)


@torch.no_grad()
def draw_traversal(vae: VAE, image: Tensor, latents: Sequence[int], codes: Codes) -> Figure:
    """Draws what each of some latents changes in an image, with the maps and components of a split model.

    A latent moves from -3 to 3, in deviations of the prior, while the others keep the values of the image's code. Each
    latent has a row of blends, and rows of maps and components above it if the model is split.

    Arguments:
        vae: The model.
        image: The image, shape (C, H, W), floats in [0, 1].
        latents: The numbers of the latents.
        codes: Codes of images, such as the test images; the KL of a latent among them stands beside its row.
    """
    z = vae.encode(image[None].to(vae.device)).mean[0].cpu()
    canvas = decode(vae, move_latents(z, latents, codes).flatten(0, 1))
    components = list_components(canvas)
    rows, labels, steps = [], [], len(TRAVERSAL_STEPS)
    for i, name in enumerate(label_latents(latents, codes)):
        for j, (label, images) in enumerate(components):
            rows.append(images[i * steps : (i + 1) * steps])
            of_latent = name if j == 0 else ""
            labels.append(f"{of_latent}   {label}" if len(components) > 1 else of_latent)
    group = len(components) if len(components) > 1 else 0
    return tile_images(rows, labels, traversal_headings(), rows_per_group=group)
