r"""Expectation maximisation of Gaussian mixtures, in float64, on whatever device the points are.

With the monomials phi(x) = (1, x_i, x_i x_j for i <= j), or (1, x_i, x_i^2) for diagonal covariances, every component is

    log w_k N(x; m_k, C_k) = <eta_k, phi(x)>

    eta_k = (log w_k - 1/2 (D log 2 pi + log det C_k + m_k' C_k^-1 m_k),   C_k^-1 m_k,   -1/2 (2 - [i = j]) C_k^-1_ij)

so that an iteration is two products of matrices for a block of points: eta phi gives the responsibilities r_nk, r phi' the
moments sum_n r_nk phi(x_n), which are n_k, n_k m_k and n_k (C_k + m_k m_k'). These are scikit-learn's numbers (the same
floor of 1e-6 on the variances, and its stopping rule), several times as fast as its loop over components.

Points are centred first: with a mean far from zero the second moments would lose digits.

Reference: Maximum likelihood from incomplete data via the EM algorithm (Dempster, Laird, Rubin, 1977).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Mixture", "expectation_maximisation", "log_density"]


MIN_VARIANCE = 1e-6  # added to every variance


ITERATIONS, TOLERANCE = 100, 1e-3  # at most; a gain below so many nats a point ends them


CACHE_BLOCK = 2**19  # float64 monomials held at once on the CPU, 4 MB: what stays in its cache


DEVICE_CACHE_BLOCK = 2**26  # and on an accelerator


class Mixture(NamedTuple):
    """Weights (K,), means (K, D) and covariances, (K, D, D) or the diagonals (K, D)."""

    weights: Tensor
    means: Tensor
    covariances: Tensor


def expectation_maximisation(x: Tensor, labels: Tensor, components: int, full: bool) -> Mixture:
    """The mixture that EM climbs to from points (N, D), float64, in clusters `labels` (N,) of 0 ... components - 1.

    Raises torch.linalg.LinAlgError where a covariance is not positive definite.
    """
    centre = x.mean(0)
    points = (x - centre).T.contiguous()  # (D, N): one row a dimension
    moments = points.new_zeros(components, count(len(points), full))
    for block, label in zip(blocks(points, full), labels.split(size(points, full)), strict=True):
        share = torch.nn.functional.one_hot(label, components).to(points)
        moments.addmm_(share.T, monomials(block, full).T)
    mixture = maximised(moments, len(centre), full)
    before = -math.inf
    for _ in range(ITERATIONS):
        eta = natural(mixture)
        moments.zero_()
        total = points.new_zeros(())
        for block in blocks(points, full):
            phi = monomials(block, full)
            log = eta @ phi
            density = log.logsumexp(0)
            total += density.sum()
            moments.addmm_(log.sub_(density).exp_(), phi.T)
        mixture = maximised(moments, len(centre), full)
        now = float(total) / len(x)
        if abs(now - before) < TOLERANCE:
            break
        before = now
    return mixture._replace(means=mixture.means + centre)


def log_density(mixture: Mixture, x: Tensor) -> Tensor:
    """log p(x) of points (N, D), shape (N,), in nats."""
    full = mixture.covariances.ndim == 3
    centre = (mixture.weights[:, None] * mixture.means).sum(0)
    eta = natural(mixture._replace(means=mixture.means - centre))
    points = (x - centre).T.contiguous()
    return torch.cat([(eta @ monomials(block, full)).logsumexp(0) for block in blocks(points, full)])


def count(dim: int, full: bool) -> int:
    """The number of monomials, M."""
    return 1 + dim + (dim * (dim + 1) // 2 if full else dim)


def size(points: Tensor, full: bool) -> int:
    """Points a block."""
    held = CACHE_BLOCK if points.device.type == "cpu" else DEVICE_CACHE_BLOCK
    return max(64, held // count(len(points), full))


def blocks(points: Tensor, full: bool) -> tuple[Tensor, ...]:
    """Points (D, N) in blocks of columns."""
    return points.split(size(points, full), dim=1)


def monomials(x: Tensor, full: bool) -> Tensor:
    """phi of points (D, N), shape (M, N); products are in the order of the upper triangle's rows."""
    products = [x[i:] * x[i] for i in range(len(x))] if full else [x * x]
    return torch.cat([torch.ones_like(x[:1]), x, *products])


def natural(mixture: Mixture) -> Tensor:
    """The natural parameters eta with the weights in them, shape (K, M)."""
    weights, means, covariances = mixture
    dim = means.shape[1]
    if covariances.ndim == 2:
        logdet = covariances.log().sum(1)
        linear, square = means / covariances, -0.5 / covariances
    else:
        factors = torch.linalg.cholesky(covariances)
        logdet = 2 * factors.diagonal(dim1=1, dim2=2).log().sum(1)
        precisions = torch.cholesky_inverse(factors)
        linear = (precisions @ means.unsqueeze(2)).squeeze(2)
        i, j = torch.triu_indices(dim, dim, device=means.device)
        square = precisions[:, i, j] * torch.where(i == j, -0.5, -1.0).to(means)
    constant = weights.log() - 0.5 * (dim * math.log(2 * math.pi) + logdet + (linear * means).sum(1))
    return torch.cat([constant.unsqueeze(1), linear, square], 1)


def maximised(moments: Tensor, dim: int, full: bool) -> Mixture:
    """The mixture of given moments (K, M)."""
    counts = moments[:, 0] + 10 * torch.finfo(moments.dtype).eps
    means = moments[:, 1 : 1 + dim] / counts.unsqueeze(1)
    second = moments[:, 1 + dim :] / counts.unsqueeze(1)
    if not full:
        return Mixture(counts / counts.sum(), means, second - means.square() + MIN_VARIANCE)
    i, j = torch.triu_indices(dim, dim, device=moments.device)
    covariances = moments.new_empty(len(counts), dim, dim)
    covariances[:, i, j] = covariances[:, j, i] = second
    covariances -= means.unsqueeze(2) * means.unsqueeze(1)
    covariances.diagonal(dim1=1, dim2=2).add_(MIN_VARIANCE)
    return Mixture(counts / counts.sum(), means, covariances)
