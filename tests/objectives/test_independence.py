"""What styles tell of groups: closed forms, and zero where they tell nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import splitvae
from splitvae.models.groups import Groups, as_groups
from splitvae.objectives.independence import dependence, hsic, moment_information, paired_dependence

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


def turned(labels: torch.Tensor, dim: int) -> torch.Tensor:
    """Styles with the same mean and variances in each group, whose correlations differ between groups."""
    draws = torch.Generator().manual_seed(2)
    frames = torch.linalg.qr(torch.randn(int(labels.max()) + 1, dim, dim, generator=draws))[0]
    spread = torch.linspace(0.4, 1.6, dim)
    return torch.einsum("bij,bj->bi", frames[labels], spread * torch.randn(len(labels), dim))


def test_moments_show_in_many_dimensions_what_the_dependence_hardly_sees() -> None:
    torch.manual_seed(0)
    labels = torch.arange(250) % 10
    groups = as_groups(labels, 250, CPU)
    styles = {"none": [torch.randn(250, 16) for _ in range(30)], "turned": [turned(labels, 16) for _ in range(30)]}
    found = {
        measure.__name__: {name: torch.stack([measure(s, groups) for s in rows]) for name, rows in styles.items()}
        for measure in (dependence, moment_information)
    }
    gap = {name: float((rows["turned"].mean() - rows["none"].mean()) / rows["none"].std()) for name, rows in found.items()}
    assert gap["moment_information"] > 6
    assert gap["moment_information"] > 2 * gap["dependence"]


def test_moment_information_is_that_of_gaussians_to_second_order() -> None:
    torch.manual_seed(0)
    labels = torch.arange(4000) % 2
    groups = as_groups(labels, len(labels), CPU)
    shifted = torch.randn(len(labels), 3) + 0.3 * (2 * labels[:, None] - 1)  # in units of the standard deviation, 0.287
    torch.testing.assert_close(moment_information(shifted, groups), torch.tensor(3 * 0.287**2 / 2), atol=0.02, rtol=0)


def test_estimates_without_bias_are_zero_on_average_and_grow_with_dependence() -> None:
    torch.manual_seed(0)
    labels = torch.randint(0, 4, (40,))
    groups = as_groups(labels, 40, CPU)
    for measure in (paired_dependence, moment_information):
        nothing = torch.stack([measure(torch.randn(40, 4), groups) for _ in range(400)])
        assert abs(nothing.mean()) < 4 * nothing.std() / 20
        assert measure(torch.randn(40, 4) + labels[:, None], groups) > 5 * nothing.std()
        few = as_groups(torch.arange(6), 6, CPU)  # no two images of a group
        assert measure(torch.randn(6, 2), few).isfinite()
        assert measure(torch.randn(3, 2), as_groups(torch.tensor([0, 0, 1]), 3, CPU)) == 0


def test_large_styles_in_rare_groups_do_not_lower_the_information() -> None:
    """The mean over pairs within groups less that over all pairs is far below 0 here, and falls without end."""
    torch.manual_seed(0)
    labels = (torch.arange(400) % 20 == 0).long()
    style = torch.randn(400, 6) * (1 + 9 * labels[:, None])
    assert moment_information(style, as_groups(labels, 400, CPU)) > 1


@pytest.mark.parametrize("measure", [dependence, paired_dependence, moment_information])
def test_every_dependence_is_computed_in_float32_under_autocast(measure: Callable[..., torch.Tensor]) -> None:
    torch.manual_seed(0)
    style, groups = torch.randn(60, 8), as_groups(torch.arange(60) % 4, 60, CPU)
    with torch.autocast("cpu", torch.bfloat16):
        inside = measure(style, groups)
    assert torch.equal(inside, measure(style, groups))


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


@pytest.mark.parametrize(
    ("option", "measure"), [("independence_moments", moment_information), ("independence_pairs", paired_dependence)]
)
def test_weights_of_estimates_without_bias_are_in_nats_per_image_and_need_groups(
    option: str, measure: Callable[[torch.Tensor, Groups], torch.Tensor]
) -> None:
    torch.manual_seed(0)
    vae = splitvae.VAE((1, 16, 16), latent_dim=6, net="mlp", latent="grouped", embedding=16, content_draw="mean")
    x, labels = torch.rand(12, 1, 16, 16), torch.arange(12) % 3
    losses = []
    for weight in (0.0, 5.0):
        torch.manual_seed(1)
        objective = splitvae.ELBO(**{option: weight}).build()
        ((_, loss),) = objective(vae, x, labels)
        losses.append(loss)
    style = vae.encode(x, labels).style.mean  # type: ignore[attr-defined]  # a Grouped posterior
    expected = 5 * measure(style, as_groups(labels, 12, CPU)) * 12 / 3
    torch.testing.assert_close(losses[1] - losses[0], expected, rtol=1e-3, atol=1e-3)
    assert measure.__name__ in objective.logs
    with pytest.raises(splitvae.UserError, match="latent='grouped'"):
        splitvae.Config().override(**{option: 5.0})
    with pytest.raises(splitvae.UserError, match="at least 0"):
        splitvae.ELBO(**{option: -1.0})


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
