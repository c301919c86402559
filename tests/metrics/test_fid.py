"""The Fréchet distance: closed forms, invariances, other people's implementations, streams, and its limit."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from splitvae import metrics
from splitvae.errors import UserError
from splitvae.metrics.fid import Moments, fid_infinity, frechet_distance, frechet_from_moments, frechet_from_streams

DIM = 24


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def whitened(rows: int, seed: int = 0) -> Tensor:
    """Rows whose mean is 0 and whose covariance is the identity, to rounding."""
    x = normal(rows, DIM, seed=seed)
    x = x - x.mean(0)
    return torch.linalg.solve_triangular(torch.linalg.cholesky(torch.cov(x.mT)), x.mT, upper=False).mT


def mixed(rows: int, seed: int, spread: float = 2.0) -> Tensor:
    """Correlated rows whose deviations fall by `spread` orders of magnitude."""
    scales = torch.logspace(0, -spread, DIM, dtype=torch.float64)
    return normal(rows, DIM, seed=seed) * scales @ orthogonal(seed + 100) + normal(DIM, seed=seed + 200)


def orthogonal(seed: int) -> Tensor:
    return torch.linalg.qr(normal(DIM, DIM, seed=seed)).Q


def moments_of(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.mean(0), torch.cov(x.mT)


def traces(*matrices: Tensor) -> float:
    """The sum of variances of all columns: the scale that rounding is measured by."""
    return sum(float(x.double().var(0).sum()) for x in matrices)


# rows of the two matrices: dense, mixed and nuclear forms
ROWS = [(200, 300), (200, 10), (7, 300), (10, 7), (DIM, DIM), (DIM + 1, DIM + 1), (2, 2)]


# ---------------------------------------------------------------- closed forms


def test_the_distance_of_diagonal_gaussians_is_that_of_means_plus_that_of_deviations() -> None:
    a, b = torch.rand(2, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) + 0.1
    shift = normal(DIM, seed=2)
    exact = float(shift.square().sum() + (a.sqrt() - b.sqrt()).square().sum())
    distance = frechet_distance(whitened(100) * a.sqrt(), whitened(150, seed=3) * b.sqrt() + shift)
    assert distance == pytest.approx(exact, rel=1e-9)
    zero = torch.zeros(DIM)
    assert frechet_from_moments(zero, a.diag(), shift, b.diag()) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("rows", [300, DIM, 5])
def test_the_distance_of_a_pure_shift_is_the_shift_squared(rows: int) -> None:
    x, shift = mixed(rows, 0), normal(DIM, seed=1)
    assert frechet_distance(x, x + shift) == pytest.approx(float(shift.square().sum()), rel=1e-9)


def test_in_one_dimension_the_distance_is_in_closed_form() -> None:
    a, b = 3 * normal(50, 1), normal(70, 1, seed=1) + 2
    exact = float((a.mean() - b.mean()) ** 2 + (a.std() - b.std()) ** 2)
    assert frechet_distance(a, b) == pytest.approx(exact, rel=1e-12)


def test_the_distance_of_two_points_each_is_in_closed_form() -> None:
    a, b = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.tensor([[0.0, 3.0], [0.0, -3.0]])
    assert frechet_distance(a, b) == pytest.approx(2 + 18)  # deviations along different axes have no common root
    assert frechet_distance(a, 3 * a) == pytest.approx((3 * 2**0.5 - 2**0.5) ** 2)


# ---------------------------------------------------------------- identities


@pytest.mark.parametrize("rows", [r for r, _ in ROWS])
def test_the_distance_of_a_set_from_itself_is_zero(rows: int) -> None:
    x = mixed(rows, 0)
    assert frechet_distance(x, x) <= (1e-6 if rows > DIM else 1e-12) * traces(x)
    assert frechet_distance(x, x[torch.randperm(rows)]) <= (1e-6 if rows > DIM else 1e-12) * traces(x)


@pytest.mark.parametrize(("n", "m"), ROWS)
def test_the_distance_is_symmetric_invariant_to_a_joint_isometry_and_scales_as_the_square(n: int, m: int) -> None:
    a, b = mixed(n, 0), mixed(m, 1)
    distance = frechet_distance(a, b)
    assert distance > 0
    assert frechet_distance(b, a) == pytest.approx(distance, rel=1e-10)
    q, shift = orthogonal(5), 10 * normal(DIM, seed=6)
    assert frechet_distance(a @ q + shift, b @ q + shift) == pytest.approx(distance, rel=1e-10)
    assert frechet_distance(-7 * a, -7 * b) == pytest.approx(49 * distance, rel=1e-10)


@pytest.mark.parametrize(("n", "m"), ROWS)
def test_features_and_their_moments_have_the_same_distance(n: int, m: int) -> None:
    a, b = mixed(n, 0), mixed(m, 1)
    dense = frechet_from_moments(*moments_of(a), *moments_of(b))
    assert frechet_distance(a, b) == pytest.approx(dense, rel=1e-6)
    assert frechet_from_streams(Moments().update(a), Moments().update(b)) == pytest.approx(dense, rel=1e-6)


def test_eigenvalues_and_singular_values_agree_where_both_are_accurate() -> None:
    for spread in (0.0, 1.0, 2.0, 3.0):
        first, second = torch.cov(mixed(300, 0, spread).mT), torch.cov(mixed(200, 1, spread).mT)
        lower = torch.linalg.cholesky(first)
        by_eigenvalues = torch.linalg.eigvalsh(lower.mT @ second @ lower).sqrt().sum()
        by_singular_values = torch.linalg.svdvals(lower.mT @ torch.linalg.cholesky(second)).sum()
        distance = frechet_from_moments(torch.zeros(DIM), first, torch.zeros(DIM), second)
        for root in (by_eigenvalues, by_singular_values):
            assert distance == pytest.approx(float(first.trace() + second.trace() - 2 * root), rel=1e-9)


def test_single_precision_features_are_measured_in_double_precision() -> None:
    a, b = mixed(100, 0).float(), mixed(100, 1).float()
    assert frechet_distance(a, b) == frechet_distance(a.double(), b.double())
    assert math.isfinite(frechet_distance(a.half(), b.bfloat16()))


# ---------------------------------------------------------------- singular covariances


@pytest.mark.parametrize("rows", [100, 10])
def test_constant_columns_change_nothing(rows: int) -> None:
    a, b = mixed(rows, 0), mixed(rows, 1)
    constant = torch.full((rows, 9), 3.0, dtype=torch.float64)
    distance = frechet_distance(torch.cat((a, constant), 1), torch.cat((b, constant), 1))
    assert distance == pytest.approx(frechet_distance(a, b), rel=1e-7)


def test_columns_that_are_constant_in_one_set_add_the_variance_of_the_other() -> None:
    a, b = whitened(100), mixed(100, 1)
    b[:, 15:] = a[:, 15:].mean(0)
    distance = frechet_distance(a[:, :15], b[:, :15]) + (DIM - 15)  # columns of a are uncorrelated, of variance 1
    for q in (torch.eye(DIM, dtype=torch.float64), orthogonal(9)):  # turned, the columns are constant to rounding
        assert frechet_distance(a @ q, b @ q) == pytest.approx(distance, rel=1e-11)  # eigenvalues would reach 1e-9 only
        assert frechet_distance(b @ q, a @ q) == pytest.approx(distance, rel=1e-11)


@pytest.mark.parametrize("rows", [100, 10])
def test_the_distance_of_identical_rows_is_the_variance_of_the_other_set(rows: int) -> None:
    point, x = torch.full((rows, DIM), 0.1, dtype=torch.float64), mixed(rows, 0)
    exact = float((x.mean(0) - 0.1).square().sum()) + traces(x)
    assert frechet_distance(point, x) == pytest.approx(exact, rel=1e-7)
    assert frechet_distance(x, point) == pytest.approx(exact, rel=1e-7)
    assert frechet_distance(point, point) == pytest.approx(0, abs=1e-12)
    assert frechet_from_streams(Moments().update(point), Moments().update(x)) == pytest.approx(exact, rel=1e-7)


def test_columns_that_repeat_others_scale_the_distance() -> None:
    a, b = mixed(100, 0), mixed(100, 1)
    assert frechet_distance(a.repeat(1, 2), b.repeat(1, 2)) == pytest.approx(2 * frechet_distance(a, b), rel=1e-7)


# ---------------------------------------------------------------- other implementations


def test_the_distance_agrees_with_the_matrix_square_root_of_scipy() -> None:
    for seed in range(3):
        a, b = mixed(200, seed), mixed(150, seed + 50)
        (mean_a, first), (mean_b, second) = moments_of(a), moments_of(b)
        root = scipy.linalg.sqrtm((first @ second).numpy()).trace().real
        exact = float((mean_a - mean_b).square().sum() + first.trace() + second.trace()) - 2 * root
        assert frechet_distance(a, b) == pytest.approx(exact, rel=1e-8)
        assert frechet_from_moments(mean_a, first, mean_b, second) == pytest.approx(exact, rel=1e-8)


def test_the_distance_agrees_with_torchmetrics() -> None:
    fid = pytest.importorskip("torchmetrics.image.fid")  # an optional peer
    for n, m in ((200, 300), (200, 30)):
        a, b = mixed(n, 0), mixed(m, 1)
        assert frechet_distance(a, b) == pytest.approx(float(fid._compute_fid(*moments_of(a), *moments_of(b))), rel=1e-8)
    a, b = mixed(10, 0), mixed(12, 1)  # fewer rows than columns: eigenvalues of the product know less
    assert frechet_distance(a, b) == pytest.approx(float(fid._compute_fid(*moments_of(a), *moments_of(b))), rel=1e-5)


# ---------------------------------------------------------------- streams


def stream(x: Tensor, *sizes: int) -> Moments:
    moments = Moments()
    for batch in x.split(list(sizes)):
        moments.update(batch)
    return moments


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("sizes", [(100,), (1, 99), (60, 39, 1), (25,) * 4, (1,) * 100], ids=str)
def test_the_covariance_of_a_stream_is_that_of_numpy(sizes: tuple[int, ...], offset: float) -> None:
    x = mixed(100, 0) + offset
    moments = stream(x, *sizes)
    assert moments.count == 100
    assert torch.allclose(moments.mean, x.mean(0), rtol=1e-14)
    exact = torch.from_numpy(np.cov((x - offset).numpy(), rowvar=False))  # without the offset, which costs numpy digits
    assert torch.allclose(moments.covariance, exact, rtol=0, atol=1e-14 if offset == 0 else 1e-9)


def test_sums_of_streams_do_not_depend_on_their_order() -> None:
    x = mixed(90, 0)
    parts = [stream(part, len(part)) for part in x.split([10, 50, 30])]
    whole = stream(x, 90)
    for one, two, three in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        for both in ((parts[one] + parts[two]) + parts[three], parts[one] + (parts[two] + parts[three])):
            assert both.count == 90
            assert torch.allclose(both.mean, whole.mean, rtol=0, atol=1e-14)
            assert torch.allclose(both.covariance, whole.covariance, rtol=0, atol=1e-14)
    assert [part.count for part in parts] == [10, 50, 30]  # a sum does not change its terms
    assert torch.equal((Moments() + parts[0]).covariance, parts[0].covariance)
    assert torch.equal((parts[0] + Moments()).covariance, parts[0].covariance)


def test_moments_are_restored_exactly_and_can_be_updated() -> None:
    x = mixed(90, 0)
    stopped = stream(x[:40], 40)
    restored = Moments.from_state_dict(stopped.state_dict()).update(x[40:])
    assert stopped.count == 40
    assert torch.equal(restored.covariance, stream(x, 40, 50).covariance)
    assert torch.equal(restored.mean, stream(x, 40, 50).mean)


def test_damaged_moments_are_refused() -> None:
    state = stream(mixed(9, 0), 9).state_dict()
    with pytest.raises(UserError, match="scatter missing"):
        Moments.from_state_dict({name: value for name, value in state.items() if name != "scatter"})
    with pytest.raises(UserError, match=r"mean \(3,\)"):
        Moments.from_state_dict(state | {"mean": torch.zeros(3)})
    with pytest.raises(UserError, match="not finite"):
        Moments.from_state_dict(state | {"mean": torch.full((DIM,), torch.nan)})


def test_moments_of_too_few_rows_or_of_another_network_are_refused() -> None:
    with pytest.raises(UserError, match="no rows"):
        _ = Moments().mean
    with pytest.raises(UserError, match="two rows"):
        frechet_from_streams(Moments().update(normal(1, 3)), Moments().update(normal(5, 3)))
    moments = Moments().update(normal(5, 3))
    for other in (lambda: moments.update(normal(5, 4)), lambda: moments + Moments().update(normal(5, 4))):
        with pytest.raises(UserError, match="4 columns, those before had 3"):
            other()
    with pytest.raises(UserError, match="NaN"):
        moments.update(torch.full((1, 3), torch.nan))
    assert moments.count == 5
    assert bool(moments.covariance.isfinite().all())


# ---------------------------------------------------------------- the limit of many images


def test_the_distance_of_equal_distributions_is_inversely_proportional_to_the_number_of_images() -> None:
    """FID_N = c / N: against exact moments, the mean of ten draws has a relative deviation of about 3 % at d = 24."""
    zero, one = torch.zeros(DIM, dtype=torch.float64), torch.eye(DIM, dtype=torch.float64)
    products = {
        n: n * np.mean([frechet_from_moments(*moments_of(normal(n, DIM, seed=n + i)), zero, one) for i in range(10)])
        for n in (500, 1000, 4000)
    }
    assert products[500] == pytest.approx(products[4000], rel=0.1)
    assert products[1000] == pytest.approx(products[4000], rel=0.1)


def test_the_limit_of_equal_distributions_is_zero_where_the_distance_is_not() -> None:
    a, b = normal(2000, DIM), whitened(2000, seed=1)  # b has the exact moments of the law
    distance, limit = frechet_distance(a, b), fid_infinity(b, a)
    assert distance > 0.05
    assert abs(limit.value) < 0.15 * distance
    assert abs(limit.value) < 3 * limit.error < 0.3 * distance


def test_the_limit_errs_by_a_few_of_its_errors_from_five_rows_a_column_on_and_by_more_below() -> None:
    """The truth is 0. The root mean square of its errors is compared with the mean of those it claims."""
    real = whitened(20_000, seed=99)

    def ratio(rows: int, **options: int) -> float:
        limits = [fid_infinity(real, normal(rows, DIM, seed=i), seed=i, **options) for i in range(8)]
        return float(np.sqrt(np.mean([x.value**2 for x in limits])) / np.mean([x.error for x in limits]))

    assert ratio(5 * DIM) < 3.5
    assert ratio(2 * DIM, smallest=DIM + 1) > 4


def test_the_limit_of_a_shift_is_the_shift_squared() -> None:
    shift = torch.full((DIM,), 0.5, dtype=torch.float64)
    a, b = normal(2000, DIM) + shift, whitened(2000, seed=1)
    exact = float((a.mean(0)).square().sum())  # the subsets scatter about the mean of the n rows
    limit = fid_infinity(b, a).value
    assert limit == pytest.approx(exact, rel=0.02)
    assert frechet_distance(a, b) - limit > 0


def test_the_limit_is_that_of_a_line_through_the_points() -> None:
    a, b = normal(400, DIM), normal(500, DIM, seed=1)
    limit = fid_infinity(b, a, points=3, smallest=100, seed=7)
    random, sizes = torch.Generator().manual_seed(7), [100, 250, 400]
    y = [frechet_distance(a[torch.randperm(400, generator=random)[:n]], b) for n in sizes]
    coefficients, covariance = np.polyfit([1 / n for n in sizes], y, 1, cov=True)
    assert limit.value == pytest.approx(coefficients[1], rel=1e-9)
    assert limit.error == pytest.approx(covariance[1, 1] ** 0.5, rel=1e-9)
    assert limit == fid_infinity(b, a, points=3, smallest=100, seed=7)
    assert limit != fid_infinity(b, a, points=3, smallest=100, seed=8)


# ---------------------------------------------------------------- what is refused


BAD = [
    (normal(1, 3), normal(5, 3), "a has 1 row where 2"),
    (normal(5, 3), normal(0, 3), "b has 0 rows where 2"),
    (normal(5, 3), normal(5, 4), "a has 3 columns and b has 4"),
    (normal(5), normal(5, 3), r"a has the shape \(5,\)"),
    (normal(5, 3), normal(2, 5, 3), r"b has the shape \(2, 5, 3\)"),
    (normal(5, 0), normal(5, 0), r"a has the shape \(5, 0\)"),
    (normal(5, 3).index_fill(0, torch.tensor([1, 4]), torch.nan), normal(5, 3), "a holds 6 values .* 2 rows of 5"),
    (normal(5, 3), normal(5, 3).fill_diagonal_(torch.inf)[:1].repeat(2, 1), "b holds 2 values .* 2 rows of 2"),
]


@pytest.mark.parametrize(("a", "b", "words"), BAD)
def test_arguments_that_are_no_pair_of_feature_matrices_are_refused(a: Tensor, b: Tensor, words: str) -> None:
    for distance in (frechet_distance, metrics.kernel_distance):
        with pytest.raises(UserError, match=words):
            distance(a, b)
    with pytest.raises(
        UserError, match=re.sub(r"\ba (?=has|holds)", "real ", re.sub(r"\bb (?=has|holds)", "fake ", words))
    ):
        fid_infinity(a, b)


def test_moments_of_wrong_shapes_are_refused() -> None:
    mean, covariance = torch.zeros(3), torch.eye(3)
    for index, wrong in enumerate((torch.zeros(()), torch.eye(2), torch.zeros(4), torch.zeros(3))):
        given = [mean, covariance, mean, covariance]
        given[index] = wrong
        with pytest.raises(UserError, match="has the shape"):
            frechet_from_moments(*given)
    with pytest.raises(UserError, match="covariance_b holds 3 values"):
        frechet_from_moments(mean, covariance, mean, torch.diag(torch.full((3,), torch.nan)))


def test_extrapolations_from_too_few_points_are_refused() -> None:
    a = normal(50, 3)
    with pytest.raises(UserError, match="points=2"):
        fid_infinity(a, a, points=2)
    for smallest in (1, 50):
        with pytest.raises(UserError, match=f"smallest={smallest}"):
            fid_infinity(a, a, smallest=smallest)
    with pytest.raises(UserError, match=f"give at least {5 * DIM}"):
        fid_infinity(normal(100, DIM), normal(5 * DIM - 1, DIM))
    assert math.isfinite(fid_infinity(normal(100, DIM), normal(25, DIM), smallest=10).value)
