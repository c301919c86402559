"""What `VAE.encode` and `VAE.decode` take: any kind of images and latents, or a sentence about what is wrong with them.

A batch of a training step passes by type and shape alone: floats (B, C, H, W) on the device. Of a model in training mode
values are looked at only once, since a step must not wait for what it reads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.convert import as_images
from ..errors import UserError

__all__ = ["to_images", "to_latents"]

VALUES_OF_OTHER_RANGES = (-0.9, 1.9)  # beyond these values, floats are no images in [0, 1] with some noise


def to_images(
    x: Any, shape: tuple[int, int, int], device: torch.device, dtype: torch.dtype, checks_values: bool = True
) -> Tensor:
    """Returns images as floats (B, C, H, W) in [0, 1] on a device.

    Arguments:
        x: The images: floats (B, C, H, W) or (C, H, W), or what else `splitvae.as_images` takes.
        shape: The shape (C, H, W) of an image of the model.
        device: The device of the model.
        dtype: The type of the model's weights.
        checks_values: Whether the values of floats are looked at, for which the program waits.

    Raises:
        UserError: For images of another shape, and for values of another range where they are looked at.
    """
    if isinstance(x, np.ndarray) and x.dtype.kind == "f":
        x = torch.from_numpy(np.array(x, np.float32 if x.dtype.itemsize < 8 else np.float64))
    if not isinstance(x, Tensor) or (not x.is_floating_point() and x.dtype != torch.uint8):
        x = as_images(x).pixels
    if x.shape[1:] != shape:
        x = _to_layout(x, shape)
    if x.shape[1:] != shape:
        raise UserError(
            f"this model reads images of shape (B, {', '.join(map(str, shape))}), not {tuple(x.shape)}; "
            "`splitvae.as_images(images, vae.shape)` brings them to it, with pad=2 for a preset that pads (MNIST)."
        )
    if x.dtype == torch.uint8:
        return x.to(device).to(dtype) / 255
    if checks_values:
        _check_range(x)
    return x.to(device, dtype)


def _to_layout(x: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Returns a single image, images whose channels come last, or gray ones without channels, as (B, C, H, W)."""
    channels, *sides = shape
    if x.ndim > 2 and x.shape[-3:] == (*sides, channels):
        x = x.movedim(-1, -3)
    if channels == 1 and x.ndim in (2, 3) and list(x.shape[-2:]) == sides and x.shape != shape:
        x = x.unsqueeze(-3)
    return x[None] if x.shape == shape else x


def _check_range(x: Tensor) -> None:
    """Raises UserError for floats that are no images in [0, 1]; NaN is left to the alarms of a training."""
    if x.device.type == "meta" or not x.numel() or torch.compiler.is_compiling() or torch.jit.is_tracing():
        return
    low, high = (float(value) for value in x.detach().aminmax())
    least, most = VALUES_OF_OTHER_RANGES
    if low < least or high > most:
        remedy = "divide them by 255, or give bytes as uint8"
        if low < 0:
            remedy = "bring those of [-1, 1] there by (x + 1) / 2, or undo their normalisation"
        raise UserError(f"this model reads values in [0, 1], and these go from {low:.4g} to {high:.4g}; {remedy}.")


def to_latents(z: Any, latent_dim: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Returns latents as floats (B, D) on a device.

    Arguments:
        z: The latents: a tensor, an array or lists of numbers, of shape (B, D) or (D,).
        latent_dim: The dimension D.
        device: The device of the model.
        dtype: The type of the model's weights.

    Raises:
        UserError: For latents of another shape, and for what holds no numbers.
    """
    if not isinstance(z, Tensor):
        try:
            z = torch.as_tensor(np.asarray(z, dtype=np.float64))
        except (TypeError, ValueError, RuntimeError):
            raise UserError(
                f"a {type(z).__name__} is no latent; give z of shape (B, {latent_dim}), such as vae.encode(x).mean."
            ) from None
    if z.shape == (latent_dim,):
        z = z[None]
    if z.ndim != 2 or z.shape[1] != latent_dim:
        raise UserError(
            f"this model decodes latents of shape (B, {latent_dim}), not {tuple(z.shape)}; give those of this model, such "
            "as vae.encode(x).mean."
        )
    return z.to(device, dtype)
