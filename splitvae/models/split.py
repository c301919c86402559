r"""Splitting: K images and K maps that sum to one, blended into one image.

A decoder's logits hold K - 1 map channels m_1 .. m_{K-1}, then K images of C channels. With m_K = 0,

    x_k = sigmoid(logits_k),   s_k = exp(m_k) / sum_j exp(m_j),   xhat = sum_k s_k x_k .

K = 1 is the plain decoder and K = 2 the Split-VAE, xhat = s x_1 + (1 - s) x_2 with s = sigmoid(m_1). The squared error
of xhat leaves one thing free (the ambiguity decomposition):

    sum_k s_k (x - x_k)^2 = (x - xhat)^2 + A,     A = sum_k s_k (x_k - xhat)^2 ,

so adding a share of A moves from the paper's free split (0) to components that each explain what they claim (1).

References: Enhancing variational generation through self-decomposition (Asperti, Bugo, Filippini, 2022);
Neural network ensembles, cross validation, and active learning (Krogh, Vedelsby, 1995).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import UserError

__all__ = ["Canvas", "ambiguity", "compose", "logit_channels", "smoothness"]


class Canvas(NamedTuple):
    """What a decoder paints.

    images: the components x_k, shape (B, K, C, H, W), in [0, 1].
    masks: the maps s_k, shape (B, K, 1, H, W), positive, summing to one over K; all ones where K = 1.
    """

    images: Tensor
    masks: Tensor

    @property
    def image(self) -> Tensor:
        """The blend xhat = sum_k s_k x_k, shape (B, C, H, W), in [0, 1]."""
        return (self.masks * self.images).sum(1)


def logit_channels(channels: int, split: int) -> int:
    """The number of logit channels, K C + K - 1."""
    if split < 1:
        raise UserError(f"split={split} paints no image; 1 is a plain decoder, 2 a Split-VAE.")
    return split * channels + split - 1


def compose(logits: Tensor, split: int) -> Canvas:
    """Logits (B, K C + K - 1, H, W), maps first, to a `Canvas`, in float32."""
    maps, images = logits.float().tensor_split([split - 1], dim=1)
    images = torch.sigmoid(images).unflatten(1, (split, -1))
    if split == 1:
        return Canvas(images, torch.ones_like(images[:, :, :1]))
    maps = torch.cat((maps, torch.zeros_like(maps[:, :1])), dim=1)
    return Canvas(images, torch.softmax(maps, dim=1).unsqueeze(2))


def ambiguity(canvas: Canvas) -> Tensor:
    """The ambiguity A = sum_k s_k (x_k - xhat)^2, summed over pixels and channels, shape (B,)."""
    spread = (canvas.images - canvas.image.unsqueeze(1)).square()
    return (canvas.masks * spread).sum((1, 2, 3, 4))


def smoothness(masks: Tensor) -> Tensor:
    """Half the total variation of K maps (B, K, 1, H, W), summed over pixels, shape (B,); for K = 2 that of s itself."""
    down = (masks[..., 1:, :] - masks[..., :-1, :]).abs().sum((1, 2, 3, 4))
    across = (masks[..., 1:] - masks[..., :-1]).abs().sum((1, 2, 3, 4))
    return (down + across) / 2
