"""The likelihood of bytes: linear models whose evidence is known, and properties of any bound on a probability."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import LowRankMultivariateNormal, Normal, kl_divergence

from splitvae import VAE
from splitvae.errors import UserError
from splitvae.metrics.likelihood import (
    bits_per_dimension,
    dequantise,
    estimate_likelihood,
    importance_weighted_bound,
    log_weights,
)
from splitvae.models.inference import inference_batch_size
from splitvae.models.posteriors import GaussianPosterior
from splitvae.models.split import Canvas

V = 0.01
SHAPE = (1, 2, 2)


class Linear(nn.Module):
    """Probabilistic PCA, xhat = W z + b, W with orthogonal columns: the posterior of t is Gaussian and diagonal.

    q is that posterior where `noise` is the u of t, `shift` is 0 and `widen` is 1.
    """

    def __init__(
        self, weight: Tensor, offset: float, v: float, noise: Tensor | float = 0.5, shift: float = 0, widen: float = 1
    ) -> None:
        super().__init__()
        self.weight, self.offset, self.v = nn.Parameter(weight.double()), offset, v
        self.noise, self.shift, self.widen, self.shape = noise, shift, widen, SHAPE if len(weight) == 4 else (1, 1, 1)

    device = VAE.device

    @property
    def decoder(self) -> nn.Module:
        return self

    def encode(self, x: Tensor) -> GaussianPosterior:
        target = ((255 * x.double()).round() + self.noise - 0.5).flatten(1) / 255
        variance = 1 / (1 + self.weight.square().sum(0) / self.v)
        mean = variance * ((target - self.offset) @ self.weight) / self.v
        return GaussianPosterior(mean + self.shift, (self.widen**2 * variance).log().expand_as(mean))

    def decode(self, z: Tensor) -> Canvas:
        image = (z @ self.weight.mT + self.offset).unflatten(1, self.shape)
        return Canvas(image.unsqueeze(1), torch.ones_like(image[:, None, :1]))

    def evidence(self, t: Tensor) -> Tensor:
        """log p(t), shape (N,), by torch: N(t; 255 b + 1/2, 255^2 (W W' + v I))."""
        size = len(self.weight)
        mean = torch.full((size,), 255 * self.offset + 0.5, dtype=torch.float64)
        diagonal = torch.full((size,), 255**2 * self.v, dtype=torch.float64)
        return LowRankMultivariateNormal(mean, 255 * self.weight, diagonal).log_prob(t.flatten(1)).detach()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def bytes_of(n: int) -> Tensor:
    return torch.randint(64, 192, (n, *SHAPE), dtype=torch.uint8, generator=generator(9))


WEIGHT = torch.tensor([[0.3, 0.1], [0.3, -0.1], [0.1, -0.3], [0.1, 0.3]])  # its columns are orthogonal


# ---------------------------------------------------------------- known evidence


def test_every_weight_under_the_exact_posterior_is_the_evidence() -> None:
    pixels = bytes_of(20)
    t = dequantise(pixels, generator(3))
    model = Linear(WEIGHT, 0.5, V, noise=t - pixels)
    weights = log_weights(model, pixels, V, draws=8, seed=3)
    truth = model.evidence(t)
    torch.testing.assert_close(weights, truth[:, None].expand(20, 8), rtol=0, atol=1e-9)
    for k in (1, 3, 8):
        torch.testing.assert_close(importance_weighted_bound(weights[:, :k]), truth, rtol=0, atol=1e-9)


def test_the_bound_under_another_posterior_rises_with_draws_to_the_evidence() -> None:
    pixels = bytes_of(200)
    model = Linear(WEIGHT, 0.5, V, shift=0.3, widen=1.5)
    weights = log_weights(model, pixels, V, draws=2048, size=20_000)
    bounds = [float(importance_weighted_bound(weights[:, :k]).mean()) for k in (1, 4, 32, 2048)]
    truth = float(model.evidence(dequantise(pixels, generator())).mean())
    assert bounds == sorted(bounds)
    assert bounds[0] < truth - 0.5
    assert bounds[-1] == pytest.approx(truth, abs=0.02)  # over seeds it varies by 0.004


def test_rate_and_distortion_are_in_closed_form_and_add_up_to_the_bound_of_one_draw() -> None:
    pixels, draws = bytes_of(50), 1000
    model = Linear(WEIGHT, 0.5, V, shift=0.2, widen=1.3)
    result = estimate_likelihood(model, pixels, V, draws=(1, draws))
    assert result is not None
    with torch.no_grad():
        q = model.encode(pixels.float() / 255)
    kl = kl_divergence(Normal(q.mean, (q.logvar / 2).exp()), Normal(0.0, 1.0)).sum(1)
    assert result["rate"]["value"] == pytest.approx(float(kl.mean()), rel=1e-6)  # x / 255 is in single precision
    target = (dequantise(pixels, generator()) - 0.5).flatten(1) / 255
    sse = (target - q.mean @ WEIGHT.double().mT - 0.5).square().sum(1) + q.logvar.exp() @ WEIGHT.double().square().sum(0)
    distortion = float(sse.mean()) / (2 * V) + 2 * math.log(2 * math.pi * 255**2 * V)
    assert result["distortion"]["value"] == pytest.approx(distortion, abs=0.04)  # 50,000 draws of deviation 2.3: 0.010
    elbo = -(result["rate"]["value"] + result["distortion"]["value"])
    weights = log_weights(model, pixels, V, draws)
    assert elbo == pytest.approx(float(weights.mean()), abs=0.02)  # the rate from 50,000 draws of deviation 0.93: 0.004
    bits = result["bits_per_dimension"]["value"]
    assert bits == pytest.approx(bits_per_dimension(-elbo, 4))
    one = result["draws"]["1"]
    assert one["value"] == pytest.approx(float(weights[:, 0].mean()), rel=1e-12)
    assert one["deviation"] == pytest.approx(float(weights[:, 0].std()) / 50**0.5, rel=1e-12)


def test_if_the_posterior_is_the_prior_weights_are_normal_likelihoods_with_variance_v() -> None:
    pixels, flat = bytes_of(10), torch.zeros(4, 1)  # a decoder that ignores z: the posterior is the prior
    t = dequantise(pixels, generator())
    for v in (V, 2 * V):
        fit = Normal(255 * 0.4 + 0.5, 255 * v**0.5).log_prob(t).sum((1, 2, 3))
        torch.testing.assert_close(log_weights(Linear(flat, 0.4, V), pixels, v, 2), fit[:, None].expand(10, 2))


# ---------------------------------------------------------------- bytes


def bounds_of_bytes(model: Linear, values: Tensor, repeats: int, draws: int) -> Tensor:
    """The bounds of one-pixel images, each the mean over as many u and z, shape (values,)."""
    pixels = values.to(torch.uint8).repeat(repeats).view(-1, 1, 1, 1)
    weights = log_weights(model, pixels, model.v, draws, size=100_000)
    return importance_weighted_bound(weights).view(repeats, -1).mean(0)


NARROW = (0.5 / 255) ** 2  # a deviation of half a byte: Jensen's gap is not negligible


@pytest.mark.parametrize("draws", [1, 4])
@pytest.mark.parametrize(("scale", "offset"), [(0.0, 0.5), (0.02, 0.5), (0.02, 0.0)], ids=["flat", "linear", "at the edge"])
def test_the_bounds_of_all_bytes_of_one_pixel_are_probabilities(scale: float, offset: float, draws: int) -> None:
    model = Linear(torch.tensor([[scale]]), offset, NARROW)
    total = float(bounds_of_bytes(model, torch.arange(256), 400, draws).exp().sum())
    assert 0.1 < total <= 1


def test_dequantisation_lowers_the_bound_by_one_over_24_variances() -> None:
    values = torch.arange(126, 130)  # around 255 / 2; E (t - 255 b - 1/2)^2 = (x - 255 b)^2 + 1/12
    bound = bounds_of_bytes(Linear(torch.zeros(1, 1), 0.5, NARROW), values, 40_000, 1)
    exact = Normal(127.5, 0.5).log_prob(values.double()) - 1 / (24 * 0.5**2)
    torch.testing.assert_close(bound, exact, rtol=0, atol=0.035)  # four standard errors of the outer bytes


def test_dequantised_bytes_are_uniform_in_their_bins() -> None:
    pixels = torch.tensor([0, 255], dtype=torch.uint8).repeat(5000).view(-1, 1, 1, 1)
    noise = dequantise(pixels, generator()) - pixels
    assert noise.dtype == torch.float64
    assert bool(((noise >= 0) & (noise < 1)).all())
    assert float(noise.mean()) == pytest.approx(1 / 2, abs=0.012)  # four standard errors
    assert float(noise.var()) == pytest.approx(1 / 12, abs=0.003)


def test_uniform_bytes_take_eight_bits() -> None:
    assert bits_per_dimension(12 * math.log(256), 12) == pytest.approx(8)
    assert torch.allclose(bits_per_dimension(torch.tensor([math.log(2), 0.0]), 1), torch.tensor([1.0, 0.0]))


def test_the_bound_is_the_log_mean_of_weights_that_underflow() -> None:
    weights = torch.tensor([[1.0, 3.0], [2.0, 2.0]]).log() - 5000
    torch.testing.assert_close(importance_weighted_bound(weights), torch.full((2,), math.log(2) - 5000).double())


# ---------------------------------------------------------------- a model


@pytest.fixture(scope="module")
def vae() -> VAE:
    torch.manual_seed(0)
    return VAE((1, 16, 16), latent_dim=3, width=4, scales=2, embedding=8).eval()


PIXELS = torch.randint(0, 256, (5, 1, 16, 16), dtype=torch.uint8, generator=generator(1))


def test_weights_are_ratios_of_torch_densities_image_by_image(vae: VAE, monkeypatch: pytest.MonkeyPatch) -> None:
    inference_batch_size(vae)  # is measured once, by passes of its own
    latents, decode = [], VAE.decode
    monkeypatch.setattr(VAE, "decode", lambda self, z: (latents.append(z), decode(self, z))[1])
    weights = log_weights(vae, PIXELS, V, draws=4, seed=2, size=7)  # batches that end within an image
    monkeypatch.undo()
    assert [len(z) for z in latents] == [7, 7, 6]
    z, t = torch.cat(latents), dequantise(PIXELS, generator(2)).repeat_interleave(4, 0)
    with torch.no_grad():
        xhat, q = vae.decode(z).image.double(), vae.encode(PIXELS.float() / 255)
    mean, sigma = (x.repeat_interleave(4, 0).double() for x in (q.mean, (q.logvar / 2).exp()))
    fit = Normal(255 * xhat + 0.5, 255 * V**0.5).log_prob(t).sum((1, 2, 3))
    ratio = Normal(0.0, 1.0).log_prob(z.double()).sum(1) - Normal(mean, sigma).log_prob(z.double()).sum(1)
    torch.testing.assert_close(
        weights, (fit + ratio).view(5, 4), rtol=1e-7, atol=1e-3
    )  # batches of 7 and of 20 round differently


def test_a_seed_repeats_the_result_and_neither_random_state_nor_model_changes() -> None:
    vae = VAE((1, 16, 16), latent_dim=3, width=4, scales=2, embedding=8).train()
    state, fingerprint = torch.get_rng_state(), vae.fingerprint()
    first = estimate_likelihood(vae, PIXELS, V, draws=(1, 3))
    assert first == estimate_likelihood(vae, PIXELS, V, draws=(1, 3))
    assert first != estimate_likelihood(vae, PIXELS, V, draws=(1, 3), seed=1)
    assert torch.equal(state, torch.get_rng_state())
    assert vae.fingerprint() == fingerprint  # BatchNorm's statistics included
    assert not vae.training


def test_noise_does_not_depend_on_the_size_of_a_batch(vae: VAE) -> None:
    whole = log_weights(vae, PIXELS, V, draws=3, size=500)
    for size in (1, 2, 7, 16):
        torch.testing.assert_close(log_weights(vae, PIXELS, V, draws=3, size=size), whole, rtol=1e-5, atol=1e-2)


def test_a_result_holds_its_terms(vae: VAE) -> None:
    result = estimate_likelihood(vae, PIXELS, V, draws=(1, 2, 6), images=3)
    assert result is not None
    assert list(result) == ["rate", "distortion", "bits_per_dimension", "draws", "v", "images", "definition"]
    assert (result["v"], result["images"], list(result["draws"])) == (V, 3, ["1", "2", "6"])
    weights = log_weights(vae, PIXELS[[0, 1, 3]], V, 6)  # evenly spaced
    for k, bound in result["draws"].items():
        assert bound["value"] == pytest.approx(float(importance_weighted_bound(weights[:, : int(k)]).mean()), rel=1e-9)
    single = estimate_likelihood(vae, PIXELS, V, images=1)
    assert single is not None and single["rate"]["deviation"] is None


def test_a_code_without_noise_has_no_likelihood() -> None:
    vae = VAE((1, 16, 16), latent_dim=3, width=4, scales=2, embedding=8, latent="deterministic")
    assert estimate_likelihood(vae, PIXELS, V) is None
    with pytest.raises(UserError, match="no noise"):
        log_weights(vae, PIXELS, V, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"v": 0.0}, "not 0.0"),
        ({"v": math.nan}, "not nan"),
        ({"draws": ()}, r"draws=\(\)"),
        ({"draws": (1, 0)}, r"draws=\(1, 0\)"),
        ({"images": 0}, "images=0"),
        ({"pixels": PIXELS.float()}, "torch.float32"),
        ({"pixels": PIXELS[:0]}, "0 images"),
    ],
    ids=str,
)
def test_senseless_arguments_are_refused(vae: VAE, change: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        estimate_likelihood(vae, **{"pixels": PIXELS, "v": V, **change})


def test_weights_of_no_draws_are_refused(vae: VAE) -> None:
    with pytest.raises(UserError, match="draws=0"):
        log_weights(vae, PIXELS, V, 0)
