r"""Plain networks of strided convolutions: the networks of the papers on the baselines.

    encoder   [stride-2 convolution, BatchNorm, activation] x scales, [dense layer]
    decoder   [dense layer], a dense layer to a small map, [stride-2 transposed convolution, BatchNorm, ReLU] x scales

| net       | kernel | channels             | dense | decoder starts from | ends with                     |
| --------- | ------ | -------------------- | ----- | ------------------- | ----------------------------- |
| `rae`     | 4 or 5 | 128, 256, 512, 1024  | none  | 8x8x1024, no ReLU   | a convolution without stride  |
| `infogan` | 4      | 64, 128              | 1024  | (side/4)^2 x 128    | a transposed convolution      |
| `higgins` | 4      | 32, 32, 64, 64       | 256   | 4x4x64              | a transposed convolution      |

References: `rae` is from the public code of From variational to deterministic autoencoders (Ghosh et al., 2020),
https://arxiv.org/abs/1903.12436; `infogan`, the default of Dai and Wipf's public code, is InfoGAN's as in Are GANs created
equal? (Lucic et al., 2018), https://arxiv.org/abs/1711.10337; `higgins` is the network for CelebA of beta-VAE (Higgins et
al., 2017) and has no BatchNorm.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from .base import EncoderDecoder, Network
from .layers import Down, SamePadConv2d, Up, check_side, glorot_, set_batchnorm

__all__ = ["BetaVAE", "InfoGAN", "RegularizedAE", "StridedDecoder", "StridedEncoder"]


@dataclass(frozen=True)
class RegularizedAE(Network):
    """Creates the settings of the network of regularized autoencoders, whose decoder starts from an 8x8 map.

    Arguments:
        width: The number of channels at the encoder's first scale, doubled at each halving; the authors' is 128.
        scales: The number of times that the encoder halves the image.
        kernel: The side of the convolutions in pixels; the authors' is 4, for CelebA 5.
    """

    name = "rae"
    width: int = 128
    scales: int = 4
    kernel: int = 4

    def build(self, shape: tuple[int, int, int], latent_dim: int, outputs: int) -> EncoderDecoder:
        """Returns an untrained encoder, which rescales images to [-1, 1], and decoder; see `Network.build`."""
        channels, side, _ = shape
        widths = [self.width * 2**i for i in range(self.scales)]
        encoder = StridedEncoder(channels, side, widths, self.kernel, signed=True)
        widths = [max(1, self.width * 8 // 2**i) for i in range(side.bit_length() - 3)]
        decoder = StridedDecoder(latent_dim, outputs, 8, widths, self.kernel, doubling=False)
        for part in (encoder, decoder):
            set_batchnorm(part, eps=1e-3, momentum=0.01)  # Keras's, as in the authors' code
        return EncoderDecoder(encoder, decoder)


@dataclass(frozen=True)
class InfoGAN(Network):
    """Creates the settings of Dai and Wipf's default network, in which `spectral_norm` changes the encoder only.

    Arguments:
        width: The number of channels at the encoder's first scale, doubled at the second.
        kernel: The side of the convolutions in pixels.
        embedding: The number of units of the dense layers.
    """

    name = "infogan"
    normalises_decoder: ClassVar[bool] = False
    width: int = 64
    kernel: int = 4
    embedding: int = 1024

    def build(self, shape: tuple[int, int, int], latent_dim: int, outputs: int) -> EncoderDecoder:
        """Returns an untrained encoder and decoder of two scales; see `Network.build`."""
        channels, side, _ = shape
        widths = [self.width, 2 * self.width]
        encoder = StridedEncoder(channels, side, widths, self.kernel, self.embedding, slope=0.2, first_norm=1)
        decoder = StridedDecoder(latent_dim, outputs, side // 4, widths[::-1], self.kernel, self.embedding)
        for part in (encoder, decoder):
            set_batchnorm(part, eps=1e-5, momentum=1e-3)  # as in the authors' code
        return EncoderDecoder(encoder, decoder)


@dataclass(frozen=True)
class BetaVAE(Network):
    """Creates the settings of the beta-VAE's network, which halves the image down to 4x4 and has no BatchNorm.

    Arguments:
        width: The number of channels at the first half of the scales; the second half has twice as many.
        kernel: The side of the convolutions in pixels.
        embedding: The number of units of the dense layers.
    """

    name = "higgins"
    width: int = 32
    kernel: int = 4
    embedding: int = 256

    def build(self, shape: tuple[int, int, int], latent_dim: int, outputs: int) -> EncoderDecoder:
        """Returns an untrained encoder and decoder; see `Network.build`."""
        channels, side, _ = shape
        check_side(side)
        count = side.bit_length() - 3
        widths = [self.width if i < count / 2 else 2 * self.width for i in range(count)]
        encoder = StridedEncoder(channels, side, widths, self.kernel, self.embedding, first_norm=None)
        return EncoderDecoder(
            encoder, StridedDecoder(latent_dim, outputs, 4, widths[::-1], self.kernel, self.embedding, norm=False)
        )


class StridedEncoder(nn.Module):
    """Maps images to features, (B, C, H, W) -> (B, F).

    Arguments:
        channels: The number of channels C of the image.
        side: The side of the image in pixels.
        widths: The number of channels of each stride-2 convolution.
        kernel: The side of the convolutions in pixels.
        dense: The number of features of a last dense layer; 0 leaves it out.
        slope: The slope of the rectifiers below zero.
        first_norm: The first convolution that a BatchNorm follows, counted from 0; None leaves out all BatchNorms.
        signed: Whether images x are rescaled to 2x - 1, which lies in [-1, 1].
    """

    def __init__(
        self,
        channels: int,
        side: int,
        widths: Sequence[int],
        kernel: int,
        dense: int = 0,
        slope: float = 0.0,
        first_norm: int | None = 0,
        signed: bool = False,
    ) -> None:
        super().__init__()
        check_side(side, len(widths))
        layers: list[nn.Module] = []
        for i, (a, b) in enumerate(zip([channels, *widths], widths, strict=False)):
            normed = first_norm is not None and i >= first_norm
            layers += [Down(a, b, kernel), nn.BatchNorm2d(b) if normed else nn.Identity(), nn.LeakyReLU(slope)]
        layers += [nn.Flatten()]
        self.features = widths[-1] * (side // 2 ** len(widths)) ** 2
        if dense:
            normed = first_norm is not None
            layers += [nn.Linear(self.features, dense), nn.BatchNorm1d(dense) if normed else nn.Identity()]
            layers += [nn.LeakyReLU(slope)]
            self.features = dense
        self.layers, self.signed = nn.Sequential(*layers), signed
        self.apply(glorot_)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(2 * x - 1 if self.signed else x)


class StridedDecoder(nn.Module):
    """Maps latents to logits, (B, D) -> (B, outputs, side, side).

    Arguments:
        latent_dim: The dimension D of the latent.
        outputs: The number of channels of the logits.
        start: The side of the first map in pixels.
        widths: The number of channels of the first map and of each map that follows, whose side is twice as large.
        kernel: The side of the convolutions in pixels.
        dense: The number of features of a first dense layer; 0 leaves it out.
        norm: Whether a BatchNorm follows each layer but the last.
        doubling: Whether the last layer doubles the side too, or is a convolution without stride.
    """

    def __init__(
        self,
        latent_dim: int,
        outputs: int,
        start: int,
        widths: Sequence[int],
        kernel: int,
        dense: int = 0,
        norm: bool = True,
        doubling: bool = True,
    ) -> None:
        super().__init__()
        self.start = start
        layers: list[nn.Module] = []
        if dense:
            layers += [nn.Linear(latent_dim, dense), nn.BatchNorm1d(dense) if norm else nn.Identity(), nn.ReLU()]
        features = start * start * widths[0]
        layers += [nn.Linear(dense or latent_dim, features)]
        if dense:
            layers += [nn.BatchNorm1d(features) if norm else nn.Identity(), nn.ReLU()]
        self.expand = nn.Sequential(*layers)
        layers = []
        for a, b in itertools.pairwise(widths):
            layers += [Up(a, b, kernel), nn.BatchNorm2d(b) if norm else nn.Identity(), nn.ReLU()]
        self.scales = nn.Sequential(*layers)
        last: nn.Module = Up(widths[-1], outputs, kernel)
        self.head = last if doubling else SamePadConv2d(widths[-1], outputs, kernel)
        self.apply(glorot_)

    def forward(self, z: Tensor) -> Tensor:
        h = self.expand(z).unflatten(1, (self.start, self.start, -1)).permute(0, 3, 1, 2)
        return self.head(self.scales(h))
