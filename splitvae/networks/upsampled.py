r"""A small network for introspective training: no transposed convolution, and no statistics of batches.

    encoder   [stride-2 convolution 3x3, rectifier] x scales, a dense layer
    decoder   two dense layers to the smallest map, [convolution 3x3, rectifier, doubling] x scales, two convolutions 3x3

The n scales halve the image down to `smallest_map` pixels. The i-th of the encoder has min(2^i, 4) `width` channels; the
decoder's have the same in reverse, and `width` / 2 at the image's own scale. Rectifiers have slope 0.2 below zero. Weights
begin as He et al. (2015) for that slope, and Glorot-uniform in the last layer. With the latter in all layers, each halves
the variance that codes cause.

A stride-2 transposed convolution computes even and odd pixels by different weights, so that a constant map becomes a
checkerboard, which a last layer of that kind draws into the image. Here a constant map stays constant, but for the zeros
around it: pixels are repeated ("nearest") or interpolated ("bilinear"), and only convolutions of stride 1 follow.

Reference: Deconvolution and checkerboard artifacts (Odena et al., 2016), https://distill.pub/2016/deconv-checkerboard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from torch import Tensor, nn

from ..errors import UserError, setting
from ..utils.settings import OneOf
from .base import EncoderDecoder, Network
from .layers import DOUBLINGS, Down, Upsample2x, check_side, glorot_

__all__ = ["Upsampled", "UpsampledDecoder", "UpsampledEncoder"]

LEAKY_SLOPE = 0.2  # the slope of rectifiers below zero


@dataclass(frozen=True)
class Upsampled(Network):
    """Creates the settings of a small network whose decoder doubles maps without transposed convolutions.

    Arguments:
        width: The number of channels at the encoder's first scale, doubled at the second and at the third.
        embedding: The number of units of the dense layers.
        doubling: Whether maps are doubled by repeated (nearest) or by interpolated (bilinear) pixels.
        smallest_map: The side in pixels of the smallest maps, between which and the code there are dense layers.
    """

    name = "upsampled"
    width: int = 32
    embedding: int = 256
    doubling: Annotated[str, OneOf(DOUBLINGS)] = "nearest"
    smallest_map: int = 4

    def build(self, shape: tuple[int, int, int], latent_dim: int, outputs: int) -> EncoderDecoder:
        """Returns an untrained encoder and decoder; see `Network.build`."""
        channels, side, _ = shape
        check_side(side)
        scales = side.bit_length() - self.smallest_map.bit_length()
        if scales < 1 or side != self.smallest_map * 2**scales:
            raise UserError(
                f"{setting('smallest_map', self.smallest_map)} is no half, quarter or eighth of the images' {side} pixels; "
                f"use {side // 4}."
            )
        widths = [self.width * min(2**i, 4) for i in range(scales)]
        decoder = UpsampledDecoder(
            latent_dim, outputs, [max(1, self.width // 2), *widths], self.embedding, self.doubling, self.smallest_map
        )
        return EncoderDecoder(UpsampledEncoder(channels, widths, self.embedding, self.smallest_map), decoder)


class UpsampledEncoder(nn.Module):
    """Maps images to features, (B, C, H, W) -> (B, F).

    Arguments:
        channels: The number of channels C of the image, whose side is start * 2^n for n widths.
        widths: The number of channels of each stride-2 convolution.
        features: The number of features F.
        start: The side of the last map in pixels.
    """

    def __init__(self, channels: int, widths: Sequence[int], features: int, start: int = 4) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for a, b in zip([channels, *widths], widths, strict=False):
            layers += [Down(a, b, 3), nn.LeakyReLU(LEAKY_SLOPE)]
        layers += [nn.Flatten(), nn.Linear(start**2 * widths[-1], features), nn.LeakyReLU(LEAKY_SLOPE)]
        self.layers, self.features = nn.Sequential(*layers), features
        self.apply(he_)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class UpsampledDecoder(nn.Module):
    """Maps latents to logits, (B, D) -> (B, outputs, side, side), with side = start * 2^n for n + 1 widths.

    Arguments:
        latent_dim: The dimension D of the latent.
        outputs: The number of channels of the logits.
        widths: The number of channels at each scale, beginning with the image's.
        dense: The number of features of the first dense layer.
        doubling: Whether maps are doubled by "nearest" or "bilinear" interpolation.
        start: The side of the first map in pixels.
    """

    def __init__(
        self, latent_dim: int, outputs: int, widths: Sequence[int], dense: int, doubling: str = "nearest", start: int = 4
    ) -> None:
        super().__init__()
        self.start = start
        first = [nn.Linear(latent_dim, dense), nn.LeakyReLU(LEAKY_SLOPE)]
        self.expand = nn.Sequential(*first, nn.Linear(dense, start**2 * widths[-1]), nn.LeakyReLU(LEAKY_SLOPE))
        layers: list[nn.Module] = []
        for a, b in zip(widths[::-1], widths[-2::-1], strict=False):
            layers += [nn.Conv2d(a, b, 3, padding=1), nn.LeakyReLU(LEAKY_SLOPE), Upsample2x(doubling)]
        layers += [nn.Conv2d(widths[0], widths[0], 3, padding=1), nn.LeakyReLU(LEAKY_SLOPE)]
        self.scales = nn.Sequential(*layers)
        self.apply(he_)
        self.head = nn.Conv2d(widths[0], outputs, 3, padding=1).apply(glorot_)

    def forward(self, z: Tensor) -> Tensor:
        # Channels vary fastest, so that the map is channels_last without a copy.
        h = self.expand(z).unflatten(1, (self.start, self.start, -1)).permute(0, 3, 1, 2)
        return self.head(self.scales(h))


def he_(module: nn.Module) -> None:
    """Initialises a layer that a rectifier follows, so that it keeps the variance: a He-uniform weight, a bias of zero."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.kaiming_uniform_(module.weight, a=LEAKY_SLOPE)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
