r"""Residual networks: the Split-VAE paper's, and the one of the two-stage VAE that it was made from.

A residual block of depth d applies [BatchNorm, swish, Conv] d times and adds a convolution of its raw input:

    r(a) = (C_d . s . BN_d) ... (C_1 . s . BN_1)(a) + C_0(a),     s(a) = a sigmoid(a)

The encoder is a stride-2 convolution to `width` channels, then (blocks, stride-2 convolution that doubles the channels)
for each further scale, the mean over pixels and a dense residual block to `embedding` features. The decoder maps z by two
dense layers to a 4x4 map, then applies (stride-2 transposed convolution, blocks) until the image's side is reached and
ends with one convolution to the logits.

Stride-2 layers follow TensorFlow's 'same' alignment (padding at the bottom and right alone), BatchNorm has momentum .999
and epsilon 1e-5, every weight starts Glorot-uniform and every bias at zero: the authors' weights fit without a shift.

The network of the two-stage VAE has ReLU in place of swish, a stem without stride, a block at the last scale too, and a
decoder that starts from 2x2, directly from z.

References: Enhancing variational generation through self-decomposition (Asperti, Bugo, Filippini, 2022), section 3.1, and
its public code; Diagnosing and enhancing VAE models (Dai, Wipf, 2019), public code, network "resnet".
"""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from .layers import Down, Up, check_side, glorot_

__all__ = ["ResidualDecoder", "ResidualEncoder", "TwoStageDecoder", "TwoStageEncoder"]


MAX_WIDTH = 1024  # the widest map of the decoder, as in the public code


class ResidualBlock(nn.Module):
    """[BatchNorm, activation, layer] x depth, plus a layer of the raw input; convolutions for maps, dense for vectors."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        depth: int,
        kernel: int | None = None,
        activation: Callable[[Tensor], Tensor] = F.silu,
    ) -> None:
        super().__init__()
        self.activation = activation
        self.norms, self.layers = nn.ModuleList(), nn.ModuleList()
        for i in range(depth):
            a = inputs if i == 0 else outputs
            if kernel is None:
                self.norms.append(nn.BatchNorm1d(a, eps=1e-5, momentum=1e-3))
                self.layers.append(nn.Linear(a, outputs))
            else:
                self.norms.append(nn.BatchNorm2d(a, eps=1e-5, momentum=1e-3))
                self.layers.append(nn.Conv2d(a, outputs, kernel, padding="same"))
        self.shortcut = nn.Linear(inputs, outputs) if kernel is None else nn.Conv2d(inputs, outputs, kernel, padding="same")

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for norm, layer in zip(self.norms, self.layers, strict=True):
            y = layer(self.activation(norm(y)))
        return y + self.shortcut(x)


class ResidualEncoder(nn.Module):
    """Images to features, (B, C, H, W) -> (B, embedding).

    Arguments:
        channels, side: of the image; the side is 16, 32, 64 or 128.
        width: channels at the first scale, doubled at each further one.
        scales: stride-2 convolutions. blocks: residual blocks a scale. depth: convolutions a block. kernel: their size.
    """

    def __init__(
        self,
        channels: int,
        side: int,
        width: int = 64,
        scales: int = 4,
        blocks: int = 1,
        depth: int = 2,
        kernel: int = 3,
        embedding: int = 512,
    ) -> None:
        super().__init__()
        check_side(side, scales)
        layers: list[nn.Module] = [Down(channels, width, kernel)]
        for i in range(scales - 1):
            a = width * 2**i
            layers += [ResidualBlock(a, a, depth, kernel) for _ in range(blocks)]
            layers += [Down(a, 2 * a, kernel)]
        self.scales = nn.Sequential(*layers)
        a = width * 2 ** (scales - 1)
        dense = [ResidualBlock(a if i == 0 else embedding, embedding, depth) for i in range(blocks)]
        self.dense = nn.Sequential(*dense)
        self.features = embedding
        self.apply(glorot_)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(self.scales(x).mean((2, 3)))


class ResidualDecoder(nn.Module):
    """Latents to logits, (B, D) -> (B, outputs, side, side); arguments as in `ResidualEncoder`."""

    def __init__(
        self,
        latent_dim: int,
        outputs: int,
        side: int,
        width: int = 64,
        blocks: int = 1,
        depth: int = 2,
        kernel: int = 3,
        embedding: int = 512,
    ) -> None:
        super().__init__()
        check_side(side)
        count = side.bit_length() - 2  # maps of side 4, 8, ..., side
        widths = [min(width * 2**i, MAX_WIDTH) for i in range(count)][::-1]
        self.embed = nn.Linear(latent_dim, embedding)
        self.expand = nn.Linear(embedding, 16 * widths[0])
        layers: list[nn.Module] = []
        for a, b in zip(widths, widths[1:], strict=False):
            layers += [Up(a, b, kernel)]
            layers += [ResidualBlock(b, b, depth, kernel) for _ in range(blocks)]
        self.scales = nn.Sequential(*layers)
        self.head = nn.Conv2d(widths[-1], outputs, kernel, padding="same")
        self.apply(glorot_)

    def forward(self, z: Tensor) -> Tensor:
        # Channels vary fastest, as in the public code's reshape to (4, 4, C); no copy is needed for channels_last.
        h = self.expand(self.embed(z)).unflatten(1, (4, 4, -1)).permute(0, 3, 1, 2)
        return self.head(self.scales(h))


class TwoStageEncoder(nn.Module):
    """Images to features, (B, C, H, W) -> (B, embedding); arguments as in `ResidualEncoder`."""

    def __init__(
        self, channels: int, side: int, width: int, scales: int, blocks: int, depth: int, kernel: int, embedding: int
    ) -> None:
        super().__init__()
        check_side(side, scales - 1)
        layers: list[nn.Module] = [nn.Conv2d(channels, width, kernel, padding="same")]
        for i in range(scales):
            a = width * 2**i
            layers += [ResidualBlock(a, a, depth, kernel, F.relu) for _ in range(blocks)]
            layers += [Down(a, 2 * a, kernel)] if i < scales - 1 else []
        self.scales = nn.Sequential(*layers)
        self.dense = ResidualBlock(a, embedding, depth, None, F.relu)
        self.features = embedding
        self.apply(glorot_)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(self.scales(x).mean((2, 3)))


class TwoStageDecoder(nn.Module):
    """Latents to logits, (B, D) -> (B, outputs, side, side); arguments as in `ResidualDecoder`."""

    def __init__(self, latent_dim: int, outputs: int, side: int, width: int, blocks: int, depth: int, kernel: int) -> None:
        super().__init__()
        check_side(side)
        widths = [min(width * 2**i, MAX_WIDTH) for i in range(side.bit_length() - 1)][::-1]
        self.expand = nn.Linear(latent_dim, 4 * widths[0])
        layers: list[nn.Module] = []
        for a, b in zip(widths, widths[1:], strict=False):
            layers += [Up(a, b, kernel)]
            layers += [ResidualBlock(b, b, depth, kernel, F.relu) for _ in range(blocks)]
        self.scales = nn.Sequential(*layers)
        self.head = nn.Conv2d(widths[-1], outputs, kernel, padding="same")
        self.apply(glorot_)

    def forward(self, z: Tensor) -> Tensor:
        h = self.expand(z).unflatten(1, (2, 2, -1)).permute(0, 3, 1, 2)
        return self.head(self.scales(h))
