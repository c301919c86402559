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

In many dimensions the kernels hardly see groups whose styles have equal means and other covariances: the part of k that
is quadratic in styles falls with the square of the number of dimensions. A second measure sees them, the information about
the groups if styles were Gaussian within each, to second order. For standardised styles with group means m_g and second
moments S_g it is, in nats,

    I = E_g [ 1/2 |m_g|^2 + 1/4 |S_g - S|^2 ],     an HSIC as well, of the kernel 1/2 s.s' + 1/4 (s.s')^2 .

It and, with a weight of its own, the HSIC of k are also estimated without bias: without the pairs of an image with itself.
Such an estimate is 0 on average for independent styles in batches of any size, so that a large weight does not empty them.

References: Measuring statistical dependence with Hilbert-Schmidt norms (Gretton et al., 2005), equation 9; Feature
selection via dependence maximization (Song et al., 2012), equation 5, for the estimate without bias; Information
constraints on auto-encoding variational Bayes (Lopez et al., 2018), https://arxiv.org/abs/1805.08672.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..models.groups import Groups

__all__ = ["dependence", "hsic", "moment_information", "paired_dependence"]

KERNEL_VARIANCES = (0.1, 0.3, 1.0, 3.0)  # of the Gaussian kernels, for squared distances per dimension
ADDED_STD = 1e-3  # is added to the standard deviation of each dimension before a division by it


def dependence(style: Tensor, groups: Groups) -> Tensor:
    """Returns the HSIC of styles and their groups, a scalar; no value is read back from the device.

    Arguments:
        style: The style means, shape (B, S).
        groups: The groups of the images.
    """
    with torch.autocast(style.device.type, enabled=False):
        kernel = _style_kernel(_standardise(style.float()))
        same = (groups.member_of[:, None] == groups.member_of).to(kernel)
        return hsic(kernel, same / same.mean())


def paired_dependence(style: Tensor, groups: Groups) -> Tensor:
    """Returns the HSIC without the pairs of an image with itself, a scalar that is 0 on average for independent styles.

    Arguments:
        style: The style means, shape (B, S).
        groups: The groups of the images.
    """
    with torch.autocast(style.device.type, enabled=False):
        return _unbiased_hsic(_style_kernel(_standardise(style.float())), groups)


def moment_information(style: Tensor, groups: Groups) -> Tensor:
    """Returns the information about groups in means and covariances of styles, in nats, a scalar; it may be negative.

    No value is read back from the device. Groups are weighed by the squares of their sizes.

    Arguments:
        style: The style means, shape (B, S).
        groups: The groups of the images.
    """
    with torch.autocast(style.device.type, enabled=False):
        rows = _standardise(style.float())
        product = rows @ rows.mT
        return _unbiased_hsic(0.5 * product + 0.25 * product.square(), groups)


def _standardise(style: Tensor) -> Tensor:
    """Returns styles with mean 0 and, but for a gradient, standard deviation 1 in each dimension."""
    return (style - style.mean(0)) / (style.detach().std(0) + ADDED_STD)


def _style_kernel(rows: Tensor) -> Tensor:
    """Returns the mean of the Gaussian kernels of all pairs of standardised styles, (B, S) -> (B, B)."""
    distance = _squared_distances(rows) / rows.shape[1]
    return torch.stack([torch.exp(-distance / (2 * v)) for v in KERNEL_VARIANCES]).mean(0)


def _unbiased_hsic(kernel: Tensor, groups: Groups) -> Tensor:
    """Returns the unbiased estimate of the HSIC of groups and a kernel matrix of styles, (B, B); 0 for less than 4 images.

    Mere differences of means within groups and between them could be lowered without end by large styles in rare groups;
    the HSIC of a positive kernel is at least 0 whatever the sizes of the groups.
    """
    n, others = len(kernel), 1 - torch.eye(len(kernel), device=kernel.device)
    same = (groups.member_of[:, None] == groups.member_of) * others
    a, b = kernel * others, same * (n * (n - 1) / same.sum().clamp_min(1))
    means = a.sum() * b.sum() / max((n - 1) * (n - 2), 1)
    total = (a * b).sum() + means - 2 / max(n - 2, 1) * (a.sum(0) * b.sum(0)).sum()
    return total / (n * (n - 3)) if n > 3 else 0 * total


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
