"""The dense network of the Multi-Level VAE: one hidden layer each way, for images of any side.

    encoder   x - `embedding` units, tanh          decoder   z - `embedding` units, tanh - logits

Reference: Multi-Level Variational Autoencoder (Bouchacourt et al., 2018), MNIST: 784-500-(10 + 10)-500-784.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .layers import glorot_

__all__ = ["DenseDecoder", "DenseEncoder"]


class DenseEncoder(nn.Module):
    """Images (B, C, H, W) -> features (B, `features`)."""

    def __init__(self, shape: Sequence[int], features: int) -> None:
        super().__init__()
        self.features = features
        self.hidden = nn.Linear(math.prod(shape), features)
        self.apply(glorot_)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.hidden(x.flatten(1)))


class DenseDecoder(nn.Module):
    """Latents (B, D) -> logits (B, outputs, H, W)."""

    def __init__(self, latent_dim: int, outputs: int, side: int, features: int) -> None:
        super().__init__()
        self.shape = (outputs, side, side)
        self.hidden = nn.Linear(latent_dim, features)
        self.head = nn.Linear(features, outputs * side * side)
        self.apply(glorot_)

    def forward(self, z: Tensor) -> Tensor:
        return self.head(torch.tanh(self.hidden(z))).unflatten(1, self.shape)
