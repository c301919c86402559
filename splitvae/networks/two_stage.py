"""The residual network of the two-stage VAE, from which the authors of the Split-VAE derived theirs.

It differs from `Residual` (networks/residual.py) in that it has ReLU in place of swish, a first convolution without stride,
residual blocks at the last scale too, and a decoder whose first dense layer maps z directly to a 2x2 map.

Reference: Diagnosing and enhancing VAE models (Dai, Wipf, 2019), public code, network "resnet".
https://arxiv.org/abs/1903.05789
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from .base import EncoderDecoder
from .layers import Down, Up, check_side, glorot_
from .residual import MAX_WIDTH, Residual, ResidualBlock

__all__ = ["TwoStage", "TwoStageDecoder", "TwoStageEncoder"]


@dataclass(frozen=True)
class TwoStage(Residual):
    """Creates the settings of Dai and Wipf's residual network, for images of side 16, 32, 64 or 128.

    Arguments:
        width: The number of channels at the encoder's first scale, doubled at each halving; the authors' are 32 and 64.
        scales: The number of scales of the encoder, one more than its halvings.
    """

    name = "two-stage"

    def build(self, shape: tuple[int, int, int], latent_dim: int, outputs: int) -> EncoderDecoder:
        """Returns an untrained `TwoStageEncoder` and `TwoStageDecoder`; see `Network.build`."""
        return EncoderDecoder(
            TwoStageEncoder(shape[0], shape[1], self), TwoStageDecoder(latent_dim, outputs, shape[1], self)
        )


class TwoStageEncoder(nn.Module):
    """Maps images to features, (B, C, H, W) -> (B, embedding); arguments as in `ResidualEncoder`."""

    def __init__(self, channels: int, side: int, net: TwoStage) -> None:
        super().__init__()
        check_side(side, net.scales - 1)
        layers: list[nn.Module] = [nn.Conv2d(channels, net.width, net.kernel, padding="same")]
        for i in range(net.scales):
            a = net.width * 2**i
            layers += [ResidualBlock(a, a, net.depth, net.kernel, F.relu, net.norm) for _ in range(net.blocks)]
            layers += [Down(a, 2 * a, net.kernel)] if i < net.scales - 1 else []
        self.scales = nn.Sequential(*layers)
        self.dense = ResidualBlock(a, net.embedding, net.depth, None, F.relu, net.norm)
        self.features = net.embedding
        self.apply(glorot_)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(self.scales(x).mean((2, 3)))


class TwoStageDecoder(nn.Module):
    """Maps latents to logits, (B, D) -> (B, outputs, side, side); arguments as in `ResidualDecoder`."""

    def __init__(self, latent_dim: int, outputs: int, side: int, net: TwoStage) -> None:
        super().__init__()
        check_side(side)
        widths = [min(net.width * 2**i, MAX_WIDTH) for i in range(side.bit_length() - 1)][::-1]
        self.expand = nn.Linear(latent_dim, 4 * widths[0])
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(widths):
            layers += [Up(a, b, net.kernel)]
            layers += [ResidualBlock(b, b, net.depth, net.kernel, F.relu, net.norm) for _ in range(net.blocks)]
        self.scales = nn.Sequential(*layers)
        self.head = nn.Conv2d(widths[-1], outputs, net.kernel, padding="same")
        self.apply(glorot_)

    def forward(self, z: Tensor) -> Tensor:
        h = self.expand(z).unflatten(1, (2, 2, -1)).permute(0, 3, 1, 2)
        return self.head(self.scales(h))
