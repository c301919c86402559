r"""The residual network of the Split-VAE paper.

A residual block of depth d applies [BatchNorm, swish, Conv] d times and adds a convolution of its raw input:

    r(a) = (C_d . s . BN_d) ... (C_1 . s . BN_1)(a) + C_0(a),     s(a) = a sigmoid(a)

With `norm="group"` each BatchNorm is a GroupNorm, which computes the same in training and in evaluation.

The encoder is a stride-2 convolution to `width` channels; then, for each further scale, residual blocks and a stride-2
convolution that doubles the number of channels; then the mean over pixels and a dense residual block to `embedding`
features. The decoder maps z to a 4x4 map by two dense layers, then repeats a stride-2 transposed convolution and residual
blocks until the map has the side of the image; a last convolution computes the logits.

Stride-2 layers are aligned as TensorFlow's 'same' (padding at the bottom and right only), BatchNorm has momentum 0.999 and
epsilon 1e-5, weights are initialised Glorot-uniform and biases to zero. The alignment is that of the authors, so that their
trained weights fit this network without a shift of the image.

Reference: Enhancing variational generation through self-decomposition (Asperti, Bugo, Filippini, IEEE Access 2022), section
3.1, and its public code. https://doi.org/10.1109/ACCESS.2022.3185654
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch.nn.functional as F
from torch import Tensor, nn

from ..utils.settings import OneOf
from .base import EncoderDecoder, Network
from .layers import NORMS, Down, Up, build_norm, check_side, glorot_

__all__ = ["MAX_WIDTH", "Residual", "ResidualBlock", "ResidualDecoder", "ResidualEncoder"]

MAX_WIDTH = 1024  # the number of channels of the decoder's widest map at most, as in the public code


@dataclass(frozen=True)
class Residual(Network):
    """Creates the settings of the Split-VAE paper's network, for images of side 16, 32, 64 or 128.

    Arguments:
        width: The number of channels at the encoder's first scale, doubled at each halving; 16 makes a small network.
        scales: The number of times that the encoder halves the image.
        blocks: The number of residual blocks at each scale.
        depth: The number of convolutions in each residual block.
        kernel: The side of the convolutions in pixels.
        embedding: The number of features between the convolutions and the latent.
        norm: The normalisation: BatchNorm, as in the paper, or GroupNorm, which has no statistics of batches.
    """

    name = "resnet"
    width: int = 64
    scales: int = 4
    blocks: int = 1
    depth: int = 2
    kernel: int = 3
    embedding: int = 512
    norm: Annotated[str, OneOf(NORMS)] = "batch"

    def build(self, shape: tuple[int, int, int], latent_dim: int, outputs: int) -> EncoderDecoder:
        """Returns an untrained `ResidualEncoder` and `ResidualDecoder`; see `Network.build`."""
        return EncoderDecoder(
            ResidualEncoder(shape[0], shape[1], self), ResidualDecoder(latent_dim, outputs, shape[1], self)
        )


class ResidualBlock(nn.Module):
    """Applies [BatchNorm, activation, layer] `depth` times and adds a layer of the raw input.

    Arguments:
        inputs: The number of channels of the input.
        outputs: The number of channels of the output.
        depth: The number of layers.
        kernel: The side of the convolutions in pixels; None makes all layers dense, for vectors (B, C).
        activation: The activation function.
        norm: The normalisation, one of `NORMS`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        depth: int,
        kernel: int | None = None,
        activation: Callable[[Tensor], Tensor] = F.silu,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        self.activation = activation
        self.norms, self.layers = nn.ModuleList(), nn.ModuleList()
        for i in range(depth):
            a = inputs if i == 0 else outputs
            self.norms.append(build_norm(norm, a, kernel is not None, eps=1e-5, momentum=1e-3))
            if kernel is None:
                self.layers.append(nn.Linear(a, outputs))
            else:
                self.layers.append(nn.Conv2d(a, outputs, kernel, padding="same"))
        self.shortcut = nn.Linear(inputs, outputs) if kernel is None else nn.Conv2d(inputs, outputs, kernel, padding="same")

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for norm, layer in zip(self.norms, self.layers, strict=True):
            y = layer(self.activation(norm(y)))
        return y + self.shortcut(x)


class ResidualEncoder(nn.Module):
    """Maps images to features, (B, C, H, W) -> (B, embedding).

    Arguments:
        channels: The number of channels C of the image.
        side: The side of the image in pixels: 16, 32, 64 or 128.
        net: The sizes of the network.
    """

    def __init__(self, channels: int, side: int, net: Residual) -> None:
        super().__init__()
        check_side(side, net.scales)
        layers: list[nn.Module] = [Down(channels, net.width, net.kernel)]
        for i in range(net.scales - 1):
            a = net.width * 2**i
            layers += [ResidualBlock(a, a, net.depth, net.kernel, norm=net.norm) for _ in range(net.blocks)]
            layers += [Down(a, 2 * a, net.kernel)]
        self.scales = nn.Sequential(*layers)
        a = net.width * 2 ** (net.scales - 1)
        inputs = [a] + [net.embedding] * (net.blocks - 1)
        self.dense = nn.Sequential(*[ResidualBlock(n, net.embedding, net.depth, norm=net.norm) for n in inputs])
        self.features = net.embedding
        self.apply(glorot_)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(self.scales(x).mean((2, 3)))


class ResidualDecoder(nn.Module):
    """Maps latents to logits, (B, D) -> (B, outputs, side, side).

    Arguments:
        latent_dim: The dimension D of the latent.
        outputs: The number of channels of the logits.
        side: The side of the image in pixels: 16, 32, 64 or 128.
        net: The sizes of the network.
    """

    def __init__(self, latent_dim: int, outputs: int, side: int, net: Residual) -> None:
        super().__init__()
        check_side(side)
        count = side.bit_length() - 2  # the number of maps, whose sides are 4, 8, ..., side
        widths = [min(net.width * 2**i, MAX_WIDTH) for i in range(count)][::-1]
        self.embed = nn.Linear(latent_dim, net.embedding)
        self.expand = nn.Linear(net.embedding, 16 * widths[0])
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(widths):
            layers += [Up(a, b, net.kernel)]
            layers += [ResidualBlock(b, b, net.depth, net.kernel, norm=net.norm) for _ in range(net.blocks)]
        self.scales = nn.Sequential(*layers)
        self.head = nn.Conv2d(widths[-1], outputs, net.kernel, padding="same")
        self.apply(glorot_)

    def forward(self, z: Tensor) -> Tensor:
        # Channels vary fastest, as in the public code's reshape to (4, 4, C); no copy is needed for channels_last.
        h = self.expand(self.embed(z)).unflatten(1, (4, 4, -1)).permute(0, 3, 1, 2)
        return self.head(self.scales(h))
