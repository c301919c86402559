"""Presets of the Multi-Level VAE: each is built, and each part of its latent learns."""

from __future__ import annotations

import pytest
import torch

from splitvae import presets
from splitvae.models.latents import GroupedHead

NAMES = ["mnist-ml-vae", "mnist-ml-vae-conv"]


@pytest.mark.parametrize("name", NAMES)
def test_every_layer_of_a_preset_gets_a_gradient_and_the_weight_of_independence_acts(name: str) -> None:
    torch.manual_seed(0)
    small = {"embedding": 16, "group_head_units": 8} | ({} if name == "mnist-ml-vae" else {"width": 2})
    config = presets.find_preset(name, **small, independence_steps=0)
    vae = presets.build_vae(config).train()
    assert isinstance(vae.encoder.latent, GroupedHead)
    labels = torch.arange(32) % 4
    shape = config.model.shape
    assert shape is not None
    loss = config.objective.build()
    for _, value in loss(vae, torch.rand(32, *shape), labels):
        value.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in vae.parameters())
    assert loss.logs["independence"] == config.options()["independence"] > 0
    for head in ("style", "content"):
        for part in ("mean", "logvar"):
            assert getattr(vae.encoder.latent, f"{head}_{part}").weight.grad.any()
