r"""Separate decoders for a split: K small networks share the latent, and each generates one component and its map.

Decoder k maps z to the logits of image x_k and one channel n_k. The maps are

    s_k = exp(n_k) / sum_j exp(n_j) ,

which is the softmax of split.py with m_k = n_k - n_K: what `SeparateDecoders` returns are the same logits as those of one
decoder. No component differs from the others, although the last one's m_K is 0 there.

The K decoders are those of the same network at a smaller width, the one at which they have together as many parameters as
the one shared decoder, as near as whole numbers of channels allow.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..errors import UserError, setting
from ..networks.base import EncoderDecoder, Network
from .split import count_logit_channels

__all__ = ["SeparateDecoders", "build_separate", "narrow_network"]


class SeparateDecoders(nn.Module):
    """Maps latents to the logits of a split, (B, D) -> (B, K C + K - 1, H, W), by K networks.

    Arguments:
        decoders: The networks, (B, D) -> (B, 1 + C, H, W), map first.
    """

    def __init__(self, decoders: Sequence[nn.Module]) -> None:
        super().__init__()
        self.decoders = nn.ModuleList(decoders)

    def forward(self, z: Tensor) -> Tensor:
        logits = torch.stack([decoder(z) for decoder in self.decoders], dim=1)
        maps, images = logits[:, :, 0].float(), logits[:, :, 1:]
        return torch.cat((maps[:, :-1] - maps[:, -1:], images.flatten(1, 2)), dim=1)


def build_separate(net: Network, shape: tuple[int, int, int], latent_dim: int, split: int) -> EncoderDecoder:
    """Returns the untrained encoder of a network, and the decoders of the same network with fewer channels.

    Arguments:
        net: The network.
        shape: The shape (C, H, W) of an image.
        latent_dim: The dimension D of the latent.
        split: The number K of components, at least 2.

    Raises:
        UserError: If the network has no size by which its decoder could be made smaller.
    """
    narrow = narrow_network(net, shape, latent_dim, split)
    decoders = [narrow.build(shape, latent_dim, shape[0] + 1).decoder for _ in range(split)]
    return EncoderDecoder(net.build(shape, latent_dim, shape[0] + 1).encoder, SeparateDecoders(decoders))


def narrow_network(net: Network, shape: tuple[int, int, int], latent_dim: int, split: int) -> Network:
    """Returns the network of the width at which `split` decoders have nearest to as many parameters as one; see above."""
    field = net.width_field
    if not hasattr(net, field):
        raise UserError(
            f"the network {net.name!r} has no {field}, by which its decoder could be made smaller; leave out "
            f"{setting('split_decoder', 'separate')}."
        )

    def count(each: Network, outputs: int) -> int:
        with torch.device("meta"):  # shapes without values, so that nothing is drawn
            return sum(parameter.numel() for parameter in each.build(shape, latent_dim, outputs).decoder.parameters())

    def excess(width: int) -> int:
        return split * count(dataclasses.replace(net, **{field: width}), shape[0] + 1) - shared

    shared = count(net, count_logit_channels(shape[0], split))
    low, high = 1, getattr(net, field)
    while low < high:  # finds the smallest width that is too large
        middle = (low + high) // 2
        low, high = (low, middle) if excess(middle) >= 0 else (middle + 1, high)
    width = low - 1 if low > 1 and -excess(low - 1) < excess(low) else low
    return dataclasses.replace(net, **{field: width})
