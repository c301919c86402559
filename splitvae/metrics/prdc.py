r"""Precision, recall, density and coverage: whether each of two sets of features lies among the other's nearest neighbours.

Around each row is a ball whose radius is the distance to the row's k-th nearest neighbour in its own set, not counting
itself. With balls B(x) of N real rows and balls B(y) of M fake rows,

    precision = share of fake rows in any B(x)            recall   = share of real rows in any B(y)
    density   = number of pairs (fake row, B(x) that      coverage = share of B(x) that hold a fake row.
                holds it) / (k M)

A ball does not hold its boundary. If both sets have the same distribution, the density is 1 in the mean. Outliers increase
precision and recall, but not density and coverage. Distances are squared, in float64 and computed by blocks of rows:
|x|^2 + |y|^2 - 2 x.y.

References:
    Improved precision and recall metric for assessing generative models (Kynkäänniemi et al., 2019),
    https://arxiv.org/abs/1904.06991.
    Reliable fidelity and diversity metrics for generative models (Naeem et al., 2020), https://arxiv.org/abs/2002.09797.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import UserError
from .checks import check_matrices

__all__ = ["PRDC", "NeighbourCounts", "neighbour_counts", "precision_recall_density_coverage"]

DISTANCES_PER_BLOCK = 2**22  # 32 MiB in float64
RELATIVE_ROUNDING = 1e-13  # of |x|^2 + |y|^2: distances that differ by less count as equal, and equal is not inside


class PRDC(NamedTuple):
    """Precision, recall and coverage, in [0, 1], and density, 0 or more."""

    precision: float
    recall: float
    density: float
    coverage: float


class NeighbourCounts(NamedTuple):
    """The terms of each image; their means are precision, recall, density and coverage."""

    precise: Tensor  # (M,), 1 where a generated image lies in the ball of a real one
    recalled: Tensor  # (N,), 1 where a real image lies in the ball of a generated one
    dense: Tensor  # (M,), the number of real balls that hold the generated image, divided by k
    covered: Tensor  # (N,), 1 where the ball of a real image holds a generated one


def precision_recall_density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> PRDC:
    """Returns precision, recall, density and coverage of feature matrices (N, d) and (M, d).

    Arguments:
        real: The features of the real images, (N, d).
        fake: The features of the generated images, (M, d).
        k: The number of nearest neighbours.

    Raises:
        UserError: If k < 1, or if a matrix has fewer than k + 1 rows, other columns, or values that are not finite.
    """
    return PRDC(*(float(terms.mean()) for terms in neighbour_counts(real, fake, k)))


def neighbour_counts(real: Tensor, fake: Tensor, k: int = 5) -> NeighbourCounts:
    """Returns the terms of each image; arguments and errors are those of `precision_recall_density_coverage`."""
    if k < 1:
        raise UserError(f"k={k} must be at least 1 neighbour; type k=5.")
    real, fake = check_matrices(k + 1, real=real, fake=fake)
    centre = real.mean(0)  # a common shift changes no distance, and a small |x| keeps its digits
    real, fake = real - centre, fake - centre
    radii, fake_radii = _neighbour_radii(real, k), _neighbour_radii(fake, k)
    holding_balls = torch.zeros_like(fake[:, 0])
    recalled, covered = torch.empty_like(radii), torch.empty_like(radii)
    for rows, distances, rounding in _distance_blocks(real, fake):
        distances += rounding
        inside = distances < radii[rows, None]
        holding_balls += inside.sum(0)
        covered[rows] = inside.any(1).double()
        recalled[rows] = (distances < fake_radii).any(1).double()
    return NeighbourCounts((holding_balls > 0).double(), recalled, holding_balls / k, covered)


def _distance_blocks(x: Tensor, y: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yields rows of x, their squared distances to all rows of y, and by how much rounding may have moved them."""
    x_squares, y_squares = x.square().sum(1), y.square().sum(1)
    size = max(1, DISTANCES_PER_BLOCK // len(y))
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        squares = x_squares[rows, None] + y_squares
        yield rows, torch.addmm(squares, x[rows], y.mT, alpha=-2), squares * RELATIVE_ROUNDING


def _neighbour_radii(x: Tensor, k: int) -> Tensor:
    """Returns the squared distance of each row to its k-th nearest neighbour, shape (N,)."""
    radii = torch.empty_like(x[:, 0])
    for rows, distances, _ in _distance_blocks(x, x):
        distances.diagonal(rows.start).fill_(torch.inf)
        radii[rows] = distances.topk(k, largest=False).values[:, -1]
    return radii
