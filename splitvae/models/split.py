r"""The split: a decoder generates K images x_k, the components, and K maps s_k, which blend them into one image xhat.

The decoder's logits are K - 1 channels for the maps, then K images of C channels. With m_1 ... m_{K-1} the former times the
map scale, which is 1 in the paper, and m_K = 0,

    x_k = sigmoid(logits_k),   s_k = exp(m_k) / sum_j exp(m_j),   xhat = sum_k s_k x_k .

The maps sum to one at every pixel. K = 1 is a plain decoder; K = 2 is the Split-VAE, whose maps are s = sigmoid(m_1) and
1 - s. The ambiguity decomposition, for an image x, is

    sum_k s_k (x - x_k)^2 = (x - xhat)^2 + A,     A = sum_k s_k (x_k - xhat)^2 ,

with A the ambiguity. The paper's loss contains the squared error of xhat, which leaves A free. A loss that also contains A
with weight 1 is that of the left side: each component must explain the pixels at which its map is large.

References: Enhancing variational generation through self-decomposition (Asperti, Bugo, Filippini, IEEE Access 2022),
https://doi.org/10.1109/ACCESS.2022.3185654; Neural network ensembles, cross validation, and active learning (Krogh,
Vedelsby, 1995).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import instance_norm

from ..errors import UserError, setting

__all__ = ["Canvas", "ambiguity", "compose", "count_logit_channels", "smoothness"]


class Canvas(NamedTuple):
    """What a decoder generates.

    Arguments:
        images: The components x_k, shape (B, K, C, H, W), in [0, 1].
        masks: The maps s_k, shape (B, K, 1, H, W), positive, with sum 1 over K; all ones if K = 1.
    """

    images: Tensor
    masks: Tensor

    def __repr__(self) -> str:
        count, k, *shape = self.images.shape
        return f"Canvas({count} images of {tuple(shape)}, split={k})"

    @property
    def image(self) -> Tensor:
        """The blend xhat = sum_k s_k x_k, shape (B, C, H, W), in [0, 1]."""
        return (self.masks * self.images).sum(1)

    def columns(self, mix: Tensor) -> dict[str, Tensor]:
        """Returns images (B, C, H, W) by name: `blend`, and for K > 1 the components `x1`, `x2`, ..., and their `mix`.

        Arguments:
            mix: The component that `mix` takes of each image, shape (B,), integers below K.
        """
        columns, count = {"blend": self.image}, self.images.shape[1]
        if count > 1:
            columns |= {f"x{k + 1}": self.images[:, k] for k in range(count)}
            columns["mix"] = self.images[torch.arange(len(mix)), mix.to(self.images.device)]
        return columns


def count_logit_channels(channels: int, split: int) -> int:
    """Returns the number of channels of a decoder's logits, K C + K - 1.

    Arguments:
        channels: The number C of channels of an image.
        split: The number K of components.

    Raises:
        UserError: For a split below 1.
    """
    if split < 1:
        raise UserError(f"{setting('split', split)} must be at least 1; 1 is a plain decoder, 2 a Split-VAE.")
    return split * channels + split - 1


def compose(logits: Tensor, split: int, map_scale: float = 1.0, map_norm: bool = False) -> Canvas:
    """Converts logits to a `Canvas`, in float32.

    Arguments:
        logits: The output of a decoder, shape (B, K C + K - 1, H, W), maps first.
        split: The number K of components.
        map_scale: The factor on the logits of the maps.
        map_norm: Whether the logits of each map of each image first get mean 0 and variance 1 over its pixels (instance
            normalisation). No component then has the whole image.
    """
    maps, images = logits.float().tensor_split([split - 1], dim=1)
    images = torch.sigmoid(images).unflatten(1, (split, -1))
    if split == 1:
        return Canvas(images, torch.ones_like(images[:, :, :1]))
    if map_norm:
        maps = instance_norm(maps)
    maps = map_scale * torch.cat((maps, torch.zeros_like(maps[:, :1])), dim=1)
    return Canvas(images, torch.softmax(maps, dim=1).unsqueeze(2))


def ambiguity(canvas: Canvas) -> Tensor:
    """Returns A = sum_k s_k (x_k - xhat)^2, summed over pixels and channels, shape (B,)."""
    squares = (canvas.images - canvas.image.unsqueeze(1)).square()
    return (canvas.masks * squares).sum((1, 2, 3, 4))


def smoothness(masks: Tensor) -> Tensor:
    """Returns half the total variation of the maps, summed over K and over pixels, shape (B,).

    For K = 2 it is the total variation of one map, since the two vary equally.

    Arguments:
        masks: The maps, shape (B, K, 1, H, W).
    """
    down = (masks[..., 1:, :] - masks[..., :-1, :]).abs().sum((1, 2, 3, 4))
    across = (masks[..., 1:] - masks[..., :-1]).abs().sum((1, 2, 3, 4))
    return (down + across) / 2
