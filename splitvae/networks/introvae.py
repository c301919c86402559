r"""The IntroVAE's networks, for images of side 16 to 1024.

    encoder   convolution 5x5, rectifier, halving; [block, halving] ...; a block at 4x4; all its features
    decoder   a dense layer to 4x4; [block, doubling] ...; a block at full size; a convolution 5x5 to the logits

With n scales, each of which has its own number of channels, the encoder halves the image n times, so that the side of the
image is 4 * 2^n. A halving is a mean over 2x2 pixels, a doubling repeats each pixel, and rectifiers have slope 0.2 below
zero. In the official network, which has BatchNorm (or GroupNorm instead: `norm="group"`), a block is

    r(a) = s(BN(C_2 s(BN(C_1 a)) + P a)),     P = 1, or a 1x1 convolution where the channel numbers differ,

its convolutions have no biases, a ReLU follows the decoder's dense layer, and layers are initialised as in torch. In the
network without BatchNorm, that of yukunchen113's public code, a block is

    r(a) = s(C_2 s(C_1 b)) + b,     b = a, or s(P a) where the channel numbers differ,

the encoder ends with a linear dense layer, the decoder begins with two dense layers that rectifiers follow, a block follows
each doubling but the last, and weights are initialised Glorot-uniform.

The networks differ from the public codes in three points. The heads of the posterior belong to the latent
(models/latents.py) and are linear. The official decoder has no output activation; this one returns logits, which `compose`
maps to [0, 1]. Two 1x1 convolutions are left out: one in official blocks between equal numbers of channels, a mistake of
that code (it compares by `inc is not outc`), and one from 256 to 256 channels in yukunchen113's decoder.

Reference: IntroVAE: introspective variational autoencoders for photographic image synthesis (Huang et al., 2018),
https://arxiv.org/abs/1807.06358, and the public codes of hhb072 and yukunchen113.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UserError
from ..utils.settings import OneOf
from .base import EncoderDecoder, Network
from .layers import NORMS, Upsample2x, build_norm, glorot_

__all__ = ["INTROVAE_SIDES", "IntroDecoder", "IntroEncoder", "IntroVAE", "PlainIntroVAE", "intro_widths"]

INTROVAE_SIDES = (16, 32, 64, 128, 256, 512, 1024)  # pixels
LEAKY_SLOPE = 0.2  # the slope of rectifiers below zero


@dataclass(frozen=True)
class IntroVAE(Network):
    """Creates the settings of the IntroVAE's official network, for images of side 16 to 1024.

    Arguments:
        width: The number of channels at the image's scale, doubled at each halving up to 512; the authors' are 32 and 16.
        norm: The normalisation: BatchNorm, as the authors', or GroupNorm, which has no statistics of batches.
    """

    name = "intro"
    sides: ClassVar[tuple[int, ...]] = INTROVAE_SIDES
    width: int = 64
    norm: Annotated[str, OneOf(NORMS)] = "batch"

    def build(self, shape: tuple[int, int, int], latent_dim: int, outputs: int) -> EncoderDecoder:
        """Returns an untrained `IntroEncoder` and `IntroDecoder` with a normalisation; see `Network.build`."""
        channels, side, _ = shape
        widths = intro_widths(side, self.width)
        encoder = IntroEncoder(channels, side, widths, self.norm)
        return EncoderDecoder(encoder, IntroDecoder(latent_dim, outputs, side, widths, self.norm))


@dataclass(frozen=True)
class PlainIntroVAE(Network):
    """Creates the settings of yukunchen113's network for IntroVAE, without BatchNorm, for images of side 16 to 1024.

    Arguments:
        width: The number of channels at the image's scale, doubled at each halving up to 256.
    """

    name = "intro-plain"
    sides: ClassVar[tuple[int, ...]] = INTROVAE_SIDES
    width: int = 64

    def build(self, shape: tuple[int, int, int], latent_dim: int, outputs: int) -> EncoderDecoder:
        """Returns an untrained `IntroEncoder` and `IntroDecoder` without BatchNorm; see `Network.build`."""
        channels, side, _ = shape
        widths = intro_widths(side, self.width, most=256)
        encoder = IntroEncoder(channels, side, widths, norm=None)
        return EncoderDecoder(encoder, IntroDecoder(latent_dim, outputs, side, widths, norm=None))


def intro_widths(side: int, width: int, most: int = 512) -> list[int]:
    """Returns the number of channels at each scale: `width`, doubled at each halving up to `most`.

    The authors of IntroVAE take (side, width) = (256, 32) and (1024, 16), those of Soft-IntroVAE (128, 64) and (32, 64);
    yukunchen113 takes (256, 16) with most=256.

    Arguments:
        side: The side of the image in pixels.
        width: The number of channels at the image's scale.
        most: The largest number of channels.

    Raises:
        UserError: For a side for which the network cannot be built.
    """
    if side not in INTROVAE_SIDES:
        sides = ", ".join(map(str, INTROVAE_SIDES[:-1]))
        raise UserError(
            f"IntroVAE's network generates images of side {sides} or {INTROVAE_SIDES[-1]}, not {side}; "
            "pad or resize the images first."
        )
    return [min(width * 2**i, max(width, most)) for i in range(side.bit_length() - 3)]


class IntroEncoder(nn.Module):
    """Maps images to features, (B, C, H, W) -> (B, 16 widths[-1]).

    Arguments:
        channels: The number of channels C of the image.
        side: The side of the image in pixels.
        widths: The number of channels at each scale, beginning with the image's, as `intro_widths` returns them.
        norm: The normalisation of the official network, one of `NORMS`; None makes it yukunchen113's network.
    """

    def __init__(self, channels: int, side: int, widths: Sequence[int], norm: str | None = "batch") -> None:
        super().__init__()
        check_widths(side, widths)
        block = partial(NormedBlock, norm=norm) if norm else PlainBlock
        first, last = widths[0], widths[-1]
        layers: list[nn.Module] = [nn.Conv2d(channels, first, 5, padding=2, bias=not norm)]
        layers += [build_norm(norm, first)] if norm else []
        layers += [nn.LeakyReLU(LEAKY_SLOPE, inplace=True), nn.AvgPool2d(2)]
        for a, b in itertools.pairwise(widths):
            layers += [block(a, b), nn.AvgPool2d(2)]
        self.scales = nn.Sequential(*layers, block(last, last))
        self.features = 16 * last
        self.dense = nn.Identity() if norm else nn.Linear(self.features, self.features)
        if not norm:
            self.apply(glorot_)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(self.scales(x).flatten(1))


class IntroDecoder(nn.Module):
    """Maps latents to logits, (B, D) -> (B, outputs, side, side).

    The last layer is linear: `compose` (models/split.py) applies the sigmoid to images and the softmax to maps. In the
    official decoder this layer's output is the image.

    Arguments:
        latent_dim: The dimension D of the latent.
        outputs: The number of channels of the logits.
        side: The side of the image in pixels.
        widths: The number of channels at each scale, beginning with the image's, as `intro_widths` returns them.
        norm: The normalisation of the official network, one of `NORMS`; None makes it yukunchen113's network.
    """

    def __init__(self, latent_dim: int, outputs: int, side: int, widths: Sequence[int], norm: str | None = "batch") -> None:
        super().__init__()
        check_widths(side, widths)
        first, last = widths[0], widths[-1]
        features = 16 * last
        layers: list[nn.Module] = []
        if norm:
            self.expand = nn.Sequential(nn.Linear(latent_dim, features), nn.ReLU(inplace=True))
            for a, b in zip([last, *widths[::-1]], widths[::-1], strict=False):
                layers += [NormedBlock(a, b, norm), Upsample2x()]
            layers += [NormedBlock(first, first, norm)]
        else:
            dense = [nn.Linear(latent_dim, features), nn.LeakyReLU(LEAKY_SLOPE, inplace=True)]
            self.expand = nn.Sequential(*dense, nn.Linear(features, features), nn.LeakyReLU(LEAKY_SLOPE, inplace=True))
            layers += [PlainBlock(last, last)]
            for a, b in zip([last, *widths[:0:-1]], widths[:0:-1], strict=False):
                layers += [Upsample2x(), PlainBlock(a, b)]
            layers += [Upsample2x()]
            first = widths[1]  # the head itself mirrors the encoder's first convolution, so widths[0] is not needed
        self.scales = nn.Sequential(*layers)
        self.head = nn.Conv2d(first, outputs, 5, padding=2)
        if not norm:
            self.apply(glorot_)

    def forward(self, z: Tensor) -> Tensor:
        # Channels vary fastest, so that the map is channels_last without a copy.
        h = self.expand(z).unflatten(1, (4, 4, -1)).permute(0, 3, 1, 2)
        return self.head(self.scales(h))


class NormedBlock(nn.Module):
    """The block of the official network, whose second normalisation follows the addition.

    It maps (B, inputs, H, W) to (B, outputs, H, W).
    """

    def __init__(self, inputs: int, outputs: int, norm: str = "batch") -> None:
        super().__init__()
        self.expand = nn.Conv2d(inputs, outputs, 1, bias=False) if inputs != outputs else nn.Identity()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([build_norm(norm, outputs), build_norm(norm, outputs)])

    def forward(self, x: Tensor) -> Tensor:
        # In place is safe: a normalisation needs its input for the gradient, the rectifier the sign of its output.
        y = F.leaky_relu(self.norms[0](self.first(x)), LEAKY_SLOPE, inplace=True)
        return F.leaky_relu(self.norms[1](self.second(y) + self.expand(x)), LEAKY_SLOPE, inplace=True)


class PlainBlock(nn.Module):
    """The block of yukunchen113's network, without BatchNorm and without a rectifier after the addition.

    It maps (B, inputs, H, W) to (B, outputs, H, W).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        rectifier = nn.LeakyReLU(LEAKY_SLOPE, inplace=True)
        same = inputs == outputs
        self.expand = nn.Identity() if same else nn.Sequential(nn.Conv2d(inputs, outputs, 1), rectifier)
        self.first, self.second = (nn.Conv2d(outputs, outputs, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        b = self.expand(x)
        y = F.leaky_relu(self.first(b), LEAKY_SLOPE, inplace=True)
        return F.leaky_relu(self.second(y), LEAKY_SLOPE, inplace=True) + b


def check_widths(side: int, widths: Sequence[int]) -> None:
    """Raises UserError for a side for which the network cannot be built, or for widths that are not one for each scale."""
    needed = len(intro_widths(side, 1))
    if len(widths) != needed or min(widths) < 1:
        raise UserError(
            f"widths={list(widths)} must be {needed} numbers of at least 1 for side={side}, which is 4 * 2^{needed}; "
            f"`intro_widths({side}, 32)` gives {intro_widths(side, 32)}."
        )
