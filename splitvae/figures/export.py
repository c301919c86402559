"""Decoded images as files: a sheet, a folder of PNGs, or arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import UserError
from ..models.codes import decode
from ..models.vae import VAE
from ..utils.files import atomic_write
from .io import save_figure, to_uint8
from .samples import draw_reconstructions, draw_sheet

__all__ = ["write_canvas"]


def write_canvas(
    path: Path, vae: VAE, z: Tensor, originals: Tensor | None = None, *, column: str = "blend", seed: int = 0
) -> None:
    """Decodes latents and writes the images.

    | path      | what is written                                                                       |
    | --------- | ------------------------------------------------------------------------------------- |
    | `*.npz`   | the arrays `image` (N, C, H, W), `images` (N, K, C, H, W) and `masks` of the canvas   |
    | `*.png`   | one sheet of all images, or of originals and their reconstructions in pairs of rows   |
    | no suffix | a folder of the files 00000.png, 00001.png, ...                                       |

    Arguments:
        path: The file or folder to write.
        vae: The model.
        z: The latents, with shape (N, D).
        originals: The images (N, C, H, W) that the latents are codes of, if the sheet is to show them.
        column: The images of a sheet or folder: `blend`, a component `x1`, `x2`, ..., or `mix`, a random one of each.
        seed: The seed of the mix.

    Raises:
        UserError: If the path has another suffix, or the model has no such component.
    """
    columns = ["blend", *(f"x{k + 1}" for k in range(vae.split)), "mix"] if vae.split > 1 else ["blend"]
    if column not in columns:
        has = f"it has {', '.join(columns)}" if vae.split > 1 else "it is not split"
        raise UserError(f"this model generates no {column!r}; {has}.")
    canvas = decode(vae, z)
    mix = torch.randint(vae.split, (len(z),), generator=torch.Generator().manual_seed(seed))
    shown = canvas.columns(mix)[column]
    if path.suffix == ".npz":
        with atomic_write(path) as draft, draft.open("wb") as file:
            np.savez(file, image=canvas.image.numpy(), images=canvas.images.numpy(), masks=canvas.masks.numpy())
    elif path.suffix == ".png":
        save_figure(draw_sheet(shown) if originals is None else draw_reconstructions(originals, canvas), path)
    elif path.suffix:
        raise UserError(
            f"{path} is neither .png nor .npz, the suffixes of a sheet and of arrays. Give a path with one of these, or a "
            "path without a suffix for a folder of PNGs."
        )
    else:
        for i, pixels in enumerate(to_uint8(shown)):
            with atomic_write(path / f"{i:05d}.png") as draft:
                Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(draft)
