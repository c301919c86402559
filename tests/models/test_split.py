"""Splitting: the identities of the blend."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch

import splitvae
from splitvae.models.split import Canvas, ambiguity, compose, count_logit_channels, smoothness


def canvas_of(split: int, channels: int = 3, dtype: torch.dtype = torch.float32) -> Canvas:
    logits = torch.randn(4, count_logit_channels(channels, split), 8, 8)
    return Canvas(*(t.to(dtype) for t in compose(3 * logits, split)))


def test_one_component_is_the_plain_decoder_bit_for_bit() -> None:
    logits = torch.randn(4, 3, 8, 8)
    canvas = compose(logits, 1)
    assert torch.equal(canvas.image, torch.sigmoid(logits))
    assert torch.equal(canvas.masks, torch.ones(4, 1, 1, 8, 8))


def test_two_components_are_the_papers_blend() -> None:
    logits = torch.randn(4, 7, 8, 8)
    out = torch.sigmoid(logits)  # channel 0 is the map, then x1, then x2, as in the public code
    expected = out[:, :1] * out[:, 1:4] + (1 - out[:, :1]) * out[:, 4:]
    torch.testing.assert_close(compose(logits, 2).image, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("split", [2, 3, 5])
def test_maps_sum_to_one_and_the_blend_lies_between_its_components(split: int) -> None:
    canvas = canvas_of(split)
    torch.testing.assert_close(canvas.masks.sum(1), torch.ones(4, 1, 8, 8))
    assert (canvas.image >= canvas.images.amin(1) - 1e-6).all()
    assert (canvas.image <= canvas.images.amax(1) + 1e-6).all()


def test_swapping_the_components_and_the_map_leaves_the_blend() -> None:
    logits = torch.randn(4, 7, 8, 8)
    swapped = torch.cat((-logits[:, :1], logits[:, 4:], logits[:, 1:4]), dim=1)
    torch.testing.assert_close(compose(logits, 2).image, compose(swapped, 2).image, atol=1e-6, rtol=0)


@pytest.mark.parametrize("split", [2, 4])
def test_the_map_scale_multiplies_the_logits_of_maps_alone(split: int) -> None:
    logits = torch.randn(4, count_logit_channels(3, split), 8, 8)
    scaled = torch.cat((5 * logits[:, : split - 1], logits[:, split - 1 :]), dim=1)
    for one, other in zip(compose(logits, split, map_scale=5.0), compose(scaled, split), strict=True):
        torch.testing.assert_close(one, other)
    for one, other in zip(compose(logits, split, map_scale=1.0), compose(logits, split), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("split", [2, 3])
def test_normalised_maps_forget_the_mean_and_scale_of_their_logits_so_that_no_component_has_the_whole_image(
    split: int,
) -> None:
    logits = torch.randn(4, count_logit_channels(3, split), 8, 8)
    moved = logits.clone()
    moved[:, : split - 1] = 3 * moved[:, : split - 1] + 20
    for one, other in zip(compose(logits, split, 8.0, True), compose(moved, split, 8.0, True), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)
    masks = compose(moved, split, 2.0, True).masks.double()
    odds = (masks[:, :-1] / masks[:, -1:]).log()  # the logits
    torch.testing.assert_close(odds.mean((3, 4)), torch.zeros(4, split - 1, 1, dtype=torch.float64), atol=1e-3, rtol=0)
    expected = torch.full((4, split - 1, 1), 2.0, dtype=torch.float64)
    torch.testing.assert_close(odds.std((3, 4), correction=0), expected, atol=1e-3, rtol=0)
    assert compose(moved, split).masks[:, -1].max() < 0.5 < masks[:, -1].amax((1, 2, 3)).min()  # the last one, without


def test_a_model_keeps_its_map_scale(tmp_path: Path) -> None:
    build = partial(splitvae.VAE, (3, 16, 16), 4, 2, width=4, scales=2, embedding=8)
    plain, scaled, normed = build(), build(map_scale=8), build(map_scale=8, map_norm=True)
    scaled.load_state_dict(plain.state_dict())
    z = torch.randn(2, 4)
    expected = torch.sigmoid(8 * torch.logit(plain.eval().decode(z).masks[:, 0].double()))
    torch.testing.assert_close(scaled.eval().decode(z).masks[:, 0].double(), expected, atol=1e-5, rtol=0)
    scaled.save_pretrained(tmp_path)
    again = splitvae.VAE.from_pretrained(tmp_path)
    built = splitvae.presets.build_vae(splitvae.presets.build_config(scaled))
    assert again.settings.map_scale == built.settings.map_scale == 8
    assert torch.equal(again.decode(z).image, scaled.decode(z).image)
    normed.load_state_dict(plain.state_dict())
    normed.eval().save_pretrained(tmp_path / "normed")
    logits = torch.logit(plain.decode(z).masks[:, 0].double())
    expected = torch.sigmoid(8 * torch.nn.functional.instance_norm(logits))
    again = splitvae.VAE.from_pretrained(tmp_path / "normed")
    torch.testing.assert_close(again.decode(z).masks[:, 0].double(), expected, atol=1e-4, rtol=0)


def test_a_map_scale_that_is_none_is_refused() -> None:
    for value in (0, -1, float("inf"), float("nan")):
        with pytest.raises(splitvae.UserError, match=r"map_scale=.* must be a positive number; 1 is the paper's"):
            splitvae.VAE((3, 16, 16), map_scale=value)
    with pytest.raises(splitvae.UserError, match="acts only with a split"):
        splitvae.create("mnist-vae", map_scale=2.0)
    with pytest.raises(splitvae.UserError, match="acts only with a split"):
        splitvae.create("mnist-vae", map_norm=True)


@pytest.mark.parametrize("split", [1, 2, 4])
def test_ambiguity_decomposition_holds(split: int) -> None:
    canvas, x = canvas_of(split, dtype=torch.float64), torch.rand(4, 3, 8, 8).double()
    own = (canvas.masks * (x.unsqueeze(1) - canvas.images).square()).sum((1, 2, 3, 4))
    torch.testing.assert_close(own, (x - canvas.image).square().sum((1, 2, 3)) + ambiguity(canvas))


def test_ambiguity_of_two_is_the_variance_of_a_coin() -> None:
    canvas = canvas_of(2, dtype=torch.float64)
    s, (x1, x2) = canvas.masks[:, 0], canvas.images.unbind(1)
    torch.testing.assert_close(ambiguity(canvas), (s * (1 - s) * (x1 - x2).square()).sum((1, 2, 3)))


def test_smoothness_is_the_length_of_an_edge() -> None:
    s = torch.zeros(1, 1, 1, 8, 8)
    s[..., 4:] = 1  # one vertical edge, eight pixels long, of height one
    assert smoothness(torch.cat((s, 1 - s), dim=1)).item() == 8


def test_a_split_model_is_its_twin_plus_head_channels() -> None:
    twin, split = splitvae.create("digits-vae", width=4), splitvae.create("digits-svae", width=4)
    assert split.counts()["trainable"] - twin.counts()["trainable"] == 2 * (3 * 3 * 4 + 1)


def test_the_blend_is_computed_in_float32_for_logits_of_any_type() -> None:
    assert compose(torch.randn(1, 7, 4, 4).bfloat16(), 2).image.dtype == torch.float32
