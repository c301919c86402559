"""Separate decoders of a split: as many parameters as one, one component each, no component unlike the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import splitvae
from splitvae.models.separate import SeparateDecoders
from splitvae.networks.registry import NETWORKS
from splitvae.presets.build import build_config, build_vae
from splitvae.presets.registry import PRESETS


def count(vae: splitvae.VAE) -> int:
    return sum(parameter.numel() for parameter in vae.decoder.parameters())


@pytest.mark.parametrize("split", [2, 3])
@pytest.mark.parametrize("net", NETWORKS)
@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 64, 64)])
def test_the_decoders_have_together_as_many_parameters_as_one(shape: tuple[int, int, int], net: str, split: int) -> None:
    with torch.device("meta"):
        shared, separate = (splitvae.VAE(shape, 32, split, net, split_decoder=each) for each in ("shared", "separate"))
    assert count(separate) == pytest.approx(count(shared), rel=0.05)
    assert [p.shape for p in separate.encoder.parameters()] == [p.shape for p in shared.encoder.parameters()]


@pytest.fixture
def vae() -> splitvae.VAE:
    """A small model with three decoders, in evaluation mode."""
    return splitvae.VAE((3, 16, 16), 4, 3, width=4, scales=2, embedding=8, split_decoder="separate").eval()


def test_each_decoder_generates_one_component(vae: splitvae.VAE) -> None:
    assert isinstance(vae.decoder, SeparateDecoders)
    canvas = vae.decode(torch.randn(2, 4))
    for own, image in enumerate(canvas.images.unbind(1)):
        vae.zero_grad()
        image.sum().backward(retain_graph=True)
        reached = [any(p.grad is not None and p.grad.any() for p in each.parameters()) for each in vae.decoder.decoders]
        assert reached == [each == own for each in range(3)]


def test_the_maps_are_a_softmax_in_which_no_component_differs_from_the_others(vae: splitvae.VAE) -> None:
    z = torch.randn(2, 4)
    canvas = vae.decode(z)
    logits = torch.stack([decoder(z)[:, :1] for decoder in vae.decoder.decoders], dim=1)
    torch.testing.assert_close(canvas.masks, torch.softmax(logits, dim=1))
    vae.decoder.decoders = torch.nn.ModuleList([vae.decoder.decoders[k] for k in (2, 0, 1)])
    turned = vae.decode(z)
    torch.testing.assert_close(turned.images, canvas.images[:, [2, 0, 1]])
    torch.testing.assert_close(turned.masks, canvas.masks[:, [2, 0, 1]])
    torch.testing.assert_close(turned.image, canvas.image)


def test_a_model_is_saved_and_read_and_older_ones_have_a_shared_decoder(vae: splitvae.VAE, tmp_path: Path) -> None:
    z = torch.randn(2, 4)
    vae.save_pretrained(tmp_path / "new")
    again = splitvae.VAE.from_pretrained(tmp_path / "new")
    assert again.settings.split_decoder == "separate" and torch.equal(again.decode(z).image, vae.decode(z).image)
    shared = splitvae.VAE((3, 16, 16), 4, 2, width=4, scales=2, embedding=8).eval()
    shared.save_pretrained(tmp_path / "old")
    file = tmp_path / "old" / "config.json"
    settings: dict[str, Any] = json.loads(file.read_text())
    assert settings.pop("split_decoder") == "shared"
    file.write_text(json.dumps(settings))
    config = splitvae.Config().to_json()
    assert config["model"].pop("split_decoder") == splitvae.Config.from_json(config).model.split_decoder
    assert torch.equal(splitvae.VAE.from_pretrained(tmp_path / "old").decode(z).image, shared.decode(z).image)


def test_every_preset_with_a_split_takes_separate_decoders() -> None:
    for name in (name for name, config in PRESETS.items() if config.model.split > 1):
        config = build_config(name, split_decoder="separate")
        with torch.device("meta"):
            assert isinstance(build_vae(config).decoder, SeparateDecoders), name


def test_spectral_norm_reaches_each_decoder() -> None:
    vae = splitvae.VAE((1, 16, 16), 4, 2, width=4, scales=2, embedding=8, spectral_norm=True, split_decoder="separate")
    for decoder in vae.decoder.decoders:
        assert torch.nn.utils.parametrize.is_parametrized(decoder.head)


def test_without_a_split_there_is_one_decoder_and_settings_refuse_the_choice() -> None:
    torch.manual_seed(0)
    shared = splitvae.VAE((1, 16, 16), 4, 1, width=4, scales=2, embedding=8)
    torch.manual_seed(0)
    separate = splitvae.VAE((1, 16, 16), 4, 1, width=4, scales=2, embedding=8, split_decoder="separate")
    assert all(torch.equal(a, b) for a, b in zip(shared.parameters(), separate.parameters(), strict=True))
    with pytest.raises(splitvae.UserError, match="acts only with a split"):
        build_config("mnist-vae", split_decoder="separate")
    with pytest.raises(splitvae.UserError, match="did you mean 'separate'"):
        splitvae.VAE((1, 16, 16), split_decoder="seperate")


def test_a_run_trains_and_resumes_with_separate_decoders(tmp_path: Path, make_images: Callable[..., Any]) -> None:
    small = {"width": 4, "scales": 2, "embedding": 8, "batch_size": 8, "preview_every": 0, "split_decoder": "separate"}
    run = splitvae.train("digits-svae", make_images(40), out=tmp_path / "run", progress=False, epochs=1, **small)
    run = splitvae.train("digits-svae", make_images(40), out=tmp_path / "run", progress=False, resume=True, epochs=2)
    assert run.config.model.split_decoder == "separate" and len(run.history) == 2
    assert isinstance(splitvae.Run(run.path).vae.decoder, SeparateDecoders)


@pytest.fixture
def make_images() -> Callable[[int], Any]:
    """A function that returns images of noise."""
    return lambda count: splitvae.Images(
        torch.randint(0, 256, (count, 1, 16, 16), dtype=torch.uint8), None, (), "array", "train", ()
    )
