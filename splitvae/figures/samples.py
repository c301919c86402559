"""TODO docstring of figures.samples."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..errors import UserError
from ..metrics.latents import kl_by_dimension
from ..models.codes import Codes, decode
from ..models.split import Canvas
from ..models.vae import VAE
from .grid import tiles
from .io import save

__all__ = ["components", "interpolations", "maps", "picture", "reconstructions", "sheet", "traversals"]


def picture(out: Path, vae: VAE, n: int = 64) -> None:
    """Draws the same fixed samples of a model, whatever its state of training."""
    z = torch.randn(n, vae.latent_dim, generator=torch.Generator().manual_seed(0))
    save(sheet(decode(vae, z).image), out)


BLUE = (170, 195, 225)  # between maps, since they may be white themselves


# ---------------------------------------------------------------- sheets of images


def sheet(images: Tensor, columns: int | None = None) -> Figure:
    """A plain sheet of images (N, C, H, W), nearly square unless `columns` are given."""
    return tiles(images.split(columns or math.isqrt(max(0, len(images) - 1)) + 1))


def components(canvas: Canvas, originals: Tensor | None = None) -> Figure:
    """One column an image: what it is blended of, and the blend (the paper's figures 1-4, 7, 10 and 12).

    Rows for K = 2: the map s, x_1, x_2, xhat. For more: all K maps, all K images, xhat. For K = 1: xhat. `originals`
    (B, C, H, W), if these are reconstructions, come first.
    """
    split = canvas.masks.shape[1]
    rows = [("$x$", originals)] if originals is not None else []
    if split == 2:
        rows += [(r"$\sigma$", canvas.masks[:, 0])]
    elif split > 2:
        rows += [(rf"$\sigma_{{{k + 1}}}$", canvas.masks[:, k]) for k in range(split)]
    if split > 1:
        rows += [(rf"$\hat x_{{{k + 1}}}$", canvas.images[:, k]) for k in range(split)]
    rows += [(r"$\hat x$", canvas.image)]
    return tiles([images for _, images in rows], [label for label, _ in rows])


def maps(canvas: Canvas, columns: int = 10) -> Figure:
    """A sheet of the maps, as the paper's figure 15: of s for K = 2, of all K of a sample side by side for more."""
    split = canvas.masks.shape[1]
    if split == 1:
        raise UserError("an unsplit model (split=1) paints no map; train one with --split 2.")
    if split == 2:
        return tiles(canvas.masks[:, 0].split(columns), gap=BLUE)
    return tiles(canvas.masks.flatten(0, 1).split(max(1, columns // split) * split), gap=BLUE)


def reconstructions(x: Tensor, canvas: Canvas, columns: int = 10) -> Figure:
    """Pairs of rows: images x (B, C, H, W), and their reconstructions below."""
    pairs = zip(x.split(columns), canvas.image.split(columns), strict=True)
    rows = [row for pair in pairs for row in pair]
    return tiles(rows, [r"$x$", r"$\hat x$"] * (len(rows) // 2), group=2)


@torch.no_grad()
def interpolations(vae: VAE, pairs: Tensor, steps: int = 10) -> Figure:
    """One row a pair of codes (R, 2, D): what lies on the line between them, in equal steps."""
    at = torch.linspace(0, 1, steps, device=pairs.device)[:, None]
    rows = [vae.decode(torch.lerp(a, b, at)).image for a, b in pairs]
    return tiles(rows)


@torch.no_grad()
def traversals(vae: VAE, codes: Codes, rows: int = 10, base: int = 0) -> Figure:
    """One row a latent, from -3 to 3 deviations of the prior, the others as image `base` has them.

    The latents are those used most: the largest KL, in nats, given beside each. Codes without noise owe the prior
    nothing: their rows run over the codes' own mean and deviations.
    """
    kl = kl_by_dimension(codes.mean, codes.logvar)
    centre, spread = torch.zeros_like(codes.mean[0]), torch.ones_like(codes.mean[0])
    if codes.logvar is None:
        centre, spread = codes.mean.mean(0), codes.mean.std(0)
    used = kl.argsort(descending=True)[:rows].tolist()
    steps = torch.linspace(-3, 3, 13)
    z = codes.mean[base].repeat(len(used), len(steps), 1)
    for i, j in enumerate(used):
        z[i, :, j] = centre[j] + steps * spread[j]
    images = vae.decode(z.flatten(0, 1).to(next(vae.parameters()).device)).image
    labels = [f"$z_{{{j}}}$   {kl[j]:.2f} nats" for j in used]
    headings = [f"{step:+.0f}".replace("-", "−").replace("+0", "0") if step == step.round() else "" for step in steps]
    return tiles(images.split(len(steps)), labels, headings)
