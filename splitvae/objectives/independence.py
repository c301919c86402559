r"""The dependence between the styles of a batch and the groups of its images, as a number that has a gradient.

The Hilbert-Schmidt independence criterion (HSIC) of style means s and groups g is the squared distance, in the feature
space of a kernel, between the joint distribution of styles and groups and the product of their distributions,

    HSIC = E k(s, s') l(g, g') + E k(s, s') E l(g, g') - 2 E_{s, g} [ E_{s'} k(s, s') E_{g'} l(g, g') ] .

It is estimated by tr(K H L H) / (n - 1)^2 with H = 1 - 1/n. For independent styles the estimate is not 0 but of order 1 /
n, and smaller if styles vary less, so that its gradient also shrinks the information in styles as a whole. This bias is
wanted: on MNIST an unbiased estimate left more information about the groups in the styles at equal error.

The kernel k of styles is the mean of Gaussian kernels of several bandwidths. Styles are standardised before, so that they
cannot lower the criterion by a smaller scale. The kernel l of groups is 1 within a group and 0 between groups, divided by
its mean.

References: Measuring statistical dependence with Hilbert-Schmidt norms (Gretton et al., 2005), equation 9; Information
constraints on auto-encoding variational Bayes (Lopez et al., 2018), https://arxiv.org/abs/1805.08672.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..models.groups import Groups

__all__ = ["dependence", "hsic"]

KERNEL_VARIANCES = (0.1, 0.3, 1.0, 3.0)  # of the Gaussian kernels, for squared distances per dimension
ADDED_STD = 1e-3  # is added to the standard deviation of each dimension before a division by it


def dependence(style: Tensor, groups: Groups) -> Tensor:
    """Returns the HSIC of styles and their groups, a scalar; no value is read back from the device.

    Arguments:
        style: The style means, shape (B, S).
        groups: The groups of the images.
    """
    std = style.detach().std(0) + ADDED_STD
    distance = _squared_distances((style - style.mean(0)) / std) / style.shape[1]
    kernel = torch.stack([torch.exp(-distance / (2 * v)) for v in KERNEL_VARIANCES]).mean(0)
    same = (groups.member_of[:, None] == groups.member_of).to(kernel)
    return hsic(kernel, same / same.mean())


def hsic(a: Tensor, b: Tensor) -> Tensor:
    """Returns tr(A H B H) / (n - 1)^2 of two kernel matrices, each (n, n)."""
    centred = a - a.mean(0) - a.mean(1, keepdim=True) + a.mean()
    return (centred * b.mT).sum() / (len(a) - 1) ** 2


def _squared_distances(rows: Tensor) -> Tensor:
    """Returns the squared distances of all pairs of rows, (B, D) -> (B, B).

    The gradient of a squared distance of 0 is 0; that of a distance would be NaN.
    """
    squares = rows.square().sum(1)
    return (squares[:, None] + squares - 2 * rows @ rows.mT).clamp_min(0)
