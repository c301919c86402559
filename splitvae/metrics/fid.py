r"""The Fréchet distance between the Gaussians that have the means and covariances of two sets of features.

    FID = |m_1 - m_2|^2 + Tr(S_1) + Tr(S_2) - 2 Tr((S_1 S_2)^(1/2)),

with covariances divided by N - 1. No square root of a matrix is needed: for any roots S_k = R_k R_k^T,

    Tr((S_1 S_2)^(1/2)) = sum of the singular values of R_1^T R_2
                        = sum of the roots of the eigenvalues of R_1^T S_2 R_1 .

The second line is faster, with the Cholesky factor as R_1. But an eigenvalue is only known to a rounding of the largest
one, so that its root is inaccurate if the product is singular or nearly so; then the first line is used. The centred rows
X^T / (N - 1)^(1/2) are a root themselves, so that N <= d rows need no covariance. Everything is in float64.

The distance of N generated images is too large by about c / N, with a c that depends on the model: `fid_infinity`
extrapolates to infinitely many images, and distances of different N must not be compared.

References:
    GANs trained by a two time-scale update rule converge to a local Nash equilibrium (Heusel et al., 2017),
    https://arxiv.org/abs/1706.08500: the distance.
    Effectively unbiased FID and Inception score and where to find them (Chong, Forsyth, 2020),
    https://arxiv.org/abs/1911.07023: its limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import UserError
from .checks import check_matrices

__all__ = [
    "MIN_ROWS_PER_COLUMN",
    "Extrapolation",
    "Moments",
    "fid_infinity",
    "frechet_distance",
    "frechet_from_moments",
    "frechet_from_streams",
]

FLOAT64_EPS = torch.finfo(torch.float64).eps


# Roots of eigenvalues whose sum rounding may move by a larger share are replaced by singular values.
MAX_RELATIVE_ROUNDING = 1e-9

# The law of fid_infinity holds for N far above the number d of columns. For equal distributions (d = 64, 12 trials), its
# limit misses 0 by 5.8 times the error it claims at N = 2.05 d, by 2.2 times at 5 d and by 1.6 times at 10 d.
MIN_ROWS_PER_COLUMN = 5


# ---------------------------------------------------------------- the trace of the root


def _low_rank_root(covariance: Tensor) -> Tensor:
    """Returns R (d, r) with R R^T = covariance and r its rank; leaves out eigenvalues that are negative or rounding."""
    values, vectors = torch.linalg.eigh(covariance)
    positive = values > values[-1].clamp_min(0) * len(values) * FLOAT64_EPS
    return vectors[:, positive] * values[positive].sqrt()


def _nuclear_norm(first: Tensor, second: Tensor) -> Tensor:
    """Returns Tr((S_1 S_2)^(1/2)) from roots of the covariances, (d, r_1) and (d, r_2)."""
    return torch.linalg.svdvals(first.mT @ second).sum()


def _trace_of_root(first: Tensor, second: Tensor) -> Tensor:
    """Returns Tr((S_1 S_2)^(1/2)) of covariances (d, d) of any rank."""
    lower, failed = torch.linalg.cholesky_ex(first)
    if not failed:
        roots = torch.linalg.eigvalsh(lower.mT @ second @ lower).clamp_min(0).sqrt()
        rounding = FLOAT64_EPS * roots[-1].square() * (0.5 / roots).sum()  # d sqrt(x) = dx / (2 sqrt(x)), dx = EPS max(x)
        if rounding <= MAX_RELATIVE_ROUNDING * roots.sum():
            return roots.sum()
    return _nuclear_norm(_low_rank_root(first), _low_rank_root(second))


def _assemble_distance(shift: Tensor, traces: Tensor, root: Tensor) -> float:
    """Returns the distance from its parts; a negative value can only be rounding and becomes 0."""
    return float((shift.square().sum() + traces - 2 * root).clamp_min(0))


# ---------------------------------------------------------------- distances


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Returns the Fréchet distance of two feature matrices (N_1, d) and (N_2, d), in squared units of the features.

    If both matrices have more rows than columns, the distance is computed from their covariances. Otherwise it is computed
    from the singular values of X_1 X_2^T / ((N_1 - 1)(N_2 - 1))^(1/2) with centred X, and a matrix with more rows than
    columns is replaced by the triangle of its QR decomposition.

    Raises:
        UserError: If a matrix has fewer than two rows or values that are not finite, or if the columns differ.
    """
    a, b = check_matrices(a=a, b=b)
    shift = a.mean(0) - b.mean(0)
    if min(len(a), len(b)) > a.shape[1]:
        first, second = (torch.cov(x.mT).reshape(x.shape[1], -1) for x in (a, b))
        return _assemble_distance(shift, first.trace() + second.trace(), _trace_of_root(first, second))
    roots = [(x - x.mean(0)) / (len(x) - 1) ** 0.5 for x in (a, b)]
    traces = roots[0].square().sum() + roots[1].square().sum()
    first, second = (x if len(x) <= x.shape[1] else torch.linalg.qr(x, mode="r").R for x in roots)
    return _assemble_distance(shift, traces, _nuclear_norm(first.mT, second.mT))


def frechet_from_moments(mean_a: Tensor, covariance_a: Tensor, mean_b: Tensor, covariance_b: Tensor) -> float:
    """Returns the Fréchet distance of N(mean_a, covariance_a) and N(mean_b, covariance_b), of shapes (d,) and (d, d).

    The covariances may be singular.

    Raises:
        UserError: If the shapes or devices do not match, or if a value is not finite.
    """
    dim = mean_a.numel()
    named = {"mean_a": mean_a, "covariance_a": covariance_a, "mean_b": mean_b, "covariance_b": covariance_b}
    for name, value in named.items():
        if tuple(value.shape) != ((dim,) if name.startswith("mean") else (dim, dim)):
            raise UserError(f"{name} has the shape {tuple(value.shape)}; with d={dim} means are (d,), covariances (d, d).")
    named |= {"mean_a": mean_a[None], "mean_b": mean_b[None]}
    mean_a, first, mean_b, second = check_matrices(1, **named)
    return _assemble_distance(mean_a - mean_b, first.trace() + second.trace(), _trace_of_root(first, second))


# ---------------------------------------------------------------- streams


class Moments:
    """Accumulates count, mean and covariance of rows that come in batches, in float64 on the device of the first batch.

    Each batch is centred on its own mean before it is summed, so that an offset of the features costs no digits. It is
    added by

        M <- M + M_b + (m_b - m)(m_b - m)^T n n_b / (n + n_b),    M = sum_i (x_i - m)(x_i - m)^T.

    `a + b` are the moments of the rows of both.

    Reference: Updating formulae and a pairwise algorithm for computing sample variances (Chan, Golub, LeVeque, 1979).
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean = torch.zeros(0, dtype=torch.float64)
        self._scatter = torch.zeros(0, 0, dtype=torch.float64)

    def update(self, features: Tensor) -> Moments:
        """Adds a batch (n, d) and returns self; raises UserError for values that are not finite or another d."""
        (x,) = check_matrices(1, features=features)
        if not self.count:
            self._mean, self._scatter = x.new_zeros(x.shape[1]), x.new_zeros(x.shape[1], x.shape[1])
        mean = x.mean(0)
        self._join(len(x), mean)
        x = (x - mean).to(self._scatter.device)
        self._scatter.addmm_(x.mT, x)
        return self

    def _join(self, count: int, mean: Tensor) -> None:
        """Adds `count` other rows with this mean to count, mean and scatter; the caller adds their own scatter."""
        if len(mean) != len(self._mean):
            raise UserError(
                f"these features have {len(mean)} columns, those before had {len(self._mean)}; take all from one network."
            )
        total, shift = self.count + count, mean.to(self._mean.device) - self._mean
        self._scatter.addr_(shift, shift, alpha=self.count * count / total)
        self._mean += shift * (count / total)
        self.count = total

    def __add__(self, other: Moments) -> Moments:
        """Returns the moments of the rows of both, on the device of the first."""
        if not (self.count and other.count):
            return Moments.from_state_dict((self if self.count else other).state_dict())
        both = Moments.from_state_dict(self.state_dict())
        both._join(other.count, other._mean)
        both._scatter += other._scatter.to(both._scatter.device)
        return both

    @property
    def mean(self) -> Tensor:
        """The mean of all rows, shape (d,); raises UserError if there are no rows yet."""
        if not self.count:
            raise UserError("there are no moments of no rows; call update(features) first.")
        return self._mean

    @property
    def covariance(self) -> Tensor:
        """The covariance divided by count - 1, shape (d, d); raises UserError for fewer than two rows."""
        if self.count < 2:
            raise UserError(f"a covariance needs two rows and there are {self.count}; call update(features) with more.")
        return self._scatter / (self.count - 1)

    def state_dict(self) -> dict[str, Tensor]:
        """Returns copies of "count", "mean" (d,) and "scatter" (d, d), the sum of outer products of the centred rows."""
        return {"count": torch.tensor(self.count), "mean": self._mean.clone(), "scatter": self._scatter.clone()}

    @staticmethod
    def from_state_dict(state: Mapping[str, Tensor]) -> Moments:
        """Restores moments from their `state_dict()`; raises UserError for anything else."""
        if missing := {"count", "mean", "scatter"} - set(state):
            raise UserError(f"these are no moments: {', '.join(sorted(missing))} missing; give what state_dict() returned.")
        moments, mean, scatter = Moments(), state["mean"], state["scatter"]
        moments.count = int(state["count"])
        moments._mean, moments._scatter = mean.double().clone(), scatter.double().clone()
        if mean.ndim != 1 or scatter.shape != (len(mean), len(mean)) or moments.count < 0:
            raise UserError(
                f"these are no moments: count {moments.count}, mean {tuple(mean.shape)}, scatter {tuple(scatter.shape)}; "
                "give what state_dict() returned."
            )
        if not (torch.isfinite(mean).all() and torch.isfinite(scatter).all()):
            raise UserError("these moments hold values that are not finite; compute them again.")
        return moments


def frechet_from_streams(a: Moments, b: Moments) -> float:
    """Returns the Fréchet distance of two streams; raises UserError for fewer than two rows, or different columns."""
    return frechet_from_moments(a.mean, a.covariance, b.mean, b.covariance)


# ---------------------------------------------------------------- the limit of many images


class Extrapolation(NamedTuple):
    """The limit of a fitted line, and the standard error of its intercept."""

    value: float
    error: float


def fid_infinity(real: Tensor, fake: Tensor, points: int = 15, smallest: int | None = None, seed: int = 0) -> Extrapolation:
    """Returns the Fréchet distance of infinitely many generated images: FID_N = FID_inf + c / N, a line fitted in 1 / N.

    Arguments:
        real: The features of the real images, (m, d); all of them are used each time.
        fake: The features of the generated images, (n, d); their number varies.
        points: The number of N, evenly spaced from `smallest` to n. Each uses the first N rows of a new shuffle.
        smallest: The smallest N; by default min(5000, n / 2), for at least 5 d rows, since the law holds for N far above d
            only.
        seed: The seed of the shuffles.

    The error is the standard error of the intercept by least squares. The subsets share rows, so that the error says how
    well the line fits, not how much another n images would change the limit. The limit may be negative if both sets have
    the same distribution.

    Raises:
        UserError: As `frechet_distance` does, and for fewer than three points or a `smallest` outside [2, n).

    Reference: Chong and Forsyth, 2020, section 3.1.
    """
    real, fake = check_matrices(real=real, fake=fake)
    rows, dim = fake.shape
    if points < 3:
        raise UserError(f"points={points} are too few for a line and its error; type points=15.")
    if smallest is None:
        if rows < MIN_ROWS_PER_COLUMN * dim:
            raise UserError(
                f"{rows} generated rows of {dim} columns are too few to extrapolate: give at least "
                f"{MIN_ROWS_PER_COLUMN * dim}, or give smallest=, the rows to begin with, and do not trust the error."
            )
        smallest = max(dim + 1, min(5000, rows // 2))
    if not 2 <= smallest < rows:
        raise UserError(f"smallest={smallest} is not from 2 to {rows - 1}; type smallest={max(2, rows // 2)}.")
    sizes = torch.linspace(smallest, rows, points, dtype=torch.float64).round().long().tolist()
    generator, moments = torch.Generator().manual_seed(seed), Moments().update(real)
    distances = []
    for size in sizes:
        subset = torch.randperm(rows, generator=generator)[:size].to(fake.device)
        distances.append(frechet_from_streams(Moments().update(fake[subset]), moments))
    x = 1 / torch.tensor(sizes, dtype=torch.float64)
    y = torch.tensor(distances, dtype=torch.float64)
    centred = x - x.mean()
    slope = (centred * y).sum() / centred.square().sum()
    value = y.mean() - slope * x.mean()
    variance = (y - value - slope * x).square().sum() / (points - 2)
    error = (variance * (1 / points + x.mean().square() / centred.square().sum())).sqrt()
    return Extrapolation(float(value), float(error))
