"""The negative ELBO against torch.distributions, and its identities."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

import splitvae
from splitvae import ELBO, RAE
from splitvae.errors import UserError
from splitvae.models.split import ambiguity
from splitvae.objectives.rae import layer_weights
from splitvae.objectives.variance import Fixed


@pytest.fixture
def vae() -> splitvae.VAE:
    return splitvae.create("digits-svae", width=4)


def loss_of(vae: splitvae.VAE, x: torch.Tensor, objective: splitvae.Objective) -> torch.Tensor:
    torch.manual_seed(1)  # the same posterior noise each time
    ((player, loss),) = objective(vae, x)
    assert player == "vae"
    return loss


def test_loss_is_the_negative_log_likelihood_and_kl_of_torch_distributions(vae: splitvae.VAE) -> None:
    x = torch.rand(8, 1, 16, 16)
    loss = loss_of(vae, x, ELBO(beta=3, variance=Fixed(0.07)).build())
    torch.manual_seed(1)
    q = vae.encode(x)
    xhat = vae.decode(q.rsample()).image
    likelihood = Independent(Normal(xhat, 0.07**0.5), 3).log_prob(x)
    kl = kl_divergence(Normal(q.mean, (q.logvar / 2).exp()), Normal(0, 1)).sum(1)
    torch.testing.assert_close(loss, (-likelihood + 3 * kl).mean())


def test_only_beta_times_v_matters_up_to_the_scale_of_the_loss(vae: splitvae.VAE) -> None:
    x, c = torch.rand(8, 1, 16, 16), 4.0
    parameters = list(vae.parameters())
    one = torch.autograd.grad(loss_of(vae, x, ELBO(beta=2, variance=Fixed(0.1)).build()), parameters)
    two = torch.autograd.grad(loss_of(vae, x, ELBO(beta=2 / c, variance=Fixed(0.1 * c)).build()), parameters)
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a, c * b, rtol=1e-4, atol=1e-4)


def test_ambiguity_is_added_to_the_squared_error_and_does_not_change_the_variance(vae: splitvae.VAE) -> None:
    x = torch.rand(8, 1, 16, 16)
    free, bound = ELBO(variance="computed").build(), ELBO(variance="computed", ambiguity=0.7).build()
    difference = loss_of(vae, x, bound) - loss_of(vae, x, free)
    torch.manual_seed(1)
    canvas = vae.decode(vae.encode(x).rsample())
    torch.testing.assert_close(difference, 0.7 * ambiguity(canvas).mean() / 2, rtol=1e-4, atol=1e-4)
    assert torch.equal(free.variance.v, bound.variance.v)


def test_penalties_are_zero_without_a_split() -> None:
    vae, x = splitvae.create("digits-vae", width=4), torch.rand(4, 1, 16, 16)
    assert torch.equal(loss_of(vae, x, ELBO(ambiguity=1, smoothness=1).build()), loss_of(vae, x, ELBO().build()))


def test_evaluation_mode_learns_nothing(vae: splitvae.VAE) -> None:
    objective = ELBO().build().eval()
    loss_of(vae.eval(), torch.rand(4, 1, 16, 16), objective)
    assert objective.variance.v == 1


def test_logs_hold_every_term_and_no_graph(vae: splitvae.VAE) -> None:
    objective = ELBO(beta=8).build()
    loss_of(vae, torch.rand(4, 1, 16, 16), objective)
    assert set(objective.logs) == {"loss", "mse", "rec", "kl", "beta", "v", "beta_v", "spread"}
    assert not any(isinstance(v, torch.Tensor) and v.requires_grad for v in objective.logs.values())


def test_the_learned_variance_is_a_parameter_of_the_player(vae: splitvae.VAE) -> None:
    objective = ELBO(variance="learned").build()
    assert any(p is objective.variance.log_gamma for p in objective.players(vae)["vae"])
    loss_of(vae, torch.rand(4, 1, 16, 16), objective).backward()
    assert objective.variance.log_gamma.grad is not None


@pytest.mark.parametrize("arguments", [{"ambiguity": 2}, {"smoothness": -1}, {"beta": -1}, {"variance": "computd"}])
def test_impossible_settings_are_refused(arguments: dict) -> None:
    with pytest.raises(UserError):
        ELBO(**arguments).build()


# ---------------------------------------------------------------- regularized autoencoders


@pytest.fixture
def rae() -> splitvae.VAE:
    return splitvae.create("digits-svae", width=4, latent="deterministic", latent_dim=5)


def test_a_regularized_autoencoder_is_the_elbo_of_a_code_without_noise(rae: splitvae.VAE) -> None:
    x, v, beta = torch.rand(8, 1, 16, 16), 0.05, 1e-3
    size, dim = x[0].numel(), 5
    elbo = loss_of(rae, x, ELBO(beta * size / (v * dim), Fixed(v)).build())
    log_term = size / 2 * torch.tensor(2 * torch.pi * v).log()
    torch.testing.assert_close(loss_of(rae, x, RAE(beta).build()) * size / (2 * v), elbo - log_term)


def test_the_gradient_penalty_is_a_product_with_the_jacobian(rae: splitvae.VAE) -> None:
    x = torch.rand(3, 1, 16, 16)
    rae.eval()  # images do not meet in BatchNorm, so that each has a Jacobian of its own
    codes = rae.encode(x).mean.detach()
    slopes = []
    for z in codes:
        jacobian = torch.autograd.functional.jacobian(lambda z: rae.decode(z[None]).image.flatten(), z)
        slopes.append(2 * rae.decode(z[None]).image.flatten() @ jacobian)
    expected = torch.stack(slopes).square().mean()
    plain = loss_of(rae, x, RAE().build())
    torch.testing.assert_close(
        loss_of(rae, x, RAE(penalty="gradient", weight=3.0).build()) - plain, 3 * expected, rtol=1e-3, atol=1e-6
    )


def test_the_gradient_penalty_trains_the_decoder_and_is_zero_in_evaluation(rae: splitvae.VAE) -> None:
    x = torch.rand(4, 1, 16, 16)
    with_penalty, without = (loss_of(rae, x, RAE(penalty="gradient", weight=w).build()) for w in (1.0, 0.0))
    head = rae.decoder.head.weight
    assert not torch.equal(torch.autograd.grad(with_penalty, head)[0], torch.autograd.grad(without, head)[0])
    with torch.no_grad():
        evaluated = RAE(penalty="gradient", weight=1.0).build().eval()
        assert torch.equal(loss_of(rae.eval(), x, evaluated), loss_of(rae, x, RAE().build().eval()))


def test_the_l2_penalty_is_the_sum_of_squared_kernels_of_the_decoder(rae: splitvae.VAE) -> None:
    x = torch.rand(4, 1, 16, 16)
    squares = sum(p.square().sum() for n, p in rae.decoder.named_parameters() if p.ndim > 1)
    assert len(layer_weights(rae.decoder)) == sum(p.ndim > 1 for p in rae.decoder.parameters())
    torch.testing.assert_close(
        loss_of(rae, x, RAE(penalty="l2", weight=0.1).build()) - loss_of(rae, x, RAE().build()), 0.1 * squares
    )


@pytest.mark.parametrize("arguments", [{"beta": -1}, {"penalty": "l3"}, {"weight": float("nan")}, {"ambiguity": 2}])
def test_impossible_regularizers_are_refused(arguments: dict) -> None:
    with pytest.raises(UserError):
        RAE(**arguments).build()
