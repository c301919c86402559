"""Images as files: a sheet, a folder of PNGs, or arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from . import figures
from .errors import UserError
from .files import replacing
from .split import Canvas
from .vae import VAE

__all__ = ["decode", "picture", "to_uint8", "write_canvas"]


def to_uint8(images: Tensor) -> np.ndarray:
    """Float images (N, C, H, W) in [0, 1] to uint8 (N, H, W, C), rounded to the nearest."""
    return images.mul(255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()


@torch.no_grad()
def decode(vae: VAE, z: Tensor, size: int = 500) -> Canvas:
    """Decodes any number of latents (N, D) in batches, on the model's device; the canvas is on the CPU."""
    device = next(vae.parameters()).device
    canvases = [vae.decode(part.to(device)) for part in z.split(size)]
    return Canvas(*(torch.cat([c[i].cpu() for c in canvases]) for i in range(2)))


def write_canvas(out: Path, vae: VAE, z: Tensor, originals: Tensor | None = None) -> None:
    """Writes what latents are painted as: by suffix a .png sheet or an .npz, else a folder of PNGs."""
    canvas = decode(vae, z)
    if out.suffix == ".npz":
        with replacing(out) as draft, draft.open("wb") as file:
            np.savez(file, image=canvas.image.numpy(), images=canvas.images.numpy(), masks=canvas.masks.numpy())
    elif out.suffix == ".png":
        picture = figures.sheet(canvas.image) if originals is None else figures.reconstructions(originals, canvas)
        figures.save(picture, out)
    elif out.suffix:
        raise UserError(f"{out} is neither .png nor .npz; without a suffix it is a folder of PNGs.")
    else:
        for i, pixels in enumerate(to_uint8(canvas.image)):
            with replacing(out / f"{i:05d}.png") as draft:
                Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(draft)


def picture(out: Path, vae: VAE, n: int = 64) -> None:
    """Draws the same fixed samples of a model, whatever its state of training."""
    z = torch.randn(n, vae.latent_dim, generator=torch.Generator().manual_seed(0))
    figures.save(figures.sheet(decode(vae, z).image), out)
