"""What styles tell of groups: closed forms, and zero where they tell nothing."""

from __future__ import annotations

from itertools import permutations

import torch

import splitvae
from splitvae.groups import grouped
from splitvae.independence import dependence, hsic

CPU = torch.device("cpu")


def test_the_estimate_is_the_mean_over_all_quadruples() -> None:
    torch.manual_seed(0)
    n = 6
    a, b = (torch.rand(n, n, dtype=torch.float64) for _ in range(2))
    a, b = a + a.T, b + b.T
    terms = [a[i, j] * (b[i, j] + b[q, r] - 2 * b[i, q]) for i, j, q, r in permutations(range(n), 4)]
    torch.testing.assert_close(hsic(a, b), torch.stack(terms).mean())


def test_styles_that_tell_nothing_have_none_on_average_and_those_that_do_have_some() -> None:
    torch.manual_seed(0)
    labels = torch.arange(120) % 5
    groups = grouped(labels, 120, CPU)
    nothing = torch.stack([dependence(torch.randn(120, 4), groups) for _ in range(60)])
    assert nothing.mean().abs() < 3 * nothing.std() / 60**0.5
    shifted = dependence(torch.randn(120, 4) + labels[:, None], groups)
    widened = dependence(torch.randn(120, 4) * (1 + 2.0 * (labels == 0))[:, None], groups)  # seen by no linear probe
    assert shifted > 10 * nothing.std()
    assert widened > 5 * nothing.std()


def test_it_does_not_depend_on_scale_order_or_names() -> None:
    torch.manual_seed(0)
    style, labels, order = torch.randn(40, 3), torch.randint(0, 4, (40,)), torch.randperm(40)
    found = dependence(style, grouped(labels, 40, CPU))
    again = dependence(7 * style[order] - 3, grouped(labels[order] * -9, 40, CPU))
    torch.testing.assert_close(again, found, rtol=2e-2, atol=1e-4)  # but for the least deviation


def test_its_gradient_is_finite_even_where_styles_coincide() -> None:
    style = torch.zeros(8, 2, requires_grad=True)
    dependence(style, grouped(torch.arange(8) % 2, 8, CPU)).backward()
    assert style.grad is not None
    assert style.grad.isfinite().all()


def test_the_weight_asks_the_bound_for_it_in_nats_an_image() -> None:
    torch.manual_seed(0)
    vae = splitvae.VAE((1, 16, 16), latent_dim=6, net="mlp", latent="grouped", embedding=16, content_draw="mean")
    x, labels = torch.rand(12, 1, 16, 16), torch.arange(12) % 3
    losses = []
    for weight in (0.0, 5.0):
        torch.manual_seed(1)
        objective = splitvae.ELBO(independence=weight)
        ((_, loss),) = objective(vae, x, labels)
        losses.append(loss)
    style = vae.encode(x, labels).style.mean  # type: ignore[attr-defined]
    expected = 5 * dependence(style, grouped(labels, 12, CPU)) * 12 / 3
    torch.testing.assert_close(losses[1] - losses[0], expected, rtol=1e-3, atol=1e-3)
    assert "dependence" in objective.logs
