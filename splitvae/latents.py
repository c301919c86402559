"""Latents: the heads that turn an encoder's features into a posterior."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .nets import glorot_
from .posteriors import Gaussian

__all__ = ["GaussianLatent"]


class GaussianLatent(nn.Module):
    """Two dense heads, features (B, F) -> `Gaussian` of dimension D, computed in float32 whatever the precision."""

    def __init__(self, features: int, dim: int) -> None:
        super().__init__()
        self.mean = nn.Linear(features, dim)
        self.logvar = nn.Linear(features, dim)
        self.apply(glorot_)

    def forward(self, features: Tensor, group: Tensor | None = None) -> Gaussian:
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            return Gaussian(self.mean(features), self.logvar(features))
