r"""Independence: how much the styles of a batch tell of the groups, as one number that gradients pass through.

The Hilbert-Schmidt independence criterion of style means s_i and groups g_i is the squared distance, in a kernel's feature
space, between how styles and groups occur together and how they would if they were independent,

    HSIC = E k(s, s') l(g, g') + E k(s, s') E l(g, g') - 2 E_{s, g} [ E_{s'} k(s, s') E_{g'} l(g, g') ] ,

estimated by tr(K H L H) / (n - 1)^2 with H = 1 - 1/n. Where styles say nothing of the groups it is not 0 but of order
1 / n, the smaller the less styles vary: it also weighs on what styles say at all. That is wanted: on MNIST an unbiased
estimate left more of the groups in the styles at equal error. The kernel of styles is a mean of Gaussians over several
bandwidths, of standardised styles, so that they cannot hide by shrinking; that of groups is 1 within a group and 0
between, divided by its mean.

References: Measuring statistical dependence with Hilbert-Schmidt norms (Gretton et al., 2005), equation 9; Information
constraints on auto-encoding variational Bayes (Lopez et al., 2018).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..models.groups import Groups

__all__ = ["dependence", "hsic"]


BANDWIDTHS = (0.1, 0.3, 1.0, 3.0)  # variances of the kernels, in units of the number of dimensions


MIN_STD = 1e-3  # deviation of a style's dimension below which it is not blown up further


def dependence(style: Tensor, groups: Groups) -> Tensor:
    """HSIC of styles (B, S) and their groups, a scalar. Reads nothing back from the device."""
    spread = style.detach().std(0) + MIN_STD
    distance = _squared_distances((style - style.mean(0)) / spread) / style.shape[1]
    kernel = torch.stack([torch.exp(-distance / (2 * b)) for b in BANDWIDTHS]).mean(0)
    same = (groups.member_of[:, None] == groups.member_of).to(kernel)
    return hsic(kernel, same / same.mean())


def _squared_distances(rows: Tensor) -> Tensor:
    """||a - b||^2 of all pairs of rows (B, D), (B, B); its gradient at a = b is 0, where that of a root is not a number."""
    squares = rows.square().sum(1)
    return (squares[:, None] + squares - 2 * rows @ rows.mT).clamp_min(0)


def hsic(a: Tensor, b: Tensor) -> Tensor:
    """tr(A H B H) / (n - 1)^2 of two kernel matrices (n, n)."""
    centred = a - a.mean(0) - a.mean(1, keepdim=True) + a.mean()
    return (centred * b.mT).sum() / (len(a) - 1) ** 2
