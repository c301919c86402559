"""Posteriors: what an encoder believes about the latent of each image.

A posterior is a NamedTuple with `mean`, `logvar` (None where there is no noise), `rsample()`, `kl()` of shape (B,) in nats,
and `units`, the number by which a summed loss is divided (the batch, unless images share a latent).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

__all__ = ["Dirac", "Gaussian", "Posterior"]


class Posterior(Protocol):
    """What objectives, samplers and figures ask of a latent."""

    @property
    def mean(self) -> Tensor: ...

    @property
    def logvar(self) -> Tensor | None: ...

    @property
    def units(self) -> int: ...

    def rsample(self) -> Tensor: ...

    def kl_terms(self) -> Tensor: ...

    def kl(self) -> Tensor: ...


class Gaussian(NamedTuple):
    """The diagonal Gaussian N(mean, exp(logvar)); mean and logvar have shape (B, D)."""

    mean: Tensor
    logvar: Tensor

    @property
    def units(self) -> int:
        return len(self.mean)

    def rsample(self) -> Tensor:
        """A draw z = mean + exp(logvar / 2) eps that gradients pass through, shape (B, D)."""
        return torch.addcmul(self.mean, torch.exp(0.5 * self.logvar), torch.randn_like(self.mean))

    def kl_terms(self) -> Tensor:
        """KL(q || N(0, 1)) of each dimension, (mean^2 + exp(logvar) - logvar - 1) / 2, shape (B, D), in nats."""
        return 0.5 * (self.mean.square() + self.logvar.exp() - self.logvar - 1)

    def kl(self) -> Tensor:
        """KL(q || N(0, I)), summed over dimensions, shape (B,), in nats."""
        return self.kl_terms().sum(1)


class Dirac(NamedTuple):
    """A code without noise, of shape (B, D); its rate is the negative log prior up to a constant."""

    mean: Tensor

    @property
    def logvar(self) -> None:
        return None

    @property
    def units(self) -> int:
        return len(self.mean)

    def rsample(self) -> Tensor:
        """The code itself."""
        return self.mean

    def kl_terms(self) -> Tensor:
        """z^2 / 2 of each dimension, shape (B, D)."""
        return 0.5 * self.mean.square()

    def kl(self) -> Tensor:
        """||z||^2 / 2, shape (B,)."""
        return self.kl_terms().sum(1)
