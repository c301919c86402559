"""The kernel distance: known values, invariances, and torchmetrics."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from splitvae.errors import UserError
from splitvae.metrics.mmd import kernel_distance

DIM = 16


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_the_kernel_distance_of_two_points_each_is_in_closed_form() -> None:
    a, b = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [3.0]])
    own = 3**3 + 1**3  # one pair in each set, x.x' = 2 and y.y' = 0
    across = (1 + 4**3 + 1 + 7**3) / 4
    assert kernel_distance(a, b).value == pytest.approx(own - 2 * across)


@pytest.mark.filterwarnings("ignore:Metric .Kernel")  # torchmetrics says that it keeps all features
def test_the_kernel_distance_of_whole_sets_is_that_of_torchmetrics() -> None:
    kid = pytest.importorskip("torchmetrics.image.kid")  # an optional peer
    a, b = normal(120, DIM), 1.3 * normal(120, DIM, seed=1) + 0.2
    whole = kernel_distance(a, b, subsets=3)
    assert whole.value == pytest.approx(float(kid.poly_mmd(a, b)), rel=1e-10)
    assert whole.deviation == pytest.approx(0, abs=1e-12)  # each block is everything
    oracle = kid.KernelInceptionDistance(feature=torch.nn.Flatten(), subsets=2, subset_size=120)
    oracle.update(a.float(), real=True)
    oracle.update(b.float(), real=False)
    assert whole.value == pytest.approx(float(oracle.compute()[0]), rel=1e-4)  # which is in single precision


def test_the_result_is_the_mean_and_deviation_over_blocks() -> None:
    kid = pytest.importorskip("torchmetrics.image.kid")  # an optional peer
    a, b = normal(90, DIM), normal(60, DIM, seed=1) + 0.5
    random, values = torch.Generator().manual_seed(4), []
    for _ in range(7):
        first, second = (torch.randperm(len(x), generator=random)[:30] for x in (a, b))
        values.append(kid.poly_mmd(a[first], b[second]))
    measured = kernel_distance(a, b, subsets=7, size=30, seed=4)
    assert measured.value == pytest.approx(float(torch.stack(values).mean()), rel=1e-10)
    assert measured.deviation == pytest.approx(float(torch.stack(values).std(correction=0)), rel=1e-10)
    assert measured == kernel_distance(a, b, subsets=7, size=30, seed=4)
    assert measured != kernel_distance(a, b, subsets=7, size=30, seed=5)


def test_the_kernel_distance_of_equal_distributions_is_zero_in_the_mean() -> None:
    draws = [(normal(50, 4, seed=i), normal(50, 4, seed=i + 500)) for i in range(100)]
    values = torch.tensor([kernel_distance(a, b, subsets=1).value for a, b in draws])
    assert abs(float(values.mean())) < 3 * float(values.std()) / 10  # three standard errors
    assert float(values.min()) < 0 < float(values.max())
    assert kernel_distance(normal(50, 4), normal(50, 4, seed=1) + 1).value > 10 * float(values.std())


def test_blocks_are_no_larger_than_the_smaller_set() -> None:
    a, b = normal(40, DIM), normal(70, DIM, seed=1)
    assert kernel_distance(a, b) == kernel_distance(a, b, size=40)


def test_the_kernel_distance_is_invariant_to_a_joint_rotation_and_in_double_precision() -> None:
    a, b = normal(60, DIM).float(), normal(60, DIM, seed=1).float() + 1
    q = torch.linalg.qr(normal(DIM, DIM, seed=2)).Q
    distance = kernel_distance(a, b, subsets=5, size=50)
    assert kernel_distance(a.double() @ q, b.double() @ q, subsets=5, size=50).value == pytest.approx(distance.value)
    assert kernel_distance(a.double(), b.double(), subsets=5, size=50) == distance


def test_blocks_of_too_few_rows_and_no_blocks_are_refused() -> None:
    a = normal(20, DIM)
    with pytest.raises(UserError, match="subsets=0"):
        kernel_distance(a, a, subsets=0)
    with pytest.raises(UserError, match="size=1"):
        kernel_distance(a, a, size=1)
