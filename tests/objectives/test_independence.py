"""What styles tell of groups: closed forms, and zero where they tell nothing."""

from __future__ import annotations

import torch

import splitvae
from splitvae.models.groups import as_groups
from splitvae.objectives.independence import dependence, hsic

CPU = torch.device("cpu")


def test_hsic_of_linear_kernels_is_the_squared_covariance() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(9, 3, dtype=torch.float64), torch.randn(9, 2, dtype=torch.float64)
    covariance = torch.cov(torch.cat((x, y), 1).T)[:3, 3:]
    torch.testing.assert_close(hsic(x @ x.T, y @ y.T), covariance.square().sum())


def test_hsic_is_the_trace_of_its_definition() -> None:
    torch.manual_seed(0)
    a, b = (torch.rand(6, 6, dtype=torch.float64) for _ in range(2))
    h = torch.eye(6, dtype=torch.float64) - 1 / 6
    torch.testing.assert_close(hsic(a, b), torch.trace(a @ h @ b @ h) / 25)


def test_dependence_is_large_for_dependent_styles_and_falls_with_the_batch_for_others() -> None:
    torch.manual_seed(0)

    def nothing(count: int) -> torch.Tensor:
        groups = as_groups(torch.arange(count) % 5, count, CPU)
        return torch.stack([dependence(torch.randn(count, 4), groups) for _ in range(40)])

    small, large = nothing(120), nothing(480)
    assert 3.5 < small.mean() / large.mean() < 4.5  # of order 1 / n
    labels = torch.arange(120) % 5
    groups = as_groups(labels, 120, CPU)
    shifted = dependence(torch.randn(120, 4) + labels[:, None], groups)
    widened = dependence(torch.randn(120, 4) * (1 + 2.0 * (labels == 0))[:, None], groups)  # seen by no linear probe
    assert shifted - small.mean() > 10 * small.std()
    assert widened - small.mean() > 5 * small.std()


def test_dependence_ignores_scale_order_and_names() -> None:
    torch.manual_seed(0)
    style, labels, order = torch.randn(40, 3), torch.randint(0, 4, (40,)), torch.randperm(40)
    value = dependence(style, as_groups(labels, 40, CPU))
    of_changed = dependence(7 * style[order] - 3, as_groups(labels[order] * -9, 40, CPU))
    torch.testing.assert_close(of_changed, value, rtol=2e-2, atol=1e-4)  # but for the least deviation


def test_the_gradient_of_dependence_is_finite_even_if_styles_are_equal() -> None:
    style = torch.zeros(8, 2, requires_grad=True)
    dependence(style, as_groups(torch.arange(8) % 2, 8, CPU)).backward()
    assert style.grad is not None
    assert style.grad.isfinite().all()


def test_independence_weighs_the_dependence_in_nats_per_image() -> None:
    torch.manual_seed(0)
    vae = splitvae.VAE((1, 16, 16), latent_dim=6, net="mlp", latent="grouped", embedding=16, content_draw="mean")
    x, labels = torch.rand(12, 1, 16, 16), torch.arange(12) % 3
    losses = []
    for weight in (0.0, 5.0):
        torch.manual_seed(1)
        objective = splitvae.ELBO(independence=weight).build()
        ((_, loss),) = objective(vae, x, labels)
        losses.append(loss)
    style = vae.encode(x, labels).style.mean  # type: ignore[attr-defined]  # a Grouped posterior
    expected = 5 * dependence(style, as_groups(labels, 12, CPU)) * 12 / 3
    torch.testing.assert_close(losses[1] - losses[0], expected, rtol=1e-3, atol=1e-3)
    assert "dependence" in objective.logs


def test_independence_waits_for_codes_that_tell_something_and_then_rises() -> None:
    torch.manual_seed(0)
    vae = splitvae.VAE((1, 16, 16), latent_dim=6, net="mlp", latent="grouped", embedding=16)
    x, labels = torch.rand(12, 1, 16, 16), torch.arange(12) % 3
    heads = vae.encoder.latent
    for head in (heads.style_mean, heads.content_mean, heads.style_logvar, heads.content_logvar):
        torch.nn.init.zeros_(head.weight)
    objective = splitvae.ELBO(independence=40.0, independence_steps=4).build()

    def weights(steps: int) -> list[float]:
        found = []
        for step in range(steps):
            for _ in objective(vae, x, labels, step):
                found.append(float(objective.logs["independence"]))
        return found

    assert weights(3) == [0, 0, 0]  # empty codes, as in the first steps of a convolutional network
    torch.nn.init.constant_(heads.style_mean.bias, 2.0)  # 6 nats
    assert weights(2) == [0, 0]  # contents still tell nothing
    torch.nn.init.constant_(heads.content_mean.bias, 2.0)
    assert weights(6) == [10, 20, 30, 40, 40, 40]
    resumed = splitvae.ELBO(independence=40.0, independence_steps=4).build()
    resumed.load_state_dict(objective.state_dict())
    objective = resumed
    assert weights(1) == [40]
    assert splitvae.ELBO(independence=40.0).build().state_dict().keys() == splitvae.ELBO().build().state_dict().keys()
