r"""Expectation maximisation of Gaussian mixtures, in float64, on the device of the points.

With the monomials phi(x) = (1, x_i, x_i x_j for i <= j), or (1, x_i, x_i^2) for diagonal covariances, each component is

    log w_k N(x; m_k, C_k) = <eta_k, phi(x)>

    eta_k = (log w_k - 1/2 (D log 2 pi + log det C_k + m_k' C_k^-1 m_k),   C_k^-1 m_k,   -1/2 (2 - [i = j]) C_k^-1_ij) ,

the natural parameters. So an iteration is two matrix products for each block of points: eta phi gives the responsibilities
r_nk (the E-step), r phi' the moments sum_n r_nk phi(x_n), which are n_k, n_k m_k and n_k (C_k + m_k m_k') (the M-step). The
results are those of scikit-learn, which has the same 1e-6 added to variances and the same stopping rule, but are computed
several times as fast as by its loop over components (benchmarks/mixture_speed.py).

Points are centred first: if their mean is far from zero, the second moments lose digits. They are sorted by their first
clusters, so that a block has points of few components: the others, whose responsibilities there are all negligible, are
left out of the second product. In many dimensions, where nearly every point belongs to one component, that halves the time.

Reference: Maximum likelihood from incomplete data via the EM algorithm (Dempster, Laird, Rubin, 1977).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Convergence", "Mixture", "expectation_maximisation", "log_density"]

ADDED_VARIANCE = 1e-6  # is added to each variance
MIN_GAIN = 1e-3  # iterations end when the log-likelihood changes by fewer nats per point
CACHE_BLOCK = 2**19  # the number of monomials of a block on the CPU; 4 MB of float64 stay in its cache
DEVICE_CACHE_BLOCK = 2**26  # the same on an accelerator
NEGLIGIBLE = 1e-20  # a responsibility that changes no digit of a moment


class Mixture(NamedTuple):
    """A mixture of K Gaussians.

    Arguments:
        weights: The weights, shape (K,), whose sum is 1.
        means: The means, shape (K, D).
        covariances: The covariances, shape (K, D, D), or their diagonals, shape (K, D).
    """

    weights: Tensor
    means: Tensor
    covariances: Tensor


class Convergence(NamedTuple):
    """How expectation maximisation ended.

    Arguments:
        iterations: The number of iterations.
        converged: Whether the last iteration changed the log-likelihood by less than `MIN_GAIN`.
        gain: The last change of the log-likelihood, in nats per point; None after a single iteration.
    """

    iterations: int
    converged: bool
    gain: float | None


def expectation_maximisation(
    x: Tensor, labels: Tensor, components: int, full: bool, max_iterations: int
) -> tuple[Mixture, Convergence]:
    """Returns the mixture to which expectation maximisation converges from given clusters, and how it ended.

    Arguments:
        x: The points, shape (N, D), float64.
        labels: The cluster of each point, shape (N,), from 0 to components - 1.
        components: The number K of components.
        full: Whether covariances are full or diagonal.
        max_iterations: The largest number of iterations.

    Raises:
        torch.linalg.LinAlgError: If a covariance is not positive definite.
    """
    centre = x.mean(0)
    labels, order = labels.sort(stable=True)
    points = (x - centre)[order].T.contiguous()  # (D, N), one row for each dimension
    moments = points.new_zeros(components, count_monomials(len(points), full))
    memory = points.new_empty(moments.shape[1], min(len(x), points_per_block(points, full)))  # of one block at a time
    for block, label in zip(split_into_blocks(points, full), labels.split(points_per_block(points, full)), strict=True):
        responsibilities = torch.nn.functional.one_hot(label, components).to(points)
        _add_moments(moments, responsibilities.T, evaluate_monomials(block, full, memory))
    mixture = mixture_of_moments(moments, len(centre), full)
    previous, gain, iterations = -math.inf, math.inf, 0
    while iterations < max_iterations and not abs(gain) < MIN_GAIN:
        eta = natural_parameters(mixture)
        moments.zero_()
        total = points.new_zeros(())
        for block in split_into_blocks(points, full):
            phi = evaluate_monomials(block, full, memory)
            log = eta @ phi
            density = log.logsumexp(0)
            total += density.sum()
            _add_moments(moments, log.sub_(density).exp_(), phi)
        mixture = mixture_of_moments(moments, len(centre), full)
        log_likelihood = float(total) / len(x)
        gain, previous, iterations = log_likelihood - previous, log_likelihood, iterations + 1
    convergence = Convergence(iterations, abs(gain) < MIN_GAIN, gain if math.isfinite(gain) else None)
    return mixture._replace(means=mixture.means + centre), convergence


def _add_moments(moments: Tensor, responsibilities: Tensor, phi: Tensor) -> None:
    """Adds what a block of points contributes to the moments (K, M).

    Arguments:
        moments: The moments so far, which are changed in place.
        responsibilities: Those of the components for the points of the block, shape (K, N).
        phi: The monomials of these points, shape (M, N).
    """
    if moments.device.type == "cpu":  # elsewhere it would wait for the device to learn which components have a part
        rows = (responsibilities.amax(1) > NEGLIGIBLE).nonzero().squeeze(1)
        if len(rows) < len(moments):
            moments.index_add_(0, rows, responsibilities[rows] @ phi.T)
            return
    moments.addmm_(responsibilities, phi.T)


def log_density(mixture: Mixture, x: Tensor) -> Tensor:
    """Returns log p(x) of points, (N, D) -> (N,), in nats."""
    full = mixture.covariances.ndim == 3
    centre = (mixture.weights[:, None] * mixture.means).sum(0)
    eta = natural_parameters(mixture._replace(means=mixture.means - centre))
    points = (x - centre).T.contiguous()
    memory = points.new_empty(eta.shape[1], min(len(x), points_per_block(points, full)))
    blocks = split_into_blocks(points, full)
    return torch.cat([(eta @ evaluate_monomials(block, full, memory)).logsumexp(0) for block in blocks])


def count_monomials(dim: int, full: bool) -> int:
    """Returns the number M of monomials of `dim` coordinates."""
    return 1 + dim + (dim * (dim + 1) // 2 if full else dim)


def points_per_block(points: Tensor, full: bool) -> int:
    """Returns the number of points, shape (D, N), in a block."""
    block = CACHE_BLOCK if points.device.type == "cpu" else DEVICE_CACHE_BLOCK
    return max(64, block // count_monomials(len(points), full))


def split_into_blocks(points: Tensor, full: bool) -> tuple[Tensor, ...]:
    """Returns points, shape (D, N), in blocks of columns."""
    return points.split(points_per_block(points, full), dim=1)


def evaluate_monomials(x: Tensor, full: bool, memory: Tensor) -> Tensor:
    """Returns phi of points, (D, N) -> (M, N); products are in the order of the rows of the upper triangle.

    Arguments:
        x: The points.
        full: Whether the products of two coordinates are among the monomials.
        memory: Where phi is written, with at least N columns; memory that is new for each block takes longer than phi.
    """
    dim, count = x.shape
    phi = memory[:, :count]
    phi[0] = 1
    phi[1 : 1 + dim] = x
    if not full:
        torch.mul(x, x, out=phi[1 + dim :])
        return phi
    row = 1 + dim
    for i in range(dim):
        torch.mul(x[i:], x[i], out=phi[row : row + dim - i])
        row += dim - i
    return phi


def natural_parameters(mixture: Mixture) -> Tensor:
    """Returns the natural parameters eta of a mixture, weights included, shape (K, M)."""
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


def mixture_of_moments(moments: Tensor, dim: int, full: bool) -> Mixture:
    """Returns the mixture that has given moments, which is the M-step.

    Arguments:
        moments: The sums over points of responsibilities times monomials, shape (K, M).
        dim: The dimension D of the points.
        full: Whether covariances are full or diagonal.
    """
    counts = moments[:, 0] + 10 * torch.finfo(moments.dtype).eps
    means = moments[:, 1 : 1 + dim] / counts.unsqueeze(1)
    second = moments[:, 1 + dim :] / counts.unsqueeze(1)
    if not full:
        return Mixture(counts / counts.sum(), means, second - means.square() + ADDED_VARIANCE)
    i, j = torch.triu_indices(dim, dim, device=moments.device)
    covariances = moments.new_empty(len(counts), dim, dim)
    covariances[:, i, j] = covariances[:, j, i] = second
    covariances -= means.unsqueeze(2) * means.unsqueeze(1)
    covariances.diagonal(dim1=1, dim2=2).add_(ADDED_VARIANCE)
    return Mixture(counts / counts.sum(), means, covariances)
