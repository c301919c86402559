r"""Precision, recall, density and coverage: do two sets of features lie where the other's nearest neighbours are.

Around each row is a ball whose radius is the distance to its k-th nearest neighbour in its own set, itself not counted.
With B(x) the balls of N real rows and B(y) those of M fake ones,

    precision = share of fake rows in any B(x)            recall   = share of real rows in any B(y)
    density   = fake rows in all B(x), counted / (k M)    coverage = share of B(x) with a fake row in it.

A ball does not hold its boundary. For two sets of one law density is 1 in the mean; outliers enlarge precision and
recall, not density and coverage. Distances are squared, in float64 and by blocks of rows: |x|^2 + |y|^2 - 2 x.y.

References: Improved precision and recall metric for assessing generative models (Kynkäänniemi et al., 2019); Reliable
fidelity and diversity metrics for generative models (Naeem et al., 2020).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import UserError
from .checks import check_matrices

__all__ = ["PRDC", "NeighbourCounts", "neighbour_counts", "precision_recall_density_coverage"]


DISTANCES_PER_BLOCK = 2**22  # distances at a time: 32 MiB


RELATIVE_ROUNDING = 1e-13  # of |x|^2 + |y|^2: distances that differ by less are equal, and equal is not inside


class PRDC(NamedTuple):
    """Precision, recall and coverage in [0, 1]; density is 0 or more."""

    precision: float
    recall: float
    density: float
    coverage: float


class NeighbourCounts(NamedTuple):
    """What each image contributes: the four numbers are means of these."""

    precise: Tensor  # (M,), 1 where a generated image lies in a real one's ball
    recalled: Tensor  # (N,), 1 where a real image lies in a generated one's ball
    dense: Tensor  # (M,), real balls that hold it, divided by k
    covered: Tensor  # (N,), 1 where a real image's ball holds a generated one


def precision_recall_density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> PRDC:
    """Precision, recall, density and coverage of feature matrices (N, d) and (M, d), with k nearest neighbours.

    Raises UserError for fewer than k + 1 rows, different columns, values that are not finite, or k < 1.
    """
    return PRDC(*(float(each.mean()) for each in neighbour_counts(real, fake, k)))


def neighbour_counts(real: Tensor, fake: Tensor, k: int = 5) -> NeighbourCounts:
    """What each image contributes to precision, recall, density and coverage; arguments and errors as there."""
    if k < 1:
        raise UserError(f"k={k} is no number of neighbours; type k=5.")
    real, fake = check_matrices(k + 1, real=real, fake=fake)
    centre = real.mean(0)  # a common shift changes no distance, and a small |x| keeps its digits
    real, fake = real - centre, fake - centre
    radii, fake_radii = _neighbour_radii(real, k), _neighbour_radii(fake, k)
    holding = torch.zeros_like(fake[:, 0])
    recalled, covered = torch.empty_like(radii), torch.empty_like(radii)
    for rows, distances, slack in _distance_blocks(real, fake):
        distances += slack
        inside = distances < radii[rows, None]
        holding += inside.sum(0)
        covered[rows] = inside.any(1).double()
        recalled[rows] = (distances < fake_radii).any(1).double()
    return NeighbourCounts((holding > 0).double(), recalled, holding / k, covered)


def _distance_blocks(x: Tensor, y: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Rows of x, their squared distances to all of y, and how far rounding may have moved those."""
    own, other = x.square().sum(1), y.square().sum(1)
    size = max(1, DISTANCES_PER_BLOCK // len(y))
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        squares = own[rows, None] + other
        yield rows, torch.addmm(squares, x[rows], y.mT, alpha=-2), squares * RELATIVE_ROUNDING


def _neighbour_radii(x: Tensor, k: int) -> Tensor:
    """The squared distance of each row to its k-th nearest neighbour, shape (N,)."""
    radii = torch.empty_like(x[:, 0])
    for rows, distances, _ in _distance_blocks(x, x):
        distances.diagonal(rows.start).fill_(torch.inf)
        radii[rows] = distances.topk(k, largest=False).values[:, -1]
    return radii
