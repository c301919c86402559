"""IntroVAE and Soft-IntroVAE against the papers' algorithms written out plainly, and their identities."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import splitvae
from splitvae import ELBO, Objective
from splitvae.errors import UserError
from splitvae.models.groups import as_groups
from splitvae.models.inference import inference_batch_size
from splitvae.models.latents import LATENTS
from splitvae.models.split import ambiguity, count_logit_channels
from splitvae.networks.introvae import IntroDecoder, IntroEncoder
from splitvae.objectives.base import squared_error
from splitvae.objectives.introspective import Introspective
from splitvae.objectives.introvae import Intro, from_official, from_yukunchen, hinge
from splitvae.objectives.soft_introvae import SoftIntro
from splitvae.objectives.variance import Fixed

SIDE, WIDTHS, DIM = 16, [4, 8], 4
BOTH = (Intro, SoftIntro)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Networks this small are faster on one thread than on two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def model(split: int = 1, latent: str = "gaussian", norm: str | None = "batch", seed: int = 0) -> splitvae.VAE:
    torch.manual_seed(seed)
    vae = splitvae.VAE((1, SIDE, SIDE), DIM, split, width=4, scales=2, embedding=16 * WIDTHS[-1], latent=latent)
    vae.encoder.features = IntroEncoder(1, SIDE, WIDTHS, norm)
    vae.decoder = IntroDecoder(DIM, count_logit_channels(1, split), SIDE, WIDTHS, norm)
    return vae.to(memory_format=torch.channels_last).train()


def images(n: int = 6) -> Tensor:
    return torch.rand(n, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(7))


def parameters(vae: splitvae.VAE) -> dict[str, list[nn.Parameter]]:
    return {"encoder": list(vae.encoder.parameters()), "decoder": list(vae.decoder.parameters())}


Step = Callable[[splitvae.VAE, Tensor], Iterator[tuple[str, Tensor]]]


def gradients(vae: splitvae.VAE, x: Tensor, losses: Step, lr: float = 0.01) -> dict[str, list[Tensor]]:
    """Each player's gradient in one step of plain descent, with the same noise each time."""
    torch.manual_seed(1)
    by_player = {}
    players = parameters(vae)
    for player, loss in losses(vae, x):
        vae.zero_grad()
        loss.backward()
        by_player[player] = [p.grad.clone() for p in players[player]]
        with torch.no_grad():
            for p in players[player]:
                p -= lr * p.grad
    return by_player


def assert_close(a: dict[str, list[Tensor]], b: dict[str, list[Tensor]], scale: float = 1.0) -> None:
    assert a.keys() == b.keys()
    for player in a:
        one, two = (torch.cat([g.flatten() for g in by_player[player]]) for by_player in (a, b))
        torch.testing.assert_close(scale * one, two, rtol=2e-4, atol=2e-5 * float(two.abs().max()))


class Watch(TorchDispatchMode):
    """Notes the operations that run, and how many convolutions' gradients of inputs and of weights are computed."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.inputs = self.weights = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(func.overloadpacket.__name__)
        if func is torch.ops.aten.convolution_backward.default:
            self.inputs, self.weights = self.inputs + args[-1][0], self.weights + args[-1][1]
        return func(*args, **(kwargs or {}))


@contextmanager
def passes(vae: splitvae.VAE) -> Iterator[dict[str, int]]:
    """Counts forward passes of each network."""
    counts = {"encoder": 0, "decoder": 0}

    def count(name: str) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            counts[name] += 1

        return hook

    hooks = [getattr(vae, name).register_forward_hook(count(name)) for name in counts]
    yield counts
    for h in hooks:
        h.remove()


def backward(vae: splitvae.VAE, objective: Objective, step: int = 0, group: Any = None, x: Tensor | None = None) -> None:
    """Both players' backward passes, without a step of the optimizers."""
    for _, loss in objective(vae, images() if x is None else x, group, step):
        loss.backward()


# ---------------------------------------------------------------- the algorithms


def algorithm(alpha: float, alpha_decoder: float, beta: float, m: float) -> Step:
    """Algorithm 1 of the IntroVAE's paper, everything computed anew where it is needed."""

    def losses(vae: splitvae.VAE, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        q = vae.encode(x)
        z = q.rsample()
        zp = torch.randn_like(z)
        xr, xp = vae.decode(z).image, vae.decode(zp).image
        rec, fake = (vae.encode(image.detach()).kl().mean() for image in (xr, xp))
        l_ae = 0.5 * (xr - x).square().sum((1, 2, 3)).mean()
        yield "encoder", q.kl().mean() + alpha * ((m - rec).clamp(min=0) + (m - fake).clamp(min=0)) + beta * l_ae
        xr, xp = vae.decode(z.detach()).image, vae.decode(zp).image
        l_ae = 0.5 * (xr - x).square().sum((1, 2, 3)).mean()
        yield "decoder", alpha_decoder * (vae.encode(xr).kl().mean() + vae.encode(xp).kl().mean()) + beta * l_ae

    return losses


@pytest.mark.parametrize("norm", ["batch", None])
@pytest.mark.parametrize(("alpha", "alpha_decoder", "beta", "margin"), [(0.25, None, 0.5, 50.0), (0.7, 0.5, 0.05, 20.0)])
def test_both_gradients_are_those_of_algorithm_1(
    alpha: float, alpha_decoder: float | None, beta: float, margin: float, norm: str | None
) -> None:
    objective = Intro(alpha, beta, margin, alpha_decoder).build()
    ours = gradients(model(norm=norm), images(), objective)
    assert objective.logs["hinge_rec"] > 0 and objective.logs["hinge_fake"] > 0
    assert_close(ours, gradients(model(norm=norm), images(), algorithm(alpha, alpha_decoder or alpha, beta, margin)))


@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_both_gradients_are_those_of_the_soft_algorithm(gamma: float) -> None:
    beta_rec, beta_kl, beta_neg = 0.8, 1.5, 6.0
    s = 1 / SIDE**2

    def sse(a: Tensor, b: Tensor) -> Tensor:
        return (a - b).square().sum((1, 2, 3))

    def losses(vae: splitvae.VAE, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        q = vae.encode(x)
        z = q.rsample()
        zp = torch.randn_like(z)
        xr, xp = vae.decode(z).image, vae.decode(zp).image
        loss = s * (beta_rec * sse(xr, x).mean() + beta_kl * q.kl().mean())
        for fake in (xr.detach(), xp.detach()):
            qf = vae.encode(fake)
            reconstruction = vae.decode(qf.rsample()).image
            loss = loss + 0.25 * torch.exp(-2 * s * (beta_rec * sse(reconstruction, fake) + beta_neg * qf.kl())).mean()
        yield "encoder", loss
        xr, xp = vae.decode(z.detach()).image, vae.decode(zp).image
        loss = s * beta_rec * sse(xr, x).mean()
        for fake in (xr, xp):
            qf = vae.encode(fake)
            reconstruction = vae.decode(qf.rsample().detach()).image if gamma else fake
            loss = loss + s * 0.5 * beta_kl * qf.kl().mean()
            loss = loss + s * 0.5 * gamma * beta_rec * sse(reconstruction, fake.detach()).mean()
        yield "decoder", loss

    ours = gradients(model(), images(), SoftIntro(beta_rec, beta_kl, beta_neg, gamma).build())
    assert_close(ours, gradients(model(), images(), losses))


def test_a_step_of_the_official_code_has_the_same_gradients_up_to_the_weight_of_the_kl() -> None:
    """main.py of hhb072 in its own units, with the reconstruction's gradient that its decoder keeps from the first pass."""
    w_rec, w_neg, w_kl, m = 0.05, 0.5, 0.8, 60.0

    def losses(vae: splitvae.VAE, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        q = vae.encode(x)
        z = q.rsample()
        zp = torch.randn_like(z)
        xr, xp = vae.decode(z).image, vae.decode(zp).image
        rec = (xr - x).square().flatten(1).sum(1).mean()
        hinges = [torch.relu(m - vae.encode(image.detach()).kl().mean()) for image in (xr, xp)]
        yield "encoder", w_rec * rec + w_kl * (q.kl().mean() + 0.5 * w_neg * (hinges[0] + hinges[1]))
        xr, xp = vae.decode(z.detach()).image, vae.decode(zp).image
        rec = (xr - x).square().flatten(1).sum(1).mean()
        yield "decoder", w_rec * rec + 0.5 * w_kl * (vae.encode(xr).kl().mean() + vae.encode(xp).kl().mean())

    official = gradients(model(), images(), losses, lr=0.01 / w_kl)  # as Adam would, which feels no scale
    arguments = from_official(w_rec, w_neg, m, w_kl)
    assert arguments == {"alpha": 0.25, "beta": 0.125, "margin": 60.0, "alpha_decoder": 0.5, "hinge": "batch"}
    assert_close(gradients(model(), images(), Intro(**arguments).build()), official, scale=w_kl)


def test_yukunchen113s_three_numbers_have_the_papers_units() -> None:
    alpha, m, beta = 0.25, 70.0, 0.05
    ours = gradients(model(norm=None), images(), Intro(**from_yukunchen(alpha, m, beta)).build())
    assert_close(ours, gradients(model(norm=None), images(), algorithm(alpha, alpha, beta, m)))


def test_yukunchen113s_own_schedule_of_beta_begins_at_0() -> None:
    """That code's lambda step: min(step / 50_000, 1), with alpha = 0 at first: the first step changes no decoder."""
    arguments = from_yukunchen(lambda step: 0.25 * (step >= 2), 70.0, lambda step: min(step / 4, 1.0))
    objective, vae = Intro(**arguments).build(), model(norm=None)
    before = [p.detach().clone() for p in vae.decoder.parameters()]
    for step in range(4):
        for player, loss in objective(vae, images(), None, step):
            assert loss.isfinite()
            loss.backward()
            with torch.no_grad():
                for p in parameters(vae)[player]:
                    p -= 1e-3 * p.grad  # type: ignore[operator]  # every parameter has a gradient
            vae.zero_grad()
        assert objective.logs["beta"] == step / 4 and ("v" in objective.logs) == (step > 0)
        unchanged = all(torch.equal(a, b) for a, b in zip(before, vae.decoder.parameters(), strict=True))
        assert unchanged == (step == 0)


def test_the_official_codes_first_epochs_have_weights_of_1() -> None:
    arguments = from_official(0.05, 0.5, 120.0, 0.8, num_vae=2, steps_per_epoch=10)
    assert arguments["vae_epochs"] == 2
    objective = Intro(**arguments).build(steps_per_epoch=10)
    assert [objective.weights(step)[2] for step in (0, 19, 20, 500)] == [2.0, 2.0, 0.125, 0.125]
    vae, x = model(norm=None), images()
    torch.manual_seed(3)
    _, loss = next(objective(vae, x, None, step=19))
    torch.manual_seed(3)
    posterior = vae.encode(x)
    rec = squared_error(vae.decode(posterior.rsample()).image, x).mean()
    torch.testing.assert_close(loss, rec + posterior.kl().mean())  # loss_rec + loss_kl of that code
    with pytest.raises(UserError, match="num_vae=2 needs steps_per_epoch"):
        from_official(0.05, 0.5, 120.0, num_vae=2)


# ---------------------------------------------------------------- the plain VAE inside


def adam_steps(vae: splitvae.VAE, objective: Step, steps: int) -> dict[str, Tensor]:
    torch.manual_seed(3)
    optimizers = {name: torch.optim.Adam(p, lr=1e-2) for name, p in parameters(vae).items()}
    for i in range(steps):
        for player, loss in objective(vae, images().roll(i, 0)):
            for name in (player,) if player in optimizers else optimizers:
                optimizers[name].zero_grad()
            loss.backward()
            for name in (player,) if player in optimizers else optimizers:
                optimizers[name].step()
    return vae.state_dict()


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize(("split", "norm"), [(1, "batch"), (2, "batch"), (1, None)])
def test_without_fakes_it_is_the_plain_vae_bit_for_bit(split: int, norm: str | None, soft: bool) -> None:
    beta, scale = 0.3, 1 / SIDE**2

    def plain(vae: splitvae.VAE, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        q = vae.encode(x)
        sse = squared_error(vae.decode(q.rsample()).image, x)
        if soft:
            yield "vae", (scale * q.kl() + scale * sse).mean()
        else:
            yield "vae", (q.kl() + beta * 0.5 * sse).mean()

    objective = SoftIntro(vae_epochs=5).build() if soft else Intro(alpha=0, beta=beta).build()
    ours, theirs = adam_steps(model(split, norm=norm), objective, 5), adam_steps(model(split, norm=norm), plain, 5)
    different = [name for name in ours if not torch.equal(ours[name], theirs[name])]
    assert different == []  # parameters and BatchNorm's statistics


def test_the_bound_in_evaluation_is_the_elbos_with_a_variance_of_one_over_beta() -> None:
    vae, x, beta = model().eval(), images(), 0.4
    losses, size = [], SIDE**2
    for objective in (
        Intro(beta=beta).build(),
        SoftIntro(beta_rec=0.6, beta_kl=3.0).build(),
        ELBO(variance=Fixed(1 / beta)).build(),
    ):
        torch.manual_seed(2)
        ((_, loss),) = objective.eval()(vae, x)
        torch.testing.assert_close(objective.logs["loss"], loss.detach())
        losses.append(loss)
    constant = size / 2 * torch.tensor(2 * torch.pi / beta).log()
    torch.testing.assert_close(losses[0], losses[2] - constant)
    torch.testing.assert_close(losses[1], losses[0])  # whose beta is 2 * 0.6 / 3


@pytest.mark.parametrize("kind", BOTH)
def test_held_out_images_take_one_pass_and_change_nothing(kind: type[Introspective]) -> None:
    vae = model().eval()
    inference_batch_size(vae)  # is measured once, by passes of its own
    before = {name: value.clone() for name, value in vae.state_dict().items()}
    for objective, grad in ((kind().build().eval(), True), (kind().build().eval(), False), (kind().build(), False)):
        with passes(vae) as counts, torch.set_grad_enabled(grad):
            pairs = list(objective(vae, images(), None, 2**62))
        assert counts == {"encoder": 1, "decoder": 1} and len(pairs) == 1
        assert {"loss", "mse", "kl", "rec"} <= objective.logs.keys()
    assert all(torch.equal(before[name], value) for name, value in vae.state_dict().items())


def test_the_logged_bound_is_the_kl_and_beta_times_the_error_in_training_too() -> None:
    vae, objective = model(), Intro(beta=0.3, margin=40).build()
    torch.manual_seed(4)
    backward(vae, objective)
    logs = objective.logs
    torch.testing.assert_close(logs["loss"], logs["kl"] + 0.3 * logs["rec"])
    torch.testing.assert_close(logs["rec"], logs["mse"] * SIDE**2 / 2)
    hinges = logs["hinge_rec"] + logs["hinge_fake"]
    torch.testing.assert_close(logs["loss_encoder"], logs["loss"] + 0.25 * hinges)
    fakes = logs["kl_rec_decoder"] + logs["kl_fake_decoder"]
    torch.testing.assert_close(logs["loss_decoder"], 0.3 * logs["rec"] + 0.25 * fakes)
    torch.testing.assert_close(logs["hinge_rec"], 40 - logs["kl_rec"])


# ---------------------------------------------------------------- hinges and slopes


def test_the_hinge_is_of_the_batchs_mean_or_of_each_image() -> None:
    m = 10.0
    kl = torch.tensor([0.0, 2 * m])
    assert hinge(kl, m, 2, "batch") == 0
    assert hinge(kl, m, 2, "sample") == m / 2
    shares = torch.tensor([1.0, 2.0, 3.0, 2.0])  # two groups of two, each image with its share
    assert hinge(shares, m, 2, "batch") == hinge(shares, m, 2, "sample") == m - 4


def test_the_chosen_hinge_is_the_one_in_the_loss() -> None:
    def energies(objective: Intro) -> Tensor:
        vae, kls = model(norm=None), []
        vae.encoder.latent.register_forward_hook(lambda _, __, q: kls.append(q.kl().detach()))
        torch.manual_seed(5)
        backward(vae, objective)
        return kls[1]  # of xr, in the encoder's loss

    kl = energies(Intro().build())
    m = float(kl.mean())  # so that the hinge is active for some images and not for others
    for kind in ("batch", "sample"):
        objective = Intro(margin=m, hinge=kind).build()
        assert torch.equal(energies(objective), kl)
        torch.testing.assert_close(objective.logs["hinge_rec"], hinge(kl, m, 6, kind))
    assert hinge(kl, m, 6, "sample") > 2 * hinge(kl, m, 6, "batch")


def test_above_the_margin_fakes_give_the_encoder_no_gradient() -> None:
    plain = gradients(model(), images(), Intro(alpha=0).build())["encoder"]
    for alpha in (0.25, 100.0):
        objective = Intro(alpha=alpha, margin=1e-6).build()
        ours = gradients(model(), images(), objective)["encoder"]
        assert objective.logs["hinge_rec"] == objective.logs["hinge_fake"] == 0
        assert all(torch.equal(a, b) for a, b in zip(ours, plain, strict=True))


def test_the_decoders_gradient_of_the_fakes_kl_is_alpha_even_above_the_margin() -> None:
    logs = []
    for alpha in (0.25, 0.75):
        objective = Intro(alpha, margin=1e-6).build()
        torch.manual_seed(6)
        backward(model(), objective)  # neither player moves
        logs.append(objective.logs)
    kl = logs[0]["kl_rec_decoder"] + logs[0]["kl_fake_decoder"]
    torch.testing.assert_close(logs[1]["loss_decoder"] - logs[0]["loss_decoder"], 0.5 * kl, rtol=1e-4, atol=1e-5)


def test_alpha_decoder_changes_only_the_decoders_loss() -> None:
    objective = Intro(alpha=0, alpha_decoder=0.5).build()
    vae = model()
    with passes(vae) as counts:
        backward(vae, objective)
    assert counts == {"encoder": 3, "decoder": 2}  # the encoder's loss needs no fakes
    assert "kl_fake_decoder" in objective.logs and "kl_fake" not in objective.logs


# ---------------------------------------------------------------- Soft-IntroVAE


def test_the_exponentials_are_one_for_fakes_without_loss_and_less_for_others() -> None:
    vae, objective = model(), SoftIntro(beta_neg=5).build()
    backward(vae, objective)
    assert 0 < objective.logs["exp_rec"] < 1 and 0 < objective.logs["exp_fake"] < 1
    with torch.no_grad():
        for head in (vae.encoder.latent.mean, vae.encoder.latent.logvar, vae.decoder.head):
            head.weight.zero_(), head.bias.zero_()
    backward(vae, objective)  # every picture is gray, every posterior the prior
    assert objective.logs["exp_rec"] == objective.logs["exp_fake"] == 1


def test_without_gamma_the_decoders_loss_has_no_reconstruction_of_fakes() -> None:
    s, logs = 1 / SIDE**2, {}
    for gamma in (0.0, 1.0):
        objective = SoftIntro(beta_rec=0.7, beta_kl=0.9, gamma=gamma).build()
        torch.manual_seed(8)
        backward(model(), objective)
        logs[gamma] = objective.logs
    fakes = (logs[0.0]["kl_rec_decoder"] + logs[0.0]["kl_fake_decoder"]) / 2
    torch.testing.assert_close(logs[0.0]["loss_decoder"], s * (0.7 * 2 * logs[0.0]["rec"] + 0.9 * fakes))
    assert logs[1.0]["loss_decoder"] > logs[0.0]["loss_decoder"]


def test_fakes_of_infinite_weight_leave_the_encoder_the_scaled_bound() -> None:
    objective = SoftIntro(beta_rec=0.7, beta_neg=1e12).build()
    ours = gradients(model(), images(), objective)["encoder"]
    plain = gradients(model(), images(), SoftIntro(beta_rec=0.7, vae_epochs=1).build())["encoder"]
    assert all(torch.equal(a, b) for a, b in zip(ours, plain, strict=True))
    torch.testing.assert_close(objective.logs["loss_encoder"], objective.logs["loss"] / SIDE**2)


# ---------------------------------------------------------------- what a step costs, and what it leaves


@pytest.mark.parametrize(
    ("objective", "encoder", "decoder"),
    [
        (Intro().build(), 5, 2),
        (Intro(alpha=0).build(), 1, 1),
        (Intro(vae_epochs=1).build(), 1, 1),
        (SoftIntro().build(), 5, 6),
        (SoftIntro(gamma=0).build(), 5, 4),
        (SoftIntro(vae_epochs=1).build(), 1, 1),
    ],
)
def test_a_step_makes_as_many_passes_as_its_docstring_states(objective: Introspective, encoder: int, decoder: int) -> None:
    vae = model()
    with passes(vae) as counts:
        backward(vae, objective)
    assert counts == {"encoder": encoder, "decoder": decoder}


@pytest.mark.parametrize(("objective", "inputs"), [(Intro().build(), 3), (SoftIntro(gamma=0).build(), 5)])
def test_no_gradient_of_weights_is_computed_in_vain_and_nothing_is_read_back(objective: Introspective, inputs: int) -> None:
    vae = model()
    vae.encode(images())  # values of the first batch alone are looked at
    layers = {n: sum(isinstance(m, nn.Conv2d) for m in getattr(vae, n).modules()) for n in ("encoder", "decoder")}
    with Watch() as watch:
        backward(vae, objective)
    # The encoder learns from x, xr and xp, the decoder from xr and xp.
    assert watch.weights == 3 * layers["encoder"] + 2 * layers["decoder"]
    # No image asks for a gradient in the encoder's own loss, xr and xp do in the decoder's. Through the decoder gradients
    # pass to z, to xr's and xp's weights, and in Soft-IntroVAE to the codes of xr and xp.
    assert watch.inputs == 5 * layers["encoder"] - 3 + inputs * layers["decoder"]
    assert not watch.names & {"_local_scalar_dense", "item", "is_nonzero", "nonzero", "equal", "unique2", "_unique2"}


@pytest.mark.parametrize(
    "objective", [Intro().build(), Intro(alpha=0).build(), SoftIntro().build(), SoftIntro(gamma=0).build()]
)
def test_neither_players_loss_reaches_the_other(objective: Introspective) -> None:
    vae = model()
    for player, loss in objective(vae, images()):
        vae.zero_grad()
        loss.backward()
        for name, weights in parameters(vae).items():
            reached = [p.grad is not None and bool(p.grad.isfinite().all()) for p in weights]
            assert all(reached) if name == player else not any(reached)


@pytest.mark.parametrize("kind", BOTH)
def test_the_players_are_the_two_networks_and_share_nothing(kind: type[Introspective]) -> None:
    vae = model()
    players = kind().build().players(vae)
    assert list(players) == ["encoder", "decoder"]
    ids = [id(p) for weights in players.values() for p in weights]
    assert sorted(ids) == sorted(id(p) for p in vae.parameters()) and len(set(ids)) == len(ids)


@pytest.mark.parametrize("kind", BOTH)
def test_weights_still_learn_after_a_step_an_abandoned_step_and_an_error(
    kind: type[Introspective], monkeypatch: pytest.MonkeyPatch
) -> None:
    vae = model()
    vae.decoder.head.bias.requires_grad_(False)  # what its owner froze stays frozen
    flags = [p.requires_grad for p in vae.parameters()]

    def unchanged() -> bool:
        return flags == [p.requires_grad for p in vae.parameters()]

    for _ in kind().build()(vae, images()):
        assert unchanged()
    assert unchanged()
    for taken in (1, 2):
        losses = kind().build()(vae, images())
        for _ in range(taken):
            next(losses)
        losses.close()
        assert unchanged()
    calls, encode = itertools.count(), vae.encoder.latent.forward

    def failing(*arguments: Any) -> Any:
        if next(calls) == 3:  # the first pass of the frozen encoder
            raise RuntimeError("no memory left")
        return encode(*arguments)

    monkeypatch.setattr(vae.encoder.latent, "forward", failing)
    with pytest.raises(RuntimeError, match="no memory left"):
        list(kind().build()(vae, images()))
    assert unchanged()


def test_the_decoders_loss_uses_the_encoder_after_its_step() -> None:
    vae, objective = model(), Intro().build()
    losses = objective(vae, images())
    next(losses)
    with torch.no_grad():
        for head in (vae.encoder.latent.mean, vae.encoder.latent.logvar):
            head.weight.zero_(), head.bias.zero_()
    next(losses)
    assert objective.logs["kl_rec"] > 0 and objective.logs["kl_rec_decoder"] == 0


@pytest.mark.parametrize("kind", BOTH)
def test_logs_hold_every_term_and_no_graph(kind: type[Introspective]) -> None:
    objective = kind().build()
    backward(model(), objective)
    energies = {"kl", "kl_real", "kl_rec", "kl_fake", "kl_rec_decoder", "kl_fake_decoder"}
    energies |= {"correlation_real", "correlation_fake"}
    common = {"loss", "loss_encoder", "loss_decoder", "mse", "rec", "beta", "v", "spread"} | energies
    own = {"alpha", "alpha_decoder", "margin", "hinge_rec", "hinge_fake"} if kind is Intro else {"exp_rec", "exp_fake"}
    assert objective.logs.keys() == common | own
    assert not any(isinstance(v, Tensor) and (v.requires_grad or v.ndim) for v in objective.logs.values())
    objective = kind(vae_epochs=1).build()
    backward(model(), objective)
    assert objective.logs.keys() & (energies | own) == {"kl", "kl_real"} | (own & {"alpha", "alpha_decoder", "margin"})


def test_spread_is_one_for_perfect_reconstructions_and_none_for_one_picture() -> None:
    vae, objective = model(), Intro().build()
    x = images()
    with torch.no_grad():
        vae.decoder.head.weight.zero_()
    backward(vae, objective, x=x)
    assert objective.logs["spread"] == 0
    vae.decode = lambda z: splitvae.Canvas(  # type: ignore[method-assign]  # a stand-in
        (x + 0 * z.sum()).unsqueeze(1), torch.ones(len(x), 1, 1, SIDE, SIDE)
    )
    backward(vae, objective, x=x)
    torch.testing.assert_close(objective.logs["spread"], torch.ones(()))


# ---------------------------------------------------------------- schedules


def test_schedules_are_evaluated_at_the_step() -> None:
    steps_of: dict[str, list[int]] = {"alpha": [], "beta": [], "margin": [], "alpha_decoder": []}

    def schedule(name: str, value: float) -> Callable[[int], float]:
        def at(step: int) -> float:
            steps_of[name].append(step)
            return value * (step + 1)

        return at

    objective = Intro(**{name: schedule(name, v) for name, v in zip(steps_of, (0.1, 0.2, 30.0, 0.4), strict=True)}).build()
    for step in (0, 17):
        backward(model(), objective, step)
        logged = [objective.logs[name] for name in steps_of]
        assert logged == pytest.approx([v * (step + 1) for v in (0.1, 0.2, 30.0, 0.4)])
    assert all(evaluated == [0, 17] for evaluated in steps_of.values())


@pytest.mark.parametrize("kind", BOTH)
def test_the_first_steps_train_a_plain_vae_and_draw_no_prior(kind: type[Introspective]) -> None:
    objective = kind(vae_epochs=3).build()
    for step in range(5):
        vae = model()
        torch.manual_seed(9)
        vae.encode(images()).rsample()
        after_posterior = torch.get_rng_state()
        torch.manual_seed(9)
        with passes(vae) as counts:
            backward(vae, objective, step)
        plain = counts == {"encoder": 1, "decoder": 1}
        assert plain == torch.equal(torch.get_rng_state(), after_posterior) == (step < 3)
        assert ("kl_fake" in objective.logs) == (step >= 3)


def test_a_schedule_that_leaves_its_range_is_refused_with_the_step() -> None:
    with pytest.raises(UserError, match=r"beta=-1.* at step 12 must be a number of at least 0"):
        next(Intro(beta=lambda step: 11.0 - step).build()(model(), images(), None, 12))


# ---------------------------------------------------------------- splits, latents, precision


@pytest.mark.parametrize(("kind", "split", "latent"), list(itertools.product(BOTH, (1, 2, 3), LATENTS)))
def test_every_split_and_latent_trains(kind: type[Introspective], split: int, latent: str) -> None:
    vae, group = model(split, latent), torch.arange(3).repeat_interleave(2)
    backward(vae, kind(ambiguity=0.1, smoothness=0.1).build(), group=group)
    assert [n for n, p in vae.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


def test_penalties_of_the_split_are_added_to_the_error() -> None:
    x, losses = images(), []
    for weight in (0.0, 0.7):
        vae, objective = model(split=2), Intro(alpha=0, beta=0.3, ambiguity=weight).build()
        torch.manual_seed(10)
        backward(vae, objective, x=x)
        losses.append(objective.logs)
    torch.manual_seed(10)
    vae = model(split=2)
    torch.manual_seed(10)
    canvas = vae.decode(vae.encode(x).rsample())
    extra = 0.7 * ambiguity(canvas).mean().detach() / 2
    torch.testing.assert_close(losses[1]["loss"] - losses[0]["loss"], 0.3 * extra, rtol=1e-3, atol=1e-4)
    assert torch.equal(losses[1]["mse"], losses[0]["mse"])


def test_the_kl_of_a_code_without_noise_is_half_its_square() -> None:
    vae, objective = model(latent="deterministic"), Intro(margin=1e3).build()
    z = model(latent="deterministic").encode(images()).mean
    backward(vae, objective)
    torch.testing.assert_close(objective.logs["kl_real"], z.detach().square().sum(1).mean() / 2)


def test_fakes_come_in_the_groups_of_the_batch_and_share_their_content() -> None:
    vae, decoded = model(latent="grouped"), []
    vae.decoder.register_forward_pre_hook(lambda _, arguments: decoded.append(arguments[0]))
    groups: list[Any] = []
    vae.encoder.register_forward_pre_hook(lambda _, arguments: groups.append(arguments[1]))
    backward(vae, Intro().build(), group=torch.tensor([4, 9, 4, 9, 9, 1]))
    style, content = decoded[1].tensor_split([DIM // 2], 1)
    assert len(style.unique(dim=0)) == 6 and len(content.unique(dim=0)) == 3
    assert (
        torch.equal(content[1], content[3]) and torch.equal(content[1], content[4]) and torch.equal(content[0], content[2])
    )
    assert len(groups) == 5 and all(torch.equal(g.member_of, groups[0].member_of) for g in groups)


def test_kls_of_groups_are_summed_over_members_and_averaged_over_groups() -> None:
    group = torch.tensor([0, 0, 0, 0, 1, 1])
    vae, objective = model(latent="grouped"), Intro().build()
    backward(vae, objective, group=group)
    torch.testing.assert_close(
        objective.logs["kl_real"], model(latent="grouped").encode(images(), group).kl().sum().detach() / 2
    )
    torch.testing.assert_close(objective.logs["rec"], objective.logs["mse"] * SIDE**2 / 2 * 3)


def test_counted_groups_are_not_read_back() -> None:
    group = as_groups(torch.arange(3).repeat_interleave(2), 6, torch.device("cpu"))
    vae = model(latent="grouped")
    vae.encode(images())  # values of the first batch alone are looked at
    with Watch() as watch:
        backward(vae, Intro().build(), group=group)
    assert "_local_scalar_dense" not in watch.names


@pytest.mark.parametrize("kind", BOTH)
def test_half_precision_trains(kind: type[Introspective]) -> None:
    vae = model(split=2)
    losses = kind().build()(vae, images())
    while True:
        with torch.autocast("cpu", torch.bfloat16):
            player_loss = next(losses, None)
        if player_loss is None:
            break
        assert player_loss[1].dtype == torch.float32
        player_loss[1].backward()
    assert [n for n, p in vae.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


def test_a_ratio_makes_the_margin_a_multiple_of_the_kl_of_images_in_the_last_plain_epoch() -> None:
    vae, loss = model(), Intro(margin_ratio=1.5, vae_epochs=2).build(steps_per_epoch=3).train()
    kls, margins = [], []
    for step in range(8):
        for _, value in loss(vae, images() * (step + 1) / 8, None, step):
            value.backward()
        kls.append(float(loss.logs["kl_real"]))
        margins.append(float(loss.logs["margin"]))
    expected = 1.5 * sum(kls[3:6]) / 3
    assert margins[6:] == pytest.approx([expected, expected], rel=1e-6) and len(set(kls)) > 2
    hinged = float(loss.logs["hinge_fake"]) + float(loss.logs["kl_fake"])
    assert hinged == pytest.approx(expected, rel=1e-5)  # the hinge is active, and that of this margin


def test_a_checkpoint_without_the_kl_of_plain_epochs_is_read() -> None:
    loss = Intro().build()
    loss.load_state_dict({})
    assert float(loss.plain_kl) == 0


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("kind", "arguments", "words"),
    [
        (Intro, {"alpha": -1}, "alpha=-1 must be a number of at least 0"),
        (Intro, {"alpha": float("nan")}, "alpha=nan"),
        (Intro, {"alpha_decoder": -0.5}, "alpha_decoder=-0.5"),
        (Intro, {"beta": 0}, "beta=0 must be positive"),
        (Intro, {"beta": float("inf")}, "beta=inf"),
        (Intro, {"margin": 0}, "margin=0 must be positive"),
        (Intro, {"margin": -10}, "never be active"),
        (Intro, {"hinge": "batc"}, "did you mean 'batch'"),
        (Intro, {"vae_epochs": -1}, "vae_epochs=-1"),
        (Intro, {"margin_ratio": -1}, "margin_ratio=-1 must be a number of at least 0"),
        (Intro, {"margin_ratio": 0.9, "vae_epochs": 1}, "margin_ratio=0.9 sets the margin below the KL of images"),
        (Intro, {"margin_ratio": 1.5}, "type vae_epochs=1, or `margin` in place of the ratio"),
        (
            Intro,
            {"margin_ratio": 1.5, "margin": 60, "vae_epochs": 1},
            "`margin` (60) and margin_ratio=1.5 both set the margin",
        ),
        (Intro, {"ambiguity": 2}, "ambiguity=2"),
        (SoftIntro, {"beta_rec": 0}, "beta_rec=0 must be positive"),
        (SoftIntro, {"beta_kl": 0}, "beta_kl=0 must be positive"),
        (SoftIntro, {"beta_neg": -1}, "beta_neg=-1"),
        (SoftIntro, {"gamma": -1e-8}, "gamma=-1e-08"),
        (SoftIntro, {"vae_epochs": -2}, "vae_epochs=-2"),
    ],
)
def test_impossible_weights_are_refused_with_the_reason(kind: type, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as error:
        kind(**arguments)
    assert words in str(error.value)


def test_impossible_options_of_the_official_code_are_refused() -> None:
    with pytest.raises(UserError, match="weight_kl=0 must be positive"):
        from_official(0.05, 0.5, 120, weight_kl=0)
    with pytest.raises(UserError, match="beta=0"):
        Intro(**from_official(0, 0.5, 120)).build()
