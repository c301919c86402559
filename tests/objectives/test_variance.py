"""The balance: each variance and each schedule against its definition."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from splitvae.errors import UserError
from splitvae.objectives.elbo import ELBO
from splitvae.objectives.kl_weight import Capacity, Constant, Cyclical, WarmUp
from splitvae.objectives.variance import Computed, Fixed, Learned, Optimal, Ratchet


def test_computed_is_the_running_minimum_of_the_moving_average() -> None:
    errors = torch.rand(300) * torch.linspace(1, 0.01, 300)
    variance, m, v = Computed().build(), 1.0, 1.0
    for e in errors:
        assert variance(e).item() == pytest.approx(v, rel=1e-5)  # the batch is weighed before it is learned from
        m = 0.99 * m + 0.01 * e.item()
        v = min(v, m)


def test_computed_never_rises_and_reaches_a_constant_error_in_617_steps() -> None:
    variance, mse = Computed().build(), torch.tensor(0.02)
    values = [variance(mse).item() for _ in range(1000)]
    assert all(b <= a for a, b in itertools.pairwise(values))
    assert next(i for i, v in enumerate(values) if v <= 1.1 * 0.02) == 617
    assert values[-1] == pytest.approx(0.02, rel=0.01)


def test_the_ratchet_drifts_below_a_noisy_error_where_the_paper_s_rule_stays() -> None:
    random = np.random.default_rng(0)
    computed, ratchet = Computed(0.02).build(), Ratchet(0.02).build()
    for e in random.normal(0.02, 0.003, 5000).astype(np.float32):
        computed(torch.tensor(e))
        ratchet(torch.tensor(e))
    assert computed.v.item() == pytest.approx(0.0192, abs=2e-4)
    assert ratchet.v.item() == pytest.approx(0.0141, abs=2e-4)


@pytest.mark.parametrize("kind", [Computed, Ratchet, Optimal])
def test_nothing_is_learned_in_evaluation_mode(kind: type) -> None:
    variance = kind(0.5).build().eval()
    assert variance(torch.tensor(0.01)).item() == 0.5
    assert variance.v.item() == 0.5


def test_optimal_has_the_gradient_of_the_analytic_sigma_vae() -> None:
    x, a = torch.randn(10, 6), torch.randn(10, 6, requires_grad=True)
    v = Optimal().build()((x - a).square().mean().detach())
    (short,) = torch.autograd.grad((x - a).square().sum() / (2 * v), a)
    mse = (x - a).square().mean()
    (long,) = torch.autograd.grad((x - a).square().sum() / (2 * mse) + x.numel() / 2 * mse.log(), a)
    torch.testing.assert_close(short, long)


def test_learned_is_stationary_at_the_error() -> None:
    variance, sse, size = Learned(0.3).build(), torch.tensor(0.3 * 100), 100
    v = variance(torch.tensor(0.0))
    loss = sse / (2 * v) + size / 2 * v.log()
    (slope,) = torch.autograd.grad(loss, variance.log_gamma)
    assert slope.item() == pytest.approx(0, abs=1e-3)


def test_a_perfect_batch_divides_by_no_zero() -> None:
    for variance in (Computed(1e-5).build(), Ratchet(1e-5).build(), Optimal(1e-5).build()):
        for _ in range(2000):
            variance(torch.tensor(0.0))
        assert variance(torch.tensor(0.0)).item() == pytest.approx(math.exp(-12), rel=1e-3)


def test_schedules_have_their_shapes() -> None:
    assert Constant().factor(10**9) == 1
    assert [2 * WarmUp(100).factor(t) for t in (0, 50, 100, 1000)] == [0, 1, 2, 2]
    cyclical = [Cyclical(400).factor(t) for t in (0, 25, 50, 99, 100, 125, 399, 400, 500)]
    assert cyclical == [0, 0.5, 1, 1, 0, 0.5, 1, 1, 1]


def test_capacity_pulls_the_kl_to_a_rising_target() -> None:
    schedule, kl = Capacity(steps=100, nats=20), torch.tensor([5.0, 15.0])
    torch.testing.assert_close(schedule.weigh(kl, 10, 50), torch.tensor([50.0, 50.0]))
    torch.testing.assert_close(schedule.weigh(kl, 10, 1000), torch.tensor([150.0, 50.0]))


@pytest.mark.parametrize("make", [lambda: Fixed(0), lambda: Computed(-1), lambda: ELBO(-1), lambda: WarmUp(0)])
def test_impossible_weights_are_refused(make: object) -> None:
    with pytest.raises(UserError):
        make()  # type: ignore[operator]  # called as users do
