"""Samplers: one conformance test for all, and what each must get right."""

from __future__ import annotations

import builtins
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from sklearn.mixture import GaussianMixture as Reference
from torch import Tensor

from splitvae.errors import UserError
from splitvae.models.codes import Codes
from splitvae.objectives.variance import Learned
from splitvae.samplers.base import Sampler
from splitvae.samplers.conditional_flow import ConditionalFlow
from splitvae.samplers.em import Mixture, expectation_maximisation, log_density
from splitvae.samplers.flow import Flow, FlowDensity
from splitvae.samplers.gaussian_mixture import GaussianMixture
from splitvae.samplers.registry import SAMPLERS, load_sampler
from splitvae.samplers.second_stage import NoiselessSecondStage, SecondStage, SecondStageVAE

TINY = {  # parameters that fit in a moment
    "gmm": {"components": 2},
    "second-stage": {"epochs": 1, "width": 16, "depth": 2},
    "second-stage-noiseless": {"epochs": 1, "width": 16, "depth": 2},
    "flow": {"epochs": 1, "width": 16, "depth": 1, "transforms": 2},
    "conditional-flow": {"epochs": 1, "width": 16, "depth": 1, "transforms": 2},
}
LEAST = {"prior": 1, "gmm": 2} | dict.fromkeys(("second-stage", "second-stage-noiseless", "flow", "conditional-flow"), 100)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small are faster on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def codes_of(n: int = 600, d: int = 3) -> Codes:
    """Two well separated clusters."""
    mean = torch.randn(n, d)
    mean[: n // 2] += 6
    return Codes(mean, torch.full((n, d), -4.0))


def arc(n: int, noise: float = 0.3) -> Tensor:
    """Points near an arc of radius 3: no Gaussian is like that."""
    angle = 4 * torch.rand(n) - 2
    return 3 * torch.stack([angle.cos(), angle.sin()], 1) + noise * torch.randn(n, 2)


def log_arc(z: Tensor, noise: float = 0.3) -> Tensor:
    """The log density of `arc`, in nats."""
    angle = torch.linspace(-2, 2, 1000)
    centres = 3 * torch.stack([angle.cos(), angle.sin()], 1)
    normal = torch.distributions.Normal(centres, noise).log_prob(z[:, None]).sum(2)
    return normal.logsumexp(1) - math.log(1000)


def off_the_arc(z: Tensor) -> float:
    """The mean distance from the circle the arc is of."""
    return float((z.norm(dim=1) - 3).abs().mean())


def build(name: str, **parameters: object) -> Sampler:
    return SAMPLERS[name](**TINY.get(name, {}) | parameters)


# ---------------------------------------------------------------- every sampler


@pytest.mark.parametrize("noise", [True, False])
@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_fits_draws_repeats_and_survives_saving(name: str, noise: bool, tmp_path: Path) -> None:
    codes = codes_of() if noise else codes_of()._replace(logvar=None)
    before = torch.get_rng_state()
    sampler = build(name)
    assert sampler.fit(codes) is sampler
    draw = sampler.sample(50, seed=3)
    assert torch.equal(torch.get_rng_state(), before)  # the global random stream is not changed
    assert draw.shape == (50, 3)
    assert draw.dtype == torch.float32
    assert torch.equal(draw, sampler.sample(50, seed=3))
    assert not torch.equal(draw, sampler.sample(50, seed=4))
    assert torch.equal(draw, build(name).fit(codes).sample(50, seed=3))
    sampler.save(tmp_path / "s", model="0123")
    loaded = load_sampler(tmp_path / "s")
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(loaded.sample(50, seed=3), draw)
    assert (loaded.parameters, loaded.fit_info) == (sampler.parameters, sampler.fit_info)
    assert {f.suffix for f in (tmp_path / "s").iterdir()} == {".safetensors", ".json"}


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("bad", ["few", "mean", "logvar"])
def test_every_sampler_refuses_codes_that_are_too_few_or_not_finite(name: str, bad: str) -> None:
    if bad == "few":
        codes, words = codes_of(LEAST[name] - 1), "too few"
    else:
        codes, words = codes_of(), "not finite"
        getattr(codes, bad)[7, 0] = {"mean": float("nan"), "logvar": float("inf")}[bad]
    with pytest.raises(UserError, match=words):
        build(name).fit(codes)


def test_as_many_codes_as_needed_are_enough() -> None:
    for name, least in LEAST.items():
        draw = build(name, **({"components": None} if name == "gmm" else {})).fit(codes_of(least)).sample(5)
        assert draw.isfinite().all()


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("gmm", {"components": 0}, "components=20"),
        ("gmm", {"covariance": "ful"}, "'full'"),
        ("second-stage", {"epochs": 0}, "epochs=0"),
        ("second-stage-noiseless", {"lr": -1.0}, "lr=-1"),
        ("flow", {"width": 0}, "width=0"),
    ],
)
def test_settings_out_of_range_are_refused(name: str, parameters: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        SAMPLERS[name](**parameters)


def test_damaged_samplers_are_refused_in_one_sentence(tmp_path: Path) -> None:
    build("gmm").fit(codes_of()).save(tmp_path)
    (tmp_path / "sampler.safetensors").write_bytes(b"damaged")
    with pytest.raises(UserError, match="damaged"):
        load_sampler(tmp_path)


def test_a_save_that_is_interrupted_leaves_no_sampler_of_two_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build("gmm").fit(codes_of()).save(tmp_path)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("splitvae.samplers.base.write_json", interrupt)
    with pytest.raises(KeyboardInterrupt):
        build("gmm", components=2).fit(codes_of()).save(tmp_path)
    assert not (tmp_path / "sampler.json").exists()


# ---------------------------------------------------------------- mixtures


@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_expectation_maximisation_is_scikit_learns(covariance: str) -> None:
    codes = Codes(torch.cat([codes_of(1200).mean, 2 * torch.randn(400, 3) - 3]) + 10, None)
    ours = GaussianMixture(4, covariance).fit(codes)
    theirs = Reference(4, covariance_type=covariance, random_state=0).fit(codes.mean.double().numpy())
    for name in ("weights_", "means_", "covariances_"):
        torch.testing.assert_close(getattr(ours, name), torch.from_numpy(getattr(theirs, name)), atol=1e-7, rtol=1e-7)
    held_out = codes_of(500)
    expected = theirs.score(held_out.mean.double().numpy())
    assert ours.mean_log_likelihood(held_out) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("full", [True, False])
def test_blocks_do_not_change_a_fit(full: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    x = codes_of(1000).mean.double()
    labels = x[:, 0].argsort().argsort() * 3 // 1000  # in a block, other components have small parts, which count
    whole = expectation_maximisation(x, labels, 3, full, 100)[0]
    monkeypatch.setattr("splitvae.samplers.em.CACHE_BLOCK", 1)
    for a, b in zip(whole, expectation_maximisation(x, labels, 3, full, 100)[0], strict=True):
        torch.testing.assert_close(a, b)


def test_a_density_far_from_the_origin_keeps_its_digits() -> None:
    x = torch.randn(50, 4, dtype=torch.float64)
    root = torch.randn(2, 4, 4, dtype=torch.float64)
    mixture = Mixture(torch.tensor([0.3, 0.7]).double(), torch.randn(2, 4).double(), root @ root.mT)
    components = [torch.distributions.MultivariateNormal(m, c).log_prob(x) for m, c in zip(*mixture[1:], strict=True)]
    expected = (torch.stack(components) + mixture.weights.log()[:, None]).logsumexp(0)
    torch.testing.assert_close(log_density(mixture, x), expected)
    moved = mixture._replace(means=mixture.means + 1e6)
    torch.testing.assert_close(log_density(moved, x + 1e6), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_a_mixture_has_the_moments_of_its_codes(covariance: str) -> None:
    codes = codes_of(4000)
    draw = GaussianMixture(2, covariance).fit(codes).sample(20_000)
    torch.testing.assert_close(draw.mean(0), codes.mean.mean(0), atol=0.1, rtol=0)
    torch.testing.assert_close(draw.T.cov(), codes.mean.T.cov(), atol=0.4, rtol=0)


def test_rows_of_a_mixture_come_in_random_order() -> None:
    high = GaussianMixture(2).fit(codes_of()).sample(1000)[:, 0] > 3
    assert 300 < int((high[1:] != high[:-1]).sum()) < 700  # grouped by component there would be one change


def test_the_size_and_shape_that_held_out_codes_prefer_are_chosen() -> None:
    def chosen(mean: Tensor, **parameters: str) -> tuple[int, str]:
        fitted = GaussianMixture(None, **parameters).fit(Codes(mean, None))
        facts = fitted.fit_info["chosen"]
        score = {(row["components"], row["covariance"]): row["log_likelihood"] for row in facts["held_out"]}
        assert score[facts["components"], facts["covariance"]] > max(score.values()) - 0.1
        assert len(fitted.weights_) == facts["components"]
        assert fitted.covariances_.ndim == {"diag": 2, "full": 3}[facts["covariance"]]
        return facts["components"], facts["covariance"]

    noise = torch.randn(2000, 5)
    assert chosen(noise) == (1, "diag")
    skew = torch.eye(5) + 0.8
    assert chosen(noise @ skew) == (1, "full")
    assert chosen(noise @ skew, covariance="diag")[1] == "diag"
    centres = 10 * torch.randn(10, 5)
    assert chosen(noise + centres[torch.randint(0, 10, (2000,))]) == (10, "diag")
    assert chosen(noise @ skew + 5 * centres[torch.randint(0, 10, (2000,))]) == (10, "full")
    assert chosen(noise[:60]) == (1, "diag")  # of 54 codes no five components are tried


def test_mixtures_that_do_not_fit_are_not_chosen() -> None:
    torch.manual_seed(0)
    flat = 1e4 * torch.randn(2700, 10) @ torch.randn(10, 60)  # of rank 10, and too large for the floor of variances
    with pytest.raises(UserError, match=r"\(linalg.*cholesky.*\); type a smaller"):
        GaussianMixture(5, "full").fit(Codes(flat, None))
    chosen = GaussianMixture(None).fit(Codes(flat, None)).fit_info["chosen"]
    assert (chosen["components"], chosen["covariance"]) == (1, "full")
    assert [row["components"] for row in chosen["held_out"] if row["covariance"] == "full"] == [1]


def test_the_choice_is_made_on_some_codes_and_fitted_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("splitvae.samplers.gaussian_mixture.MAX_CODES_FOR_CHOICE", 300)
    codes = codes_of(2000)
    fitted = GaussianMixture(None).fit(codes)
    assert fitted.fit_info["chosen"]["codes"] == 300
    whole = GaussianMixture(fitted.fit_info["chosen"]["components"], fitted.fit_info["chosen"]["covariance"]).fit(codes)
    assert torch.equal(fitted.means_, whole.means_)


def test_equal_codes_have_a_mixture_too() -> None:
    draw = GaussianMixture(5).fit(Codes(torch.ones(50, 3), None)).sample(100)
    torch.testing.assert_close(draw, torch.ones(100, 3), atol=0.01, rtol=0)  # the floor's deviation is 0.001


# ---------------------------------------------------------------- second stages


@pytest.mark.parametrize(("dim", "width", "depth"), [(3, 16, 2), (64, 1024, 3)])
def test_a_second_stage_has_skip_connections_and_one_gamma(dim: int, width: int, depth: int) -> None:
    hidden = dim * width + width + (depth - 1) * (width**2 + width)
    heads = 3 * ((dim + width) * dim + dim)  # mean and log-deviation of u, and zhat, of [input, h]
    stage = SecondStageVAE(dim, width, depth, Learned())
    assert sum(p.numel() for p in stage.parameters()) == 2 * hidden + heads + 1
    z = torch.randn(4, dim)
    for dense in (stage.encoder, stage.decoder):
        dense.layers[-1].weight.data.zero_()  # nothing comes through h but a constant
        assert not torch.allclose(dense(z)[0], dense(z)[1])


@pytest.mark.parametrize("kind", [SecondStage, NoiselessSecondStage])
def test_a_second_stage_learns_what_neither_prior_nor_gaussian_can(kind: type[SecondStage]) -> None:
    codes = Codes(arc(2000), None)
    fitted = kind(epochs=25, width=64, depth=2, lr=3e-3, batch=50).fit(codes)
    gaussian = off_the_arc(GaussianMixture(1).fit(codes).sample(3000))
    assert off_the_arc(fitted.sample(3000)) < 0.6 * gaussian < 0.6 * off_the_arc(torch.randn(3000, 2))
    # Its loss bounds the likelihood of codes, E[L] >= -E[log p(z)], and has come near.
    held_out = arc(3000)
    with torch.no_grad():
        loss = fitted.stage_(held_out, torch.Generator().manual_seed(0))
    gap = loss + log_arc(held_out)
    assert -3 * float(gap.std()) / 3000**0.5 < float(gap.mean()) < 0.7


def test_gamma_is_learned_down_to_the_noise() -> None:
    """z = A u + s eps with 2 causes in 6 dimensions: the optimal decoder leaves the variance s^2."""
    s = 0.5
    z = 2 * torch.randn(2000, 2) @ torch.linalg.qr(torch.randn(6, 2)).Q.T + s * torch.randn(2000, 6)
    fitted = SecondStage(epochs=40, width=32, depth=1, lr=3e-3, halve_every=1).fit(Codes(z, None))
    assert 0.8 * s < fitted.fit_info["gamma"] < 1.2 * s


def test_samples_have_noise_only_if_it_is_set() -> None:
    codes, tiny = codes_of(), TINY["second-stage"]
    noisy, plain = SecondStage(**tiny).fit(codes), SecondStage(**tiny, noise=False).fit(codes)
    difference = noisy.sample(20_000, 1) - plain.sample(20_000, 1)  # the same u
    assert float(difference.std()) == pytest.approx(noisy.fit_info["gamma"], rel=0.02)
    quiet = NoiselessSecondStage(**tiny).fit(codes)
    u = torch.randn(100, 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(quiet.sample(100, 1), quiet.stage_.decoder(u).detach())
    assert "noise" not in quiet.parameters


def test_a_second_stage_is_trained_on_new_draws_in_each_epoch() -> None:
    """The deviation of what it is shown is that of z ~ q(z|x), not that of the means."""
    inputs_of_steps: list[Tensor] = []

    class Watching(SecondStage):
        def _build_stage(self, dim: int) -> SecondStageVAE:
            stage = super()._build_stage(dim)
            stage.register_forward_pre_hook(lambda _, inputs: inputs_of_steps.append(inputs[0]))
            return stage

    Watching(epochs=2, width=4, depth=1).fit(Codes(torch.zeros(1000, 3), torch.full((1000, 3), math.log(4.0))))
    first, second = torch.cat(inputs_of_steps[:10]), torch.cat(inputs_of_steps[10:])
    assert float(first.std()) == pytest.approx(2, rel=0.05)
    assert torch.isin(first, second).float().mean() < 0.01


@pytest.mark.parametrize("scale", [1e-3, 100.0])
@pytest.mark.parametrize("name", ["second-stage", "second-stage-noiseless", "flow", "conditional-flow"])
def test_codes_of_any_scale_do_not_diverge(name: str, scale: float) -> None:
    codes = codes_of()
    fitted = build(name, epochs=5).fit(Codes(scale * codes.mean, codes.logvar + 2 * math.log(scale)))
    assert math.isfinite(fitted.fit_info["loss"])
    assert fitted.sample(100).isfinite().all()


def test_a_diverging_loss_is_refused_in_one_sentence() -> None:
    with pytest.raises(UserError, match="not finite in epoch"):
        build("second-stage", lr=1e6, epochs=3).fit(codes_of())


def test_progress_is_called_after_each_epoch() -> None:
    calls: list[tuple[int, int]] = []
    build("flow", epochs=2).fit(codes_of(), lambda *epoch: calls.append(epoch))
    assert calls == [(1, 2), (2, 2)]


# ---------------------------------------------------------------- flows


def test_a_flow_is_a_density_and_likelier_than_a_gaussian() -> None:
    def two(n: int) -> Codes:
        return Codes(torch.cat([arc(n), 0.5 * torch.randn(n, 2)]), None)

    codes, held_out = two(1000), two(1000)
    fitted = Flow(epochs=10, width=32, batch=100).fit(codes)
    gaussian = GaussianMixture(1).fit(codes).mean_log_likelihood(held_out)
    truth = torch.stack([log_arc(held_out.mean), torch.distributions.Normal(0, 0.5).log_prob(held_out.mean).sum(1)])
    assert gaussian + 0.3 < fitted.mean_log_likelihood(held_out) < float(truth.logsumexp(0).mean()) - math.log(2) + 0.05
    side = torch.linspace(-8, 8, 160)
    with torch.no_grad():
        density = (-fitted.density_(torch.cartesian_prod(side, side))).double().exp()
    assert float(density.sum() * (side[1] - side[0]) ** 2) == pytest.approx(1, abs=0.02)


def test_the_inverse_flow_maps_noise_to_codes_that_map_back() -> None:
    density = FlowDensity(5, 3, 16, 2)
    density.mean.fill_(3)
    density.std.fill_(2)
    noise = torch.randn(50, 5)
    z = density.inverse(noise)
    torch.testing.assert_close(density.flow().transform((z - 3) / 2), noise, atol=1e-4, rtol=1e-4)
    base = torch.distributions.Normal(0, 1).log_prob(noise).sum(1)
    expected = base + density.flow().transform.log_abs_det_jacobian((z - 3) / 2, noise) - 5 * math.log(2)
    torch.testing.assert_close(-density(z), expected, atol=1e-4, rtol=1e-4)


def test_codes_of_many_dimensions_have_a_coupling_flow() -> None:
    few, many = (build("flow").fit(codes_of(100, dim)) for dim in (64, 65))
    assert few.density_.flow.transform.transforms[0].passes == 64
    first, second = (coupling.mask for coupling in many.density_.flow.transform.transforms)
    assert torch.equal(first, ~second) and first.sum() == 32
    assert many.sample(5).isfinite().all()


@pytest.mark.parametrize(("dim", "context"), [(1, 0), (2, 0), (5, 0), (5, 2)])
def test_the_transforms_of_a_coupling_flow_map_every_coordinate_and_back(dim: int, context: int) -> None:
    density = FlowDensity(dim, 2, 16, 2, context, coupling=True)
    for parameter in density.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    z, given = torch.randn(50, dim), torch.randn(50, context) if context else None
    noise = density.noise(z, given)
    assert (noise != z).any(0).all()
    torch.testing.assert_close(density.inverse(noise, given), z, atol=1e-3, rtol=1e-3)
    change = torch.autograd.functional.jacobian(lambda x: density.noise(x, given).sum(0), z).movedim(1, 0)  # (B, D, D)
    expected = torch.distributions.Normal(0, 1).log_prob(noise).sum(1) + change.det().abs().log()
    torch.testing.assert_close(-density(z, context=given), expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(("dim", "depth", "context"), [(1, 2, 0), (5, 1, 0), (3, 3, 2)])
def test_a_coupling_flow_begins_as_the_identity(dim: int, depth: int, context: int) -> None:
    z, given = torch.randn(20, dim), torch.randn(20, context) if context else None
    torch.testing.assert_close(FlowDensity(dim, 3, 16, depth, context, coupling=True).noise(z, given), z)


def test_a_flow_of_draws_is_wider_than_one_of_means() -> None:
    codes = Codes(0.1 * torch.randn(1000, 2), torch.zeros(1000, 2))
    narrow, wide = (Flow(**TINY["flow"], draws=draws).fit(codes).sample(1000).std() for draws in (False, True))
    assert narrow < 0.3 < 0.8 < wide


# ---------------------------------------------------------------- styles given the content


def leaking_codes(n: int) -> tuple[Codes, Tensor]:
    """Codes [style, content] of two labels, which the content tells and which moves and stretches the style."""
    labels = torch.arange(n) % 2
    style = 3 * labels + (1 + labels) * torch.randn(n)
    return Codes(torch.stack([style, 5 * labels + torch.randn(n)], 1), None), labels


@pytest.fixture(scope="module")
def conditional_flow() -> ConditionalFlow:
    torch.manual_seed(0)
    codes, _ = leaking_codes(4000)
    return ConditionalFlow(width=32, batch=100, epochs=6).fit(codes)


def test_the_independent_part_of_a_style_is_normal_noise_for_every_content(conditional_flow: ConditionalFlow) -> None:
    codes, labels = leaking_codes(4000)
    u, content = conditional_flow.separate(codes.mean)
    assert torch.equal(content, codes.mean[:, 1:])
    for label in (0, 1):
        part = u[labels == label]
        assert abs(float(part.mean())) < 0.2  # the style itself: 0 and 3
        assert float(part.std()) == pytest.approx(1, abs=0.12)  # the style itself: 1 and 2
    torch.testing.assert_close(conditional_flow.join(u, content), codes.mean, atol=1e-4, rtol=1e-4)


def test_another_content_takes_the_style_to_the_same_place_among_its_own(conditional_flow: ConditionalFlow) -> None:
    u, _ = conditional_flow.separate(torch.tensor([[1.0, 0.0]]))  # one standard deviation above the mean of label 0
    z = conditional_flow.join(u, torch.tensor([[5.0]]))
    assert float(z[0, 0]) == pytest.approx(3 + 2 * 1, abs=0.4)


def test_draws_keep_how_styles_depend_on_contents(conditional_flow: ConditionalFlow) -> None:
    style, content = conditional_flow.sample(4000).unbind(1)
    assert float(style[content < 1].mean()) == pytest.approx(0, abs=0.4)
    assert float(style[content > 4].mean()) == pytest.approx(3, abs=0.4)


def test_a_conditional_flow_is_a_density(conditional_flow: ConditionalFlow) -> None:
    x, y = torch.linspace(-10, 20, 240), torch.linspace(-8, 14, 240)
    with torch.no_grad():
        density = (-conditional_flow.density_(torch.cartesian_prod(x, y))).double().exp()
    assert float(density.sum() * (x[1] - x[0]) * (y[1] - y[0])) == pytest.approx(1, abs=0.02)


def test_the_content_of_a_conditional_flow_is_that_of_the_run_or_a_half() -> None:
    assert ConditionalFlow().for_run(9, 3, 2).parameters == {**ConditionalFlow().parameters, "content_dim": 2, "seed": 3}
    fitted = build("conditional-flow").for_run(9, 3, 2).fit(codes_of(d=5))
    assert [part.shape[1] for part in fitted.separate(codes_of(d=5).mean)] == [3, 2]
    assert [part.shape[1] for part in build("conditional-flow").fit(codes_of(d=5)).separate(codes_of(d=5).mean)] == [3, 2]
    for codes, content_dim in ((codes_of(d=1), 0), (codes_of(d=3), 3)):
        with pytest.raises(UserError, match="divides codes into style and content"):
            build("conditional-flow", content_dim=content_dim).fit(codes)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name.startswith("zuko"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match="pip install zuko"):
        build("flow").fit(codes_of())
