r"""The balance between distortion and rate: the likelihood's variance v_t and the KL's weight beta_t.

Every objective weighs an image of D values as

    L_i = SSE_i / (2 v_t) + D/2 log(2 pi v_t) + beta_t g(KL_i) .

The logarithm has a gradient only where v is learned; elsewhere it keeps losses of different v comparable. Without it only
the product beta v matters: (v, beta) and (c v, beta / c) have the same optimum.

| variance   | v_t                                                                                       |
| ---------- | ----------------------------------------------------------------------------------------- |
| `Fixed`    | a constant                                                                                |
| `Computed` | running minimum of the moving average of the MSE, from 1 (Split-VAE's public code)          |
| `Ratchet`  | m <- min(m, .99 m + .01 MSE): the minimum inside the average (Asperti, Trentin, 2020)       |
| `Learned`  | exp(2 log gamma), a parameter (Dai, Wipf, 2019)                                             |
| `Optimal`  | the batch's own MSE (sigma-VAE: Rybkin, Daniilidis, Levine, 2021)                           |

`Computed` and `Ratchet` are not interchangeable: noise in the batches makes the ratchet drift below the error.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..errors import UserError, nearest

__all__ = [
    "VARIANCES",
    "Computed",
    "Fixed",
    "Learned",
    "Optimal",
    "Ratchet",
    "Variance",
    "over_processes",
    "variance_named",
]


FLOOR = math.exp(-12)  # of every v that follows the error, so that a perfect batch divides by no zero


DECAY = 0.99


class Variance(nn.Module):
    """`variance(mse)` gives v for this batch, a scalar tensor, and in training mode learns from its (detached) MSE.

    Arguments:
        v: its value, or first value; positive.
    """

    v: Tensor

    def __init__(self, v: float = 1.0) -> None:
        super().__init__()
        if not (v > 0 and math.isfinite(v)):
            raise UserError(f"the variance v must be a positive number, not {v}.")
        self.start = float(v)
        self.register_buffer("v", torch.tensor(self.start))

    def forward(self, mse: Tensor) -> Tensor:
        raise NotImplementedError


class Fixed(Variance):
    """v is a constant; v = 1/2 makes the distortion the plain sum of squares."""

    def forward(self, mse: Tensor) -> Tensor:
        return self.v


class Computed(Variance):
    """m <- .99 m + .01 MSE, then v <- min(v, m), after the batch was weighed; both start at `v`."""

    average: Tensor

    def __init__(self, v: float = 1.0) -> None:
        super().__init__(v)
        self.register_buffer("average", self.v.clone())

    def forward(self, mse: Tensor) -> Tensor:
        v = self.v.clone()
        if self.training:
            self.average.lerp_(mse, 1 - DECAY)
            self.v.copy_(torch.minimum(self.v, self.average).clamp_min(FLOOR))
        return v


class Ratchet(Variance):
    """v <- min(v, .99 v + .01 MSE), after the batch was weighed; starts at `v`."""

    def forward(self, mse: Tensor) -> Tensor:
        v = self.v.clone()
        if self.training:
            self.v.copy_(torch.minimum(self.v, self.v.lerp(mse, 1 - DECAY)).clamp_min(FLOOR))
        return v


class Learned(Variance):
    """v = exp(2 log gamma) with the parameter log gamma starting at log(v) / 2."""

    def __init__(self, v: float = 1.0) -> None:
        super().__init__(v)
        self.log_gamma = nn.Parameter(0.5 * self.v.log())

    def forward(self, mse: Tensor) -> Tensor:
        return torch.exp(2 * self.log_gamma)


class Optimal(Variance):
    """v is the batch's MSE, detached: the same gradient as through SSE / (2 v) + D/2 log v; out of training, the last."""

    def forward(self, mse: Tensor) -> Tensor:
        if self.training:
            self.v.copy_(mse.clamp_min(FLOOR))
        return self.v.clone()


VARIANCES: dict[str, type[Variance]] = {
    "fixed": Fixed,
    "computed": Computed,
    "ratchet": Ratchet,
    "learned": Learned,
    "optimal": Optimal,
}


def over_processes(mse: Tensor) -> Tensor:
    """The mean of a scalar over all processes that share a batch."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(mse)
        mse = mse / torch.distributed.get_world_size()
    return mse


def variance_named(name: str, v: float = 1.0) -> Variance:
    """The variance called `name`, starting at `v`."""
    if name not in VARIANCES:
        raise UserError(f"no variance is called {name!r}; {nearest(name, VARIANCES)}")
    return VARIANCES[name](v)
