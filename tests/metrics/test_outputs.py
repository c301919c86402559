"""The outputs of a model: when it runs, and the shapes of the numbers."""

from __future__ import annotations

import pytest
import torch

from splitvae import VAE
from splitvae.metrics.outputs import ModelOutputs
from splitvae.models.inference import inference_batch_size

PIXELS = torch.randint(0, 256, (60, 1, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def vae() -> VAE:
    torch.manual_seed(0)
    return VAE((1, 16, 16), latent_dim=3, split=2, width=4, scales=2, embedding=8)


def test_the_model_runs_when_a_number_is_first_used_and_only_once(vae: VAE, monkeypatch: pytest.MonkeyPatch) -> None:
    inference_batch_size(vae)  # is measured once, by passes of its own
    calls: list[int] = []
    encode = VAE.encode
    monkeypatch.setattr(VAE, "encode", lambda self, x: calls.append(len(x)) or encode(self, x))
    outputs = ModelOutputs(vae.train(), PIXELS)
    assert not vae.training
    assert outputs.sample_power.shape == outputs.image_power.shape == (60,)
    assert calls == []
    assert outputs.mse.shape == outputs.kl.shape == (60,)
    assert calls == [60]
    assert outputs.mean.shape == (60, 3)
    assert calls == [60]


def test_numbers_have_one_row_per_image_in_float64(vae: VAE) -> None:
    outputs = ModelOutputs(vae, PIXELS)
    names = [name for name, value in vars(ModelOutputs).items() if isinstance(value, property) and name != "split"]
    assert len(names) == 12
    for name in (*names, "sample_power", "image_power"):
        values = getattr(outputs, name)
        assert (len(values), values.dtype) == (60, torch.float64), name


def test_reconstructions_have_the_errors_and_ambiguities_of_the_numbers(vae: VAE) -> None:
    outputs = ModelOutputs(vae, PIXELS)
    batches = list(outputs.reconstructions())
    errors = torch.cat([(canvas.image - x).square().mean((1, 2, 3)) for x, canvas in batches])
    torch.testing.assert_close(errors.double(), outputs.mse)
    spreads = [(canvas.masks * (canvas.images - canvas.image[:, None]).square()).sum(1) for _, canvas in batches]
    torch.testing.assert_close(torch.cat(spreads).mean((1, 2, 3)).double(), outputs.ambiguity)


def test_a_seed_repeats_the_noise_and_the_random_state_is_not_changed(vae: VAE) -> None:
    state = torch.get_rng_state()
    first, second, other = (ModelOutputs(vae, PIXELS, seed) for seed in (0, 0, 1))
    assert torch.equal(first.mse_sampled, second.mse_sampled)
    assert torch.equal(first.sample_power, second.sample_power)
    assert not torch.equal(first.mse_sampled, other.mse_sampled)
    assert not torch.equal(first.sample_power, other.sample_power)
    assert torch.equal(first.mse, other.mse)
    assert torch.equal(state, torch.get_rng_state())


def test_codes_without_noise_have_no_log_variance() -> None:
    vae = VAE((1, 16, 16), latent_dim=3, width=4, scales=2, embedding=8, latent="deterministic")
    outputs = ModelOutputs(vae, PIXELS)
    assert outputs.logvar is None
    assert torch.equal(outputs.mse, outputs.mse_sampled)
