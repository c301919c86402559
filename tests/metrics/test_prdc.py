"""Precision, recall, density and coverage: known values, invariances, and the package prdc."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from splitvae.errors import UserError
from splitvae.metrics import prdc as neighbours
from splitvae.metrics.prdc import PRDC, precision_recall_density_coverage

DIM = 16


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize(("n", "m"), [(120, 120), (90, 150), (150, 60)])
@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.7, 0.3), (1.0, 1.0)])
def test_neighbours_agree_with_prdc(n: int, m: int, k: int, scale: float, shift: float) -> None:
    prdc = pytest.importorskip("prdc")  # an optional peer
    real, fake = normal(n, DIM), scale * normal(m, DIM, seed=1) + shift
    exact = prdc.compute_prdc(real.numpy(), fake.numpy(), nearest_k=k)
    assert precision_recall_density_coverage(real, fake, k)._asdict() == pytest.approx(exact, rel=1e-12)


def test_blocks_of_rows_do_not_change_the_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = normal(100, DIM), normal(73, DIM, seed=1)
    whole = precision_recall_density_coverage(real, fake)
    for block in (1, 730, 999):  # one row at a time, a divisor of all, and a remainder
        monkeypatch.setattr(neighbours, "DISTANCES_PER_BLOCK", block)
        assert precision_recall_density_coverage(real, fake) == whole


def test_neighbours_on_a_line_are_counted_by_hand() -> None:
    real = torch.tensor([[0.0], [1.0], [3.0], [7.0]])  # radii 1, 1, 2, 4 for k = 1
    fake = torch.tensor([[0.5], [1.0], [20.0]])  # radii 0.5, 0.5, 19
    # 0.5 lies in the balls of 0 and 1; 1 only in its own, since it is on the boundary of those of 0 and 3; 20 in none
    # of the real rows, 1 lies in the ball of 1, 3 and 7 in that of 20, and 0 is nearest to 0.5, on its boundary
    assert precision_recall_density_coverage(real, fake, k=1) == pytest.approx(PRDC(2 / 3, 3 / 4, 3 / 3, 2 / 4))


def test_a_set_compared_with_itself_is_covered_and_has_density_one() -> None:
    x = normal(200, DIM)
    assert precision_recall_density_coverage(x, x) == (1, 1, 1, 1)  # its k-th neighbour is on the boundary


def test_sets_far_apart_have_nothing_in_common() -> None:
    assert precision_recall_density_coverage(normal(50, DIM), normal(50, DIM, seed=1) + 100) == (0, 0, 0, 0)


def test_equal_distributions_have_density_one_in_the_mean() -> None:
    densities = torch.tensor(
        [precision_recall_density_coverage(normal(200, 4, seed=i), normal(200, 4, seed=i + 99)).density for i in range(20)]
    )
    assert abs(float(densities.mean()) - 1) < 4 * float(densities.std()) / 20**0.5


def test_a_collapsed_set_is_precise_and_covers_little() -> None:
    real = normal(300, 2)
    result = precision_recall_density_coverage(real, 0.05 * normal(300, 2, seed=1))
    assert result.precision > 0.99
    assert result.density > 1
    assert result.recall < 0.05
    assert result.coverage < 0.1


def test_equal_rows_have_empty_balls_at_any_offset() -> None:
    for offset in (0.0, 1e3):
        x = (normal(1, DIM) + offset).repeat(20, 1)
        assert precision_recall_density_coverage(x, x) == (0, 0, 0, 0)
        mixed = torch.cat((x, normal(20, DIM, seed=1) + offset))
        assert precision_recall_density_coverage(mixed, x).coverage <= 0.5  # the balls of the equal rows stay empty


def test_neighbours_do_not_depend_on_a_joint_isometry_or_scale() -> None:
    real, fake = normal(100, DIM), normal(100, DIM, seed=1) + 0.3
    q, result = torch.linalg.qr(normal(DIM, DIM, seed=2)).Q, precision_recall_density_coverage(real, fake)
    assert precision_recall_density_coverage(3 * real @ q + 1000, 3 * fake @ q + 1000) == result


@pytest.mark.parametrize(
    ("real", "fake", "k", "words"),
    [
        (normal(5, 3), normal(9, 3), 5, "real has 5 rows where 6"),
        (normal(9, 3), normal(3, 3), 3, "fake has 3 rows where 4"),
        (normal(9, 3), normal(9, 4), 5, "real has 3 columns and fake has 4"),
        (normal(9), normal(9, 3), 5, r"real has the shape \(9,\)"),
        (normal(9, 3), normal(9, 3).fill_diagonal_(-torch.inf), 5, "fake holds 3 values"),
        (normal(9, 3), normal(9, 3), 0, "k=0"),
    ],
)
def test_matrices_with_too_few_rows_and_senseless_arguments_are_refused(
    real: Tensor, fake: Tensor, k: int, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        precision_recall_density_coverage(real, fake, k)
