"""Tests of what `VAE.encode` and `VAE.decode` take, and of what they answer in a sentence."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from splitvae import VAE, UserError, as_images
from splitvae.models import inputs

BYTES = torch.randint(256, (3, 3, 16, 16), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
X = BYTES / 255
PILLOW = [Image.fromarray(x.permute(1, 2, 0).numpy()) for x in BYTES]


@pytest.fixture(scope="module")
def vae() -> VAE:
    torch.manual_seed(0)
    return VAE((3, 16, 16), 4, 2, "mlp", embedding=8).eval()


@pytest.fixture(scope="module")
def gray() -> VAE:
    return VAE((1, 16, 16), 4, 2, "mlp", embedding=8).eval()


@pytest.mark.parametrize(
    "given",
    [
        *(BYTES, X.numpy(), X.double(), BYTES.numpy(), X.permute(0, 2, 3, 1), BYTES.permute(0, 2, 3, 1).numpy(), PILLOW),
        *(list(X), (X, torch.zeros(3)), as_images(BYTES), X[None][0].requires_grad_()),
    ],
)
def test_any_kind_of_the_same_images_has_the_same_posterior(vae: VAE, given: Any) -> None:
    torch.testing.assert_close(vae.encode(given).mean, vae.encode(X).mean, rtol=0, atol=1e-6)


@pytest.mark.parametrize("given", [X[0], BYTES[0], PILLOW[0], X[0].numpy(), X[0].permute(1, 2, 0)])
def test_a_single_image_is_a_batch_of_one(vae: VAE, given: Any) -> None:
    torch.testing.assert_close(vae.encode(given).mean, vae.encode(X[:1]).mean, rtol=0, atol=1e-6)


def test_gray_images_need_no_channel(gray: VAE) -> None:
    x = X[:, :1]
    for given in (x[:, 0], x[:, 0].numpy()):
        assert torch.equal(gray.encode(given).mean, gray.encode(x).mean)
    assert torch.equal(gray.encode(x[0, 0]).mean, gray.encode(x[:1]).mean)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (X * 255, r"values in \[0, 1\], and these go from 0 to 255; divide them by 255"),
        (X * 2 - 1, r"go from -1 to 1; .* \(x \+ 1\) / 2"),
        (X[:, :1], r"shape \(B, 3, 16, 16\), not \(3, 1, 16, 16\); `splitvae.as_images\(images, vae.shape\)`"),
        (torch.rand(2, 3, 28, 28), r"not \(2, 3, 28, 28\)"),
        (Image.new("RGB", (28, 40)), r"not \(1, 3, 40, 28\)"),
        (Image.new("L", (16, 16)), r"not \(1, 1, 16, 16\)"),
        (BYTES.long(), "uint8"),
        ("photo.png", "holds no images"),
        (None, "holds no images"),
    ],
)
def test_other_images_are_answered_in_a_sentence(vae: VAE, given: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        vae.encode(given)
    fresh = VAE((3, 16, 16), 4, 2, "mlp", embedding=8).train()
    with pytest.raises(UserError, match=message):
        fresh.encode(given)


def test_values_are_read_in_no_step_and_in_no_trace(vae: VAE, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.rand(2, 3, 16, 16, device="meta")
    assert inputs.to_images(x * 255, vae.shape, x.device, torch.float32).shape == x.shape  # its values cannot be read
    vae.train().encode(X * 255)  # the first batch was looked at; a step of a training does not wait for the next
    vae.eval().encode(X + 0.3 * torch.randn_like(X).clamp(-2, 2))  # noise is no mistake
    assert vae.encode(X * torch.nan).mean.isnan().all()  # is found by the alarms of a training
    exported = torch.export.export(_Reconstruct(vae), (X,))
    torch.testing.assert_close(exported.module()(X), vae.reconstruct(X).image)


class _Reconstruct(torch.nn.Module):
    def __init__(self, vae: VAE) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.vae.decode(self.vae.encode(x).mean).image


def test_latents_of_any_kind_are_decoded(vae: VAE) -> None:
    z = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    for given in (z.numpy(), z.double(), z.tolist()):
        torch.testing.assert_close(vae.decode(given).image, vae.decode(z).image)
    assert torch.equal(vae.decode(z[0]).image, vae.decode(z[:1]).image)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.randn(2, 5), r"decodes latents of shape \(B, 4\), not \(2, 5\)"),
        (torch.randn(5), r"not \(5,\)"),
        (torch.randn(2, 1, 4), r"not \(2, 1, 4\)"),
        (np.zeros(0), r"not \(0,\)"),
        ("z", r"a str is no latent; give z of shape \(B, 4\)"),
    ],
)
def test_other_latents_are_answered_in_a_sentence(vae: VAE, given: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        vae.decode(given)
    with pytest.raises(UserError, match="is no latent; give z"):
        vae.decode(vae.encode(X))


def test_what_the_layers_were_built_for_cannot_be_changed(vae: VAE) -> None:
    for name in ("split", "latent_dim", "shape", "settings", "embedding", "net"):
        with pytest.raises(UserError, match=rf"{name} of a model cannot be changed.*create another model"):
            setattr(vae, name, 3)
    with pytest.raises(UserError, match=r"such as splitvae\.VAE\(vae\.shape, latent_dim=8\)"):
        vae.latent_dim = 8
    assert repr(vae.sample(5)) == "Canvas(5 images of (3, 16, 16), split=2)"
    assert (vae.split, copy.deepcopy(vae).split, pickle.loads(pickle.dumps(vae)).split) == (2, 2, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": 32}, r"shape=32 is not \(channels, side, side\)"),
        ({"split": 2.5}, "split=2.5 must be a whole number"),
        ({"latent_dim": "4"}, "latent_dim='4' must be a whole number"),
        ({"spectral_norm": "yes"}, "spectral_norm='yes' must be True or False"),
        ({"net": 3}, "3 is no network; give a name or an object: resnet, "),
    ],
)
def test_a_model_of_wrong_values_is_answered_in_a_sentence(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        VAE(**{"shape": (1, 16, 16)} | arguments)


def test_a_class_stands_for_its_defaults() -> None:
    from splitvae.networks import Dense

    assert VAE((1, 16, 16), net=Dense).settings == VAE((1, 16, 16), net="mlp").settings


@pytest.mark.parametrize("n", [-1, 2.0, "3"])
def test_a_number_of_samples_is_a_whole_number(vae: VAE, n: Any) -> None:
    with pytest.raises(UserError, match="is no number of samples"):
        vae.sample(n)
