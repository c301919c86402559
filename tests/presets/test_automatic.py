"""Settings that are suggested for images without a preset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
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
    assert presets.suggest_settings((3, 250, 250), 1000, False, splitvae.Config())["pad"] == 0  # resized, not padded
    small = splitvae.Config().override(net="intro", loss="intro", latent_dim=64)  # not typed, yet kept
    assert presets.suggest_settings((3, 64, 64), 1000, False, small)["margin"] == 128
    with pytest.raises(UserError, match="16, 32, 64, 128, 256, 512 or 1024, not 96"):
        splitvae.VAE((3, 96, 96), net="intro")


MEASURED = {  # weights with which networks that have no preset were trained (results/introvae-trials.md)
    ("intro", (1, 32, 32), 32): {"beta": 8, "margin": 60},
    ("intro", (3, 64, 64), 64): {"beta": 5, "margin": 180},
    ("soft-intro", (1, 32, 32), 32): {"beta_rec": 4, "beta_neg": 64, "gamma": 0},
    ("soft-intro", (3, 64, 64), 64): {"beta_rec": 2.5, "beta_neg": 384, "gamma": 0},
}


@pytest.mark.parametrize(("loss", "shape", "dim"), MEASURED)
def test_images_without_a_preset_get_weights_like_those_that_were_measured(
    loss: str, shape: tuple[int, int, int], dim: int
) -> None:
    config = splitvae.Config().override(net="intro", loss=loss, latent_dim=dim)
    suggested = presets.suggest_settings(shape, 30_000, False, config, {"net", "latent_dim"})
    for key, value in (MEASURED[loss, shape, dim] | {"vae_epochs": 1, "lr": 5e-4}).items():
        assert suggested[key] == pytest.approx(value, rel=0.4)


@pytest.mark.parametrize("loss", ["intro", "soft-intro"])
def test_introspective_networks_get_a_norm_that_samples_and_reconstructions_share(loss: str) -> None:
    for net in ("resnet", "intro"):
        config = splitvae.Config().override(net=net, loss=loss)
        chosen = config.override(**presets.suggest_settings((1, 32, 32), 1000, False, config, {"net"}))
        vae = presets.build_vae(chosen)
        assert chosen.options()["norm"] == "group"
        assert [m for m in vae.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)] == []
    higgins = splitvae.Config().override(net="higgins", loss=loss)
    assert "norm" not in presets.suggest_settings((1, 32, 32), 1000, False, higgins)
    assert "norm" not in presets.suggest_settings((1, 32, 32), 1000, False, splitvae.Config())  # the paper's for an ELBO


@pytest.mark.parametrize(("channels", "data"), [(1, "mnist"), (3, "celeba64")])
@pytest.mark.parametrize("loss", ["intro", "soft-intro"])
def test_introspective_objectives_get_the_settings_of_their_preset(loss: str, channels: int, data: str) -> None:
    preset = presets.find_preset(f"{data}-{loss}").options()
    config = splitvae.Config().override(loss=loss, width=6)
    suggested = presets.suggest_settings((channels, 32, 32), 20_000, False, config, {"width"})
    chosen = config.override(**{name: value for name, value in suggested.items() if name != "width"})
    options = chosen.options()
    same = ("net", "doubling", "latent_dim", "lr", "schedule", "ema", *config.objective.options())
    for name in set(same) - {"margin", "margin_ratio", "vae_epochs"}:
        assert options[name] == preset[name]
    assert options.get("margin_ratio", 1.5) == 1.5  # the margin of digits is not that of other images
    assert options["width"] == 6 and options["smallest_map"] <= 8 and 1 <= options["vae_epochs"] < options["epochs"]
    presets.build_vae(chosen)
    named = splitvae.Config().override(loss=loss, net="upsampled", smallest_map=8)
    kept = presets.suggest_settings((channels, 32, 32), 20_000, False, named, {"net", "smallest_map"})
    assert "net" not in kept and kept["lr"] == preset["lr"] and kept["latent_dim"] == preset["latent_dim"]


def test_a_margin_or_an_introspective_training_from_the_start_is_kept() -> None:
    config = splitvae.Config().override(loss="intro")
    for given in ({"margin": 40.0}, {"vae_epochs": 0}):
        mine = config.override(**given)
        suggested = presets.suggest_settings((1, 32, 32), 1000, False, mine, set(given))
        chosen = mine.override(**{name: value for name, value in suggested.items() if name not in given}).options()
        assert chosen["margin_ratio"] == 0 and all(chosen[name] == value for name, value in given.items())


def test_arrays_of_large_images_are_trained_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 250, 250, 3), dtype=np.uint8)
    run = splitvae.train(images=pixels, epochs=1, width=4, scales=2, embedding=8, preview_every=0, out=tmp_path / "run")
    assert run.config.model.shape == (3, 128, 128)
    assert "resized 22 of 22 images to 128x128, from 250x250" in capsys.readouterr().out


def test_a_training_of_one_epoch_has_a_margin_that_needs_no_plain_epoch() -> None:
    config = splitvae.Config().override(loss="intro", epochs=1, latent_dim=64)
    suggested = presets.suggest_settings((3, 64, 64), 1000, False, config, {"epochs", "latent_dim"})
    assert (suggested["vae_epochs"], suggested["margin_ratio"], suggested["margin"]) == (0, 0, 128)
