"""Tests of batches without training: their size, what they need, and that parts of a batch are the batch."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from splitvae import VAE
from splitvae.data.images import Images
from splitvae.metrics.likelihood import estimate_likelihood
from splitvae.metrics.outputs import ModelOutputs
from splitvae.models.codes import decode, encode
from splitvae.models.inference import inference_batch_size
from splitvae.presets.build import build_vae
from splitvae.presets.registry import PRESETS
from splitvae.utils import memory
from splitvae.utils.memory import INFERENCE_BYTES, images_per_batch, live_bytes

MIB = 1 << 20


def need(vae: VAE) -> float:
    """The bytes for an image, to a hundredth."""
    return 1e12 / images_per_batch(vae, vae.shape, 1 << 60, lambda x: vae.decode(vae.encode(x).mean), budget=10**12)


def test_the_need_grows_with_pixels_and_width() -> None:
    sides = [need(VAE((3, side, side), 8, 2, "intro", width=8)) for side in (32, 64, 128)]
    assert 3.5 < sides[1] / sides[0] < 4.5 and 3.5 < sides[2] / sides[1] < 4.5
    widths = [need(VAE((3, 32, 32), 8, 2, "resnet", width=width)) for width in (8, 16)]
    assert 1.6 < widths[1] / widths[0] < 2.1


def test_small_images_keep_their_batches_of_500_and_large_ones_fit_the_budget() -> None:
    for name in ("mnist-svae", "mnist-ml-vae", "mnist-intro"):
        assert inference_batch_size(build_vae(PRESETS[name])) == 500, name
    large = build_vae(PRESETS["celeba-svae"].override(shape=(3, 128, 128), width=16))
    assert 200 < inference_batch_size(large) < 300  # it was 500, of 2 GiB, and of 8 GiB at the preset's width
    assert inference_batch_size(SimpleNamespace(split=1, latent_dim=2)) == 500  # a model in closed form
    assert inference_batch_size(large, 20) == 20 and INFERENCE_BYTES <= 1 << 30


@pytest.fixture
def small_budget(monkeypatch: pytest.MonkeyPatch) -> int:
    """Makes four MiB the budget, which is that of 28 images of `vae`."""
    monkeypatch.setattr(memory, "INFERENCE_BYTES", 4 * MIB)
    return 4 * MIB


@pytest.fixture
def vae() -> VAE:
    return VAE((1, 16, 16), 4, 2, "resnet", width=16).eval()


PIXELS = torch.randint(256, (300, 1, 16, 16), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
IMAGES = Images(PIXELS, None, (), "noise", "test", ())


@pytest.mark.parametrize(
    "operation",
    [
        lambda vae: encode(vae, IMAGES),
        lambda vae: decode(vae, torch.zeros(300, 4)),
        lambda vae: ModelOutputs(vae, PIXELS).mse,
        lambda vae: ModelOutputs(vae, PIXELS).sample_power,
        lambda vae: list(ModelOutputs(vae, PIXELS).image_power),
        lambda vae: estimate_likelihood(vae, PIXELS, 0.1, (64,), 6),
        lambda vae: vae.sample(300),
        lambda vae: vae.reconstruct(PIXELS.float() / 255),
    ],
)
def test_no_operation_needs_more_than_the_budget_and_its_results(
    operation: Callable[[VAE], object], vae: VAE, small_budget: int
) -> None:
    assert 10 < inference_batch_size(vae) < 60
    results = 6 * PIXELS.numel() * 4  # components, maps and images of float32, and a copy where parts are joined
    assert max(live_bytes(lambda: operation(vae))) < small_budget + results


@torch.no_grad()
def test_parts_of_a_batch_are_the_batch(vae: VAE, monkeypatch: pytest.MonkeyPatch) -> None:
    x, z = PIXELS[:50].float() / 255, torch.randn(50, 4)
    whole = [*vae.decode(z), vae.encode(x).mean, vae.encode(x).logvar]
    monkeypatch.setattr(memory, "INFERENCE_BYTES", MIB)
    assert inference_batch_size(vae) < 25
    for part, value in zip([*vae.decode(z), vae.encode(x).mean, vae.encode(x).logvar], whole, strict=True):
        torch.testing.assert_close(part, value, rtol=0, atol=1e-5)


def test_training_takes_the_batch_as_a_whole(vae: VAE, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "INFERENCE_BYTES", MIB)
    sizes = list[int]()
    vae.decoder.register_forward_hook(lambda _, inputs, __: sizes.append(len(inputs[0])))
    inference_batch_size(vae)
    sizes.clear()
    vae.decode(torch.zeros(50, 4))  # with gradients
    with torch.no_grad():
        vae.train().decode(torch.zeros(50, 4))  # with the statistics of the batch
    assert sizes == [50, 50]


@torch.no_grad()
def test_groups_are_not_divided_with_their_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    vae = VAE((1, 16, 16), 8, 2, "resnet", "grouped", width=16, content_dim=4).eval()
    x, group = PIXELS[:40].float() / 255, torch.arange(40) % 3
    whole = vae.encode(x, group).mean
    monkeypatch.setattr(memory, "INFERENCE_BYTES", MIB)
    assert inference_batch_size(vae) < 20
    torch.testing.assert_close(vae.encode(x, group).mean, whole, rtol=0, atol=1e-5)
