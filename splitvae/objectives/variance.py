r"""The variance v_t of the Gaussian likelihood, which balances the distortion and the KL.

The loss of an image of D values is

    L_i = SSE_i / (2 v_t) + D/2 log(2 pi v_t) + beta_t g(KL_i) .

Only if v is learned does the logarithm have a gradient; otherwise it makes losses at different v comparable. Without it
only the product beta v matters: (v, beta) and (c v, beta / c) have the same optimum.

| variance   | v_t                                                                                     |
| ---------- | --------------------------------------------------------------------------------------- |
| `Fixed`    | a constant                                                                              |
| `Computed` | running minimum of the moving average of the MSE, from 1 (Split-VAE's public code)      |
| `Ratchet`  | m <- min(m, 0.99 m + 0.01 MSE): the minimum inside the average (Asperti, Trentin, 2020) |
| `Learned`  | exp(2 log gamma), a parameter (Dai, Wipf, 2019)                                         |
| `Optimal`  | the batch's own MSE (sigma-VAE: Rybkin, Daniilidis, Levine, 2021)                       |

`Computed` and `Ratchet` are not interchangeable: if the MSE varies between batches, `Ratchet` drifts below its mean.

References: Balancing reconstruction error and Kullback-Leibler divergence in variational autoencoders (Asperti, Trentin,
2020), https://arxiv.org/abs/2002.07514; Diagnosing and enhancing VAE models (Dai, Wipf, 2019),
https://arxiv.org/abs/1903.05789; Simple and effective VAE training with calibrated decoders (Rybkin, Daniilidis, Levine,
2021), https://arxiv.org/abs/2006.13202.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..errors import UserError, setting
from ..utils.collectives import all_reduce
from ..utils.settings import Registry, Settings

__all__ = [
    "VARIANCES",
    "Computed",
    "ComputedVariance",
    "Fixed",
    "FixedVariance",
    "Learned",
    "LearnedVariance",
    "Optimal",
    "OptimalVariance",
    "Ratchet",
    "RatchetVariance",
    "Variance",
    "VarianceModule",
    "mean_over_processes",
]

MIN_VARIANCE = math.exp(-12)  # of a v that is computed from the error, so that a batch without error divides by no zero
MSE_DECAY = 0.99  # of the moving average of the MSE, per batch


class VarianceModule(nn.Module):
    """The base of all modules that hold the state of a variance: `module(mse)` returns v for a batch.

    `mse` is the mean squared error of the batch, a detached scalar. In training mode the module updates v from it.

    Arguments:
        v: The first value of v, positive.
    """

    v: Tensor

    def __init__(self, v: float) -> None:
        super().__init__()
        self.register_buffer("v", torch.tensor(float(v)))

    def forward(self, mse: Tensor) -> Tensor:
        """Returns v, a scalar."""
        raise NotImplementedError


class FixedVariance(VarianceModule):
    """Keeps v constant."""

    def forward(self, mse: Tensor) -> Tensor:
        """Returns v, a scalar."""
        return self.v


class ComputedVariance(VarianceModule):
    """Returns v, then updates m <- 0.99 m + 0.01 MSE and v <- min(v, m); both start at the given value."""

    mse_average: Tensor

    def __init__(self, v: float) -> None:
        super().__init__(v)
        self.register_buffer("mse_average", self.v.clone())

    def forward(self, mse: Tensor) -> Tensor:
        """Returns v before the update, a scalar."""
        v = self.v.clone()
        if self.training:
            self.mse_average.lerp_(mse, 1 - MSE_DECAY)
            self.v.copy_(torch.minimum(self.v, self.mse_average).clamp_min(MIN_VARIANCE))
        return v


class RatchetVariance(VarianceModule):
    """Returns v, then updates v <- min(v, 0.99 v + 0.01 MSE)."""

    def forward(self, mse: Tensor) -> Tensor:
        """Returns v before the update, a scalar."""
        v = self.v.clone()
        if self.training:
            self.v.copy_(torch.minimum(self.v, self.v.lerp(mse, 1 - MSE_DECAY)).clamp_min(MIN_VARIANCE))
        return v


class LearnedVariance(VarianceModule):
    """Computes v = exp(2 log gamma) from the parameter log gamma, which starts at log(v) / 2."""

    def __init__(self, v: float) -> None:
        super().__init__(v)
        self.log_gamma = nn.Parameter(0.5 * self.v.log())

    def forward(self, mse: Tensor) -> Tensor:
        """Returns v, a scalar with a gradient."""
        return torch.exp(2 * self.log_gamma)


class OptimalVariance(VarianceModule):
    """Returns the batch's MSE, detached, as v; in evaluation mode that of the last training batch.

    Without penalties on the split, the gradient of the loss is the same as if v were not detached.
    """

    def forward(self, mse: Tensor) -> Tensor:
        """Returns v, a scalar."""
        if self.training:
            self.v.copy_(mse.clamp_min(MIN_VARIANCE))
        return self.v.clone()


@dataclass(frozen=True)
class Variance(Settings):
    """The base of all settings of a variance; a subclass has a `name` and the class `module` that holds its state.

    Arguments:
        v: The variance of the likelihood, or its first value if it changes in training.
    """

    module: ClassVar[type[VarianceModule]]
    v: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.v > 0 and math.isfinite(self.v)):
            raise UserError(f"{setting('v', self.v)}, the variance of the likelihood, must be a positive number.")

    def build(self) -> VarianceModule:
        """Returns a new module of this variance."""
        return self.module(self.v)


@dataclass(frozen=True)
class Fixed(Variance):
    """Creates a constant variance; with v = 1/2 the distortion is the sum of squared errors."""

    name, module = "fixed", FixedVariance


@dataclass(frozen=True)
class Computed(Variance):
    """Creates the paper's variance: the running minimum of the moving average of the MSE."""

    name, module = "computed", ComputedVariance


@dataclass(frozen=True)
class Ratchet(Variance):
    """Creates Asperti and Trentin's variance: the minimum is taken inside the moving average."""

    name, module = "ratchet", RatchetVariance


@dataclass(frozen=True)
class Learned(Variance):
    """Creates Dai and Wipf's variance: a parameter that is learned with the model."""

    name, module = "learned", LearnedVariance


@dataclass(frozen=True)
class Optimal(Variance):
    """Creates the sigma-VAE's variance: the MSE of the batch."""

    name, module = "optimal", OptimalVariance


VARIANCES: Registry[Variance] = Registry("variance", "variance", [Fixed, Computed, Ratchet, Learned, Optimal])


def mean_over_processes(mse: Tensor) -> Tensor:
    """Returns the mean of a scalar over all processes of a distributed training."""
    return all_reduce(mse, "mean")
