"""Latents: the heads that turn an encoder's features into a posterior, computed in float32 whatever the precision."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .errors import UserError, nearest
from .posteriors import Dirac, Gaussian
from .residual_nets import glorot_

__all__ = ["LATENTS", "DeterministicLatent", "GaussianLatent", "latent_named"]


class GaussianLatent(nn.Module):
    """Two dense heads, features (B, F) -> `Gaussian` of dimension D."""

    def __init__(self, features: int, dim: int) -> None:
        super().__init__()
        self.mean = nn.Linear(features, dim)
        self.logvar = nn.Linear(features, dim)
        self.apply(glorot_)

    def forward(self, features: Tensor, group: Tensor | None = None) -> Gaussian:
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            return Gaussian(self.mean(features), self.logvar(features))


class DeterministicLatent(nn.Module):
    """One dense head, features (B, F) -> `Dirac` of dimension D: the code of a regularized autoencoder."""

    def __init__(self, features: int, dim: int) -> None:
        super().__init__()
        self.mean = nn.Linear(features, dim)
        self.apply(glorot_)

    def forward(self, features: Tensor, group: Tensor | None = None) -> Dirac:
        with torch.autocast(features.device.type, enabled=False):
            return Dirac(self.mean(features.float()))


LATENTS: dict[str, type[nn.Module]] = {"gaussian": GaussianLatent, "deterministic": DeterministicLatent}


def latent_named(name: str, features: int, dim: int) -> nn.Module:
    """The head called `name`; raises UserError naming the nearest."""
    if name not in LATENTS:
        raise UserError(f"no latent is called {name!r}; {nearest(name, LATENTS)}")
    return LATENTS[name](features, dim)
