"""Tests of what extractors share: features depend on the image alone, and any module can be an extractor."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
from torch import Tensor, nn

from splitvae import load
from splitvae.features.base import ModuleFeatures, extract_features
from splitvae.features.classifier import Classifier

TEST = load("digits", "test")
NOISE = torch.rand(40, 3, 8, 8, generator=torch.Generator().manual_seed(0)).mul(255).round().div(255)


def test_features_are_those_of_each_image_alone(digits_classifier: Classifier) -> None:
    whole = extract_features(digits_classifier, TEST.pixels)
    order = torch.randperm(len(TEST), generator=torch.Generator().manual_seed(0))
    # Another batch is another order of summation in float32.
    torch.testing.assert_close(extract_features(digits_classifier, TEST.pixels, batch_size=7), whole, rtol=0, atol=2e-5)
    torch.testing.assert_close(
        extract_features(digits_classifier, TEST.pixels[order], batch_size=64), whole[order], rtol=0, atol=2e-5
    )
    batches = (chunk.float() / 255 for chunk in TEST.pixels.split(50))
    torch.testing.assert_close(extract_features(digits_classifier, batches), whole, rtol=0, atol=2e-5)


def test_features_are_taken_in_evaluation_mode_float32_without_gradients(
    digits_classifier: Classifier, build_network: Callable[..., nn.Module]
) -> None:
    whole = extract_features(digits_classifier, TEST.pixels)
    digits_classifier.train()
    try:
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(extract_features(digits_classifier, TEST.pixels), whole)
        assert all(module.training for module in digits_classifier.modules())
    finally:
        digits_classifier.eval()
    assert not whole.requires_grad
    mixed = ModuleFeatures(build_network(), "mixed").train()
    mixed.module[1].eval()  # type: ignore[index, union-attr]  # a Sequential
    assert torch.equal(extract_features(mixed, NOISE), extract_features(mixed, NOISE))
    assert mixed.training and not mixed.module[1].training  # type: ignore[index, union-attr]  # a Sequential


def test_floats_are_rounded_to_8_bits_unless_told_otherwise(digits_classifier: Classifier) -> None:
    floats = TEST.pixels.float() / 255
    between = (floats + 0.4 / 255).clamp(0, 1)
    whole = extract_features(digits_classifier, TEST.pixels)
    assert torch.equal(extract_features(digits_classifier, floats), whole)
    assert torch.equal(extract_features(digits_classifier, between), whole)
    assert (extract_features(digits_classifier, between, quantise=False) - whole).abs().max() > 1e-3


def test_gray_becomes_rgb_with_one_note(build_network: Callable[..., nn.Module]) -> None:
    extractor, notes = ModuleFeatures(build_network(), "net"), list[str]()
    gray = NOISE[:, :1]
    features = extract_features(extractor, gray, batch_size=9, notes=notes)
    torch.testing.assert_close(features, extract_features(extractor, gray.repeat(1, 3, 1, 1)), rtol=0, atol=1e-6)
    extract_features(extractor, gray, notes=notes)
    assert len(notes) == 1 and "gray" in notes[0] and "net" in notes[0]
    assert extract_features(extractor, gray).shape == (40, 5)  # notes are optional


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (torch.rand(2, 2, 8, 8), ("(2, 2, 8, 8)", "of 3 channels")),
        (torch.rand(2, 8, 8), ("(2, 8, 8)", "of 3 channels")),
        (torch.rand(2, 3, 8, 8) * 2 - 1, ("[0, 1]", "-0.")),
        (torch.ones(2, 3, 8, 8, dtype=torch.int64), ("int64", "uint8")),
        (torch.zeros(0, 3, 8, 8), ("no images", "at least 1")),
        (torch.zeros(0, 3, 8, 8, dtype=torch.uint8), ("no images",)),
        ([], ("no images",)),
        (torch.full((2, 3, 8, 8), torch.nan), ("not finite", "2 of 2")),
    ],
)
def test_images_that_have_no_features_are_refused(
    images: Tensor | list[Tensor],
    words: tuple[str, ...],
    refused: Callable[..., AbstractContextManager[None]],
    build_network: Callable[..., nn.Module],
) -> None:
    with refused(*words):
        extract_features(ModuleFeatures(build_network(), "net"), images)


def test_colour_is_not_given_to_what_reads_gray(
    digits_classifier: Classifier, refused: Callable[..., AbstractContextManager[None]]
) -> None:
    with refused("of 1 channel", "(40, 3, 8, 8)"):
        extract_features(digits_classifier, NOISE)


def test_features_that_are_not_finite_name_their_first_image(refused: Callable[..., AbstractContextManager[None]]) -> None:
    class Inverse(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 1 / x.mean((2, 3))

    images = NOISE.clone()
    images[[11, 30], 1] = 0
    with refused("inverse", "2 of 40", "image 11"):
        extract_features(ModuleFeatures(Inverse(), "inverse"), images, batch_size=8)


# ---------------------------------------------------------------- modules


def test_any_module_is_an_extractor(build_network: Callable[..., nn.Module]) -> None:
    module = build_network().eval()
    extractor = ModuleFeatures(module, "net", shape=(3, 8, 8))
    assert (extractor.dim, extractor.channels, extractor.name) == (5, 3, "net") and "same module" in extractor.note
    with torch.no_grad():
        torch.testing.assert_close(extract_features(extractor, NOISE).float(), module(NOISE).flatten(1), rtol=0, atol=1e-6)
    fingerprint = extractor.fingerprint
    assert ModuleFeatures(build_network(), "again").fingerprint == fingerprint
    with torch.no_grad():
        module[0].bias[0] += 1e-3  # type: ignore[index, operator]  # a Sequential
    assert extractor.fingerprint != fingerprint
    assert ModuleFeatures(build_network(1), "gray", shape=(1, 8, 8)).channels == 1
    assert ModuleFeatures(build_network(3), "colour", shape=(1, 8, 8)).channels == 3
    assert ModuleFeatures(nn.Flatten(), "pixels", shape=(1, 8, 8)).dim == 64


def test_modules_that_make_no_vectors_are_refused(refused: Callable[..., AbstractContextManager[None]]) -> None:
    with refused("a tensor of shape (2, 3, 64, 64)", "(B, dim)"):
        ModuleFeatures(nn.Identity(), "identity")
    with refused("3 channels and 64x64", "shape=(C, H, W)"):
        ModuleFeatures(nn.Sequential(nn.Flatten(), nn.Linear(192, 4)), "dense")
