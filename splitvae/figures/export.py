"""Images as files: a sheet, a folder of PNGs, or arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from ..errors import UserError
from ..models.codes import decode
from ..models.vae import VAE
from ..utils.files import atomic_write
from .io import save
from .samples import reconstructions, sheet

__all__ = ["to_uint8", "write_canvas"]


def to_uint8(images: Tensor) -> np.ndarray:
    """Float images (N, C, H, W) in [0, 1] to uint8 (N, H, W, C), rounded to the nearest."""
    return images.mul(255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()


def write_canvas(out: Path, vae: VAE, z: Tensor, originals: Tensor | None = None) -> None:
    """Writes what latents are painted as: by suffix a .png sheet or an .npz, else a folder of PNGs."""
    canvas = decode(vae, z)
    if out.suffix == ".npz":
        with atomic_write(out) as draft, draft.open("wb") as file:
            np.savez(file, image=canvas.image.numpy(), images=canvas.images.numpy(), masks=canvas.masks.numpy())
    elif out.suffix == ".png":
        picture = sheet(canvas.image) if originals is None else reconstructions(originals, canvas)
        save(picture, out)
    elif out.suffix:
        raise UserError(f"{out} is neither .png nor .npz; without a suffix it is a folder of PNGs.")
    else:
        for i, pixels in enumerate(to_uint8(canvas.image)):
            with atomic_write(out / f"{i:05d}.png") as draft:
                Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(draft)
