"""The dense network of the Multi-Level VAE: one hidden layer in the encoder and one in the decoder, for images of any side.

    encoder   x -> `embedding` units, tanh          decoder   z -> `embedding` units, tanh -> logits

Reference: Multi-Level Variational Autoencoder (Bouchacourt et al., 2018), MNIST: 784-500-(10 + 10)-500-784.
https://arxiv.org/abs/1705.08841
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from .base import EncoderDecoder, Network
from .layers import glorot_

__all__ = ["Dense", "DenseDecoder", "DenseEncoder"]


@dataclass(frozen=True)
class Dense(Network):
    """Creates the settings of the Multi-Level VAE's dense network.

    Arguments:
        embedding: The number of hidden units of the encoder and of the decoder.
    """

    name = "mlp"
    width_field: ClassVar[str] = "embedding"
    embedding: int = 512

    def build(self, shape: tuple[int, int, int], latent_dim: int, outputs: int) -> EncoderDecoder:
        """Returns an untrained `DenseEncoder` and `DenseDecoder`; see `Network.build`."""
        return EncoderDecoder(
            DenseEncoder(shape, self.embedding), DenseDecoder(latent_dim, outputs, shape[1], self.embedding)
        )


class DenseEncoder(nn.Module):
    """Maps images to features, (B, C, H, W) -> (B, features).

    Arguments:
        shape: The shape (C, H, W) of an image.
        features: The number of hidden units, which are the features.
    """

    def __init__(self, shape: Sequence[int], features: int) -> None:
        super().__init__()
        self.features = features
        self.hidden = nn.Linear(math.prod(shape), features)
        self.apply(glorot_)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.hidden(x.flatten(1)))


class DenseDecoder(nn.Module):
    """Maps latents to logits, (B, D) -> (B, outputs, side, side).

    Arguments:
        latent_dim: The dimension D of the latent.
        outputs: The number of channels of the logits.
        side: The side of the image in pixels.
        features: The number of hidden units.
    """

    def __init__(self, latent_dim: int, outputs: int, side: int, features: int) -> None:
        super().__init__()
        self.shape = (outputs, side, side)
        self.hidden = nn.Linear(latent_dim, features)
        self.head = nn.Linear(features, outputs * side * side)
        self.apply(glorot_)

    def forward(self, z: Tensor) -> Tensor:
        return self.head(torch.tanh(self.hidden(z))).unflatten(1, self.shape)
