"""Decoded images as files: a sheet, a folder of PNGs, or arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from ..errors import UserError
from ..models.codes import decode
from ..models.vae import VAE
from ..utils.files import atomic_write
from .io import save_figure, to_uint8
from .samples import draw_reconstructions, draw_sheet

__all__ = ["write_canvas"]


def write_canvas(path: Path, vae: VAE, z: Tensor, originals: Tensor | None = None) -> None:
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

    Raises:
        UserError: If the path has another suffix.
    """
    canvas = decode(vae, z)
    if path.suffix == ".npz":
        with atomic_write(path) as draft, draft.open("wb") as file:
            np.savez(file, image=canvas.image.numpy(), images=canvas.images.numpy(), masks=canvas.masks.numpy())
    elif path.suffix == ".png":
        save_figure(draw_sheet(canvas.image) if originals is None else draw_reconstructions(originals, canvas), path)
    elif path.suffix:
        raise UserError(
            f"{path} is neither .png nor .npz, the suffixes of a sheet and of arrays. Give a path with one of these, or a "
            "path without a suffix for a folder of PNGs."
        )
    else:
        for i, pixels in enumerate(to_uint8(canvas.image)):
            with atomic_write(path / f"{i:05d}.png") as draft:
                Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(draft)
