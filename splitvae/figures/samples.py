"""Sheets of decoded images: samples, components, maps, reconstructions, interpolations and traversals.

Maps are gray from 0 (black) to 1 (white) and never rescaled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..errors import UserError, setting
from ..metrics.latents import kl_by_dimension
from ..models.codes import Codes, decode
from ..models.split import Canvas
from ..models.vae import VAE
from .grid import tile_images
from .io import save_figure

__all__ = [
    "draw_components",
    "draw_interpolations",
    "draw_maps",
    "draw_reconstructions",
    "draw_sheet",
    "draw_traversals",
    "label_latents",
    "list_components",
    "move_latents",
    "save_preview",
    "traversal_headings",
]

TRAVERSAL_STEPS = torch.linspace(-3, 3, 13)  # the values of a latent, in deviations of the prior
MAP_GAP_COLOUR = (170, 195, 225)  # a light blue, since maps may themselves be white


def save_preview(path: Path, vae: VAE, count: int = 64) -> None:
    """Writes a sheet of samples of the prior, whose latents are the same in every call, whatever state the model is in."""
    z = torch.randn(count, vae.latent_dim, generator=torch.Generator().manual_seed(0))
    save_figure(draw_sheet(decode(vae, z).image), path)


def draw_sheet(images: Tensor, columns: int | None = None) -> Figure:
    """Draws images (N, C, H, W) in rows of a number of columns, by default as many as rows."""
    return tile_images(images.split(columns or math.isqrt(max(0, len(images) - 1)) + 1))


def draw_components(canvas: Canvas, originals: Tensor | None = None) -> Figure:
    """Draws what each image is blended of, one column an image (the paper's figures 1-4, 7, 10 and 12).

    The rows are, for K = 2 components: the map sigma, the images x_1 and x_2, and the blend. For K > 2: all maps, all
    images, and the blend. For K = 1: the image.

    Arguments:
        canvas: The decoded images.
        originals: The images (B, C, H, W) that were reconstructed, shown in the first row, or None for samples.
    """
    rows = [("$x$", originals)] if originals is not None else []
    rows += list_components(canvas)
    return tile_images([images for _, images in rows], [label for label, _ in rows])


def list_components(canvas: Canvas) -> list[tuple[str, Tensor]]:
    """Returns what each image is blended of, the images (B, C, H, W) of each row with their label, from maps to blend."""
    split, rows = canvas.masks.shape[1], list[tuple[str, Tensor]]()
    if split == 2:
        rows += [(r"$\sigma$", canvas.masks[:, 0])]
    elif split > 2:
        rows += [(rf"$\sigma_{{{k + 1}}}$", canvas.masks[:, k]) for k in range(split)]
    if split > 1:
        rows += [(rf"$\hat x_{{{k + 1}}}$", canvas.images[:, k]) for k in range(split)]
    return [*rows, (r"$\hat x$", canvas.image)]


def draw_maps(canvas: Canvas, columns: int = 10) -> Figure:
    """Draws a sheet of the maps (the paper's figure 15): one a sample for K = 2, all K of a sample side by side for more.

    Raises:
        UserError: If the model is not split (K = 1).
    """
    split = canvas.masks.shape[1]
    if split == 1:
        raise UserError(f"an unsplit model (split=1) has no maps to draw; train a split one with {setting('split', 2)}.")
    if split == 2:
        return tile_images(canvas.masks[:, 0].split(columns), gap_colour=MAP_GAP_COLOUR)
    return tile_images(canvas.masks.flatten(0, 1).split(max(1, columns // split) * split), gap_colour=MAP_GAP_COLOUR)


def draw_reconstructions(x: Tensor, canvas: Canvas, columns: int = 10) -> Figure:
    """Draws pairs of rows: images x (B, C, H, W), and below them their reconstructions."""
    pairs = zip(x.split(columns), canvas.image.split(columns), strict=True)
    rows = [row for pair in pairs for row in pair]
    return tile_images(rows, [r"$x$", r"$\hat x$"] * (len(rows) // 2), rows_per_group=2)


@torch.no_grad()
def draw_interpolations(vae: VAE, pairs: Tensor, steps: int = 10) -> Figure:
    """Draws one row for each pair of codes: the images on the line between both, in equal steps.

    Arguments:
        vae: The model.
        pairs: The first and the last code of each row, with shape (R, 2, D).
        steps: The number of images in a row.
    """
    weights = torch.linspace(0, 1, steps, device=pairs.device)[:, None]
    return tile_images([vae.decode(torch.lerp(start, end, weights)).image for start, end in pairs])


@torch.no_grad()
def draw_traversals(vae: VAE, codes: Codes, rows: int = 10, base: int = 0) -> Figure:
    """Draws one row for each of the latents with the largest KL, which moves from -3 to 3 while the others are constant.

    The values are deviations of the prior. The KL of each latent, in nats, stands beside its row. Codes without noise need
    not follow the prior: there a latent moves by the codes' deviations, around the codes' mean.

    Arguments:
        vae: The model.
        codes: The codes of images, such as the test images.
        rows: The number of latents.
        base: The index of the image whose code gives the other latents.
    """
    latents = kl_by_dimension(codes.mean, codes.logvar).argsort(descending=True)[:rows].tolist()
    images = vae.decode(move_latents(codes.mean[base], latents, codes).flatten(0, 1).to(vae.device)).image
    return tile_images(images.split(len(TRAVERSAL_STEPS)), label_latents(latents, codes), traversal_headings())


def move_latents(z: Tensor, latents: Sequence[int], codes: Codes) -> Tensor:
    """Returns codes that differ from one code in one latent each, which moves from -3 to 3, shape (latents, steps, D).

    Arguments:
        z: The code, shape (D,).
        latents: The numbers of the latents.
        codes: Codes of images, around whose mean and by whose deviation a latent without noise moves.
    """
    centre, deviation = torch.zeros_like(z), torch.ones_like(z)
    if codes.logvar is None:
        centre, deviation = codes.mean.mean(0), codes.mean.std(0)
    moved = z.repeat(len(latents), len(TRAVERSAL_STEPS), 1)
    for row, latent in enumerate(latents):
        moved[row, :, latent] = centre[latent] + TRAVERSAL_STEPS * deviation[latent]
    return moved


def label_latents(latents: Sequence[int], codes: Codes) -> list[str]:
    """Returns the label of each latent: its number, and its KL in nats among codes of images."""
    kl = kl_by_dimension(codes.mean, codes.logvar)
    return [f"z{latent}   {kl[latent]:.2f} nats" for latent in latents]


def traversal_headings() -> list[str]:
    """Returns the heading of each step of a traversal: the whole numbers."""
    steps = TRAVERSAL_STEPS
    return [f"{step:+.0f}".replace("-", "−").replace("+0", "0") if step == step.round() else "" for step in steps]
