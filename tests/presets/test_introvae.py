"""Presets of IntroVAE and Soft-IntroVAE."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from splitvae import presets
from splitvae.objectives.introvae import Intro, from_yukunchen


@pytest.mark.parametrize(("name", "beta", "margin"), [("low", 0.05, 500), ("high", 0.75, 1000)])
def test_the_runs_of_the_readme_are_presets(name: str, beta: float, margin: float) -> None:
    config = presets.find_preset(f"introvae-readme-{name}")
    objective = Intro(**from_yukunchen(0.25, margin, beta))
    assert config.objective == objective
    assert (config.model.shape, config.model.latent_dim) == ((3, 256, 256), 512)
    assert (config.training.batch_size, config.training.lr) == (32, 1e-4)
    vae = presets.create(f"introvae-readme-{name}", width=1, latent_dim=4)
    for _, loss in config.objective(vae, torch.rand(2, 3, 256, 256)):
        loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in vae.parameters())


@pytest.mark.parametrize("name", ["low", "high"])
def test_at_64_pixels_the_runs_of_the_readme_have_a_loss_of_the_same_proportions(name: str) -> None:
    large, small = (presets.find_preset(f"introvae-readme{side}-{name}") for side in ("", "64"))
    assert small.model.shape == (3, 64, 64)
    pixels = (256 / 64) ** 2
    assert small.objective == dataclasses.replace(large.objective, beta=large.objective.options()["beta"] * pixels)


@pytest.mark.parametrize("name", ["mnist-intro", "mnist-soft-intro", "celeba64-intro", "celeba64-soft-intro"])
def test_the_other_presets_are_built_and_get_no_warning(name: str) -> None:
    config = presets.find_preset(name)
    assert config.objective.warnings(config.model.latent_dim, config.training.epochs) == [] and config.model.split == 1
    vae = presets.create(name, width=2)
    assert [
        m for m in vae.modules() if isinstance(m, torch.nn.ConvTranspose2d | torch.nn.modules.batchnorm._BatchNorm)
    ] == []
    assert vae.decode(torch.zeros(1, config.model.latent_dim)).image.shape[1:] == config.model.shape
