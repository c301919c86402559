"""Settings that are suggested for images without a preset."""

from __future__ import annotations

import pytest
import torch

import splitvae
from splitvae import presets
from splitvae.errors import UserError


def test_large_images_get_the_largest_side_of_the_chosen_network() -> None:
    config = splitvae.Config().override(net="intro", loss="intro")
    fields = presets.suggest_settings((3, 250, 250), 1000, False, config)
    assert fields["shape"] == (3, 256, 256) and fields["pad"] == 3
    assert presets.suggest_settings((3, 250, 250), 1000, False, splitvae.Config())["shape"] == (3, 128, 128)
    small = splitvae.Config().override(loss="intro", latent_dim=64)  # not typed, yet kept
    assert presets.suggest_settings((3, 64, 64), 1000, False, small)["margin"] == 128
    with pytest.raises(UserError, match="16, 32, 64, 128, 256, 512 or 1024, not 96"):
        splitvae.VAE((3, 96, 96), net="intro")


MEASURED = {  # weights with which networks that have no preset were trained (results/README.md)
    ("intro", (1, 32, 32), 32): {"beta": 8, "margin": 60},
    ("intro", (3, 64, 64), 64): {"beta": 5, "margin": 180},
    ("soft-intro", (1, 32, 32), 32): {"beta_rec": 4, "beta_neg": 64, "gamma": 0},
    ("soft-intro", (3, 64, 64), 64): {"beta_rec": 2.5, "beta_neg": 384, "gamma": 0},
}


@pytest.mark.parametrize(("loss", "shape", "dim"), MEASURED)
def test_images_without_a_preset_get_weights_like_those_that_were_measured(
    loss: str, shape: tuple[int, int, int], dim: int
) -> None:
    config = splitvae.Config().override(loss=loss, latent_dim=dim)
    suggested = presets.suggest_settings(shape, 30_000, False, config, {"latent_dim"})
    for key, value in (MEASURED[loss, shape, dim] | {"vae_epochs": 1, "lr": 5e-4}).items():
        assert suggested[key] == pytest.approx(value, rel=0.4)


@pytest.mark.parametrize("loss", ["intro", "soft-intro"])
def test_introspective_networks_get_a_norm_that_samples_and_reconstructions_share(loss: str) -> None:
    for net in ("resnet", "intro"):
        config = splitvae.Config().override(net=net, loss=loss)
        chosen = config.override(**presets.suggest_settings((1, 32, 32), 1000, False, config))
        vae = presets.build_vae(chosen)
        assert chosen.options()["norm"] == "group"
        assert [m for m in vae.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)] == []
    higgins = splitvae.Config().override(net="higgins", loss=loss)
    assert "norm" not in presets.suggest_settings((1, 32, 32), 1000, False, higgins)
    assert "norm" not in presets.suggest_settings((1, 32, 32), 1000, False, splitvae.Config())  # the paper's for an ELBO
