"""Tests of the classifier: what it learns, what it cannot learn, and its cache."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
from torch import Tensor

from splitvae import Images, load
from splitvae.features import classifier_training
from splitvae.features.base import extract_features
from splitvae.features.classifier import Classifier
from splitvae.features.classifier_training import load_or_train, why_unlearnable
from splitvae.features.registry import load_extractor

CPU = torch.device("cpu")
DIGITS = load("digits")
TEST = load("digits", "test")


def relabelled(labels: Tensor | None, count: int = len(DIGITS)) -> Images:
    return dataclasses.replace(DIGITS, pixels=DIGITS.pixels[:count], labels=None if labels is None else labels[:count])


def test_the_classifier_learns_its_classes(digits_classifier: Classifier) -> None:
    assert digits_classifier.accuracy > 0.9
    with torch.no_grad():
        predictions = digits_classifier.logits(extract_features(digits_classifier, TEST.pixels).float()).argmax(1)
    assert TEST.labels is not None and (predictions == TEST.labels).double().mean() > 0.9
    assert f"digits (accuracy {digits_classifier.accuracy:.1%}): not comparable with Inception" in digits_classifier.note


def test_rotation_learns_turns_without_labels(cache: None) -> None:
    rotation = load_extractor("auto", relabelled(None), device=CPU, progress=False)
    assert rotation.name == "rotation" and rotation.dim == 64 and len(rotation.fingerprint) == 16
    assert isinstance(rotation, Classifier) and rotation.accuracy > 0.7
    turned = torch.cat([TEST.pixels.rot90(k, (2, 3)) for k in range(4)])
    with torch.no_grad():
        predictions = rotation.logits(extract_features(rotation, turned).float()).argmax(1)
    assert (predictions == torch.arange(4).repeat_interleave(len(TEST))).double().mean() > 0.7


def test_features_are_not_cut_off_at_zero_and_of_like_scale(digits_classifier: Classifier) -> None:
    features = extract_features(digits_classifier, TEST.pixels)
    assert features.shape == (len(TEST), 64) and features.dtype == torch.float64
    assert (features.amin(0) < 0).all() and (features.amax(0) > 0).all()
    assert features.std(0).min() > 0.3 and features.std(0).max() < 3


def test_binary_attributes_are_learned_but_for_those_that_never_vary(
    quick_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier_training, "MIN_STEPS", 40)
    monkeypatch.setattr(classifier_training, "MAX_STEPS", 40)
    assert DIGITS.labels is not None
    bright = (DIGITS.pixels.float().mean((1, 2, 3)) > 80).long()
    attributes = torch.stack((DIGITS.labels % 2, bright, torch.ones_like(bright)), 1)
    odd = load_or_train(relabelled(attributes), "classifier", CPU, progress=False)
    assert odd.logits(torch.zeros(1, 64)).shape == (1, 2)
    assert odd.accuracy > 0.8


def test_what_cannot_be_learned_is_refused_with_a_way_out(refused: Callable[..., AbstractContextManager[None]]) -> None:
    same = torch.zeros(len(DIGITS), dtype=torch.int64)
    for images, what in [
        (relabelled(None), "no labels"),
        (relabelled(same), "same labels"),
        (relabelled(same[:, None].repeat(1, 3)), "same labels"),
        (relabelled(DIGITS.labels, 49), "49 images"),
    ]:
        with refused(what, "features='rotation'"):
            load_or_train(images, "classifier", CPU)
    assert not why_unlearnable(relabelled(None, 20), "rotation")
    with refused("19 images", "features='inception'"):
        load_or_train(relabelled(None, 19), "rotation", CPU)
    with refused("8x6", "squares"):
        load_or_train(dataclasses.replace(DIGITS, pixels=DIGITS.pixels[..., 1:7]), "rotation", CPU)


def test_images_of_a_multiple_of_the_side_are_shrunk(digits_classifier: Classifier) -> None:
    x = TEST.pixels[:20]
    doubled = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    expected = extract_features(digits_classifier, x)
    torch.testing.assert_close(extract_features(digits_classifier, doubled), expected, atol=1e-4, rtol=1e-4)
    tripled = x.repeat_interleave(3, dim=2).repeat_interleave(3, dim=3)
    torch.testing.assert_close(extract_features(digits_classifier, tripled), expected, atol=1e-4, rtol=1e-4)


def test_features_of_another_shape_are_refused(
    digits_classifier: Classifier, refused: Callable[..., AbstractContextManager[None]]
) -> None:
    for shape in [(1, 18, 18), (1, 11, 11), (1, 7, 7), (1, 12, 10), (3, 12, 12)]:
        with refused("(1, 8, 8)" if shape[0] == 1 else "of 1 channel", str(shape) if shape[0] == 1 else "3, 12, 12"):
            extract_features(digits_classifier, torch.zeros(2, *shape))


def test_a_border_as_padding_adds_it_is_read(digits_classifier: Classifier) -> None:
    padded = torch.nn.functional.pad(TEST.pixels, (2, 2, 2, 2))
    black = extract_features(digits_classifier, padded)
    assert black.shape == (len(TEST), 64)
    padded[:, :, 0] = 255
    assert not torch.allclose(extract_features(digits_classifier, padded), black, atol=1e-2)  # and not cut off


def test_a_network_that_learned_little_says_so(quick_cache: Path, digits_classifier: Classifier) -> None:
    assert not digits_classifier.is_weak and "weak" not in digits_classifier.note
    hasty = load_or_train(DIGITS, "classifier", CPU, progress=False)
    assert 0.09 < hasty.majority < 0.12 and hasty.accuracy < 0.6
    for word in ("weak", f"most frequent answer gives {hasty.majority:.1%}", "features='inception'"):
        assert word in hasty.note
    assert DIGITS.labels is not None
    rare = relabelled((DIGITS.labels == 0).long())  # one of ten: 90 % by never naming it
    named = load_or_train(rare, "classifier", CPU, progress=False)
    named.accuracy = named.majority + 0.02
    assert named.is_weak and named.majority > 0.88
    named.accuracy = 0.99
    assert not named.is_weak


# ---------------------------------------------------------------- the cache


def test_a_cached_network_is_read_back_bit_by_bit_and_not_trained_again(
    cache: None, digits_classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier_training, "_train", lambda *_: pytest.fail("trained again"))
    again = load_or_train(DIGITS, "classifier", CPU)
    assert (
        again.fingerprint == digits_classifier.fingerprint
        and again.accuracy == digits_classifier.accuracy
        and again.note == digits_classifier.note
    )
    assert torch.equal(extract_features(again, TEST.pixels), extract_features(digits_classifier, TEST.pixels))


def test_the_same_images_train_the_same_network_and_others_another(
    quick_cache: Path, capsys: pytest.CaptureFixture
) -> None:
    def files() -> set[str]:
        return {file.name for file in quick_cache.iterdir()}

    first = load_or_train(DIGITS, "classifier", CPU)
    assert capsys.readouterr().out.count("\n") == 1
    cached = files()
    assert load_or_train(DIGITS, "classifier", CPU).fingerprint == first.fingerprint
    assert capsys.readouterr().out == "" and files() == cached
    (file,) = quick_cache.iterdir()
    file.unlink()
    assert load_or_train(DIGITS, "classifier", CPU, progress=False).fingerprint == first.fingerprint and files() == cached
    pixels = DIGITS.pixels.clone()
    pixels[7, 0, 3, 3] ^= 1
    load_or_train(dataclasses.replace(DIGITS, pixels=pixels), "classifier", CPU)
    assert len(files()) == 2 and len(capsys.readouterr().out) > 0
    assert DIGITS.labels is not None
    load_or_train(relabelled(DIGITS.labels.flip(0)), "classifier", CPU)
    load_or_train(DIGITS, "rotation", CPU)
    assert len(files()) == 4


def test_the_number_of_threads_changes_no_weight(quick_cache: Path) -> None:
    threads, fingerprints = torch.get_num_threads(), set()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            fingerprints.add(load_or_train(DIGITS, "classifier", CPU, progress=False).fingerprint)
            assert torch.get_num_threads() == count
            next(quick_cache.iterdir()).unlink()
    finally:
        torch.set_num_threads(threads)
    assert len(fingerprints) == 1


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other"])
def test_a_damaged_cache_is_trained_anew(quick_cache: Path, damage: str) -> None:
    first = load_or_train(DIGITS, "classifier", CPU, progress=False)
    (file,) = quick_cache.iterdir()
    content = bytearray(file.read_bytes())
    content[-100] ^= 255
    file.write_bytes({"cut": content[:-500], "flipped": bytes(content), "empty": b"", "other": b"PK\x03\x04 none"}[damage])
    assert load_or_train(DIGITS, "classifier", CPU, progress=False).fingerprint == first.fingerprint


def test_a_cache_that_cannot_be_written_costs_a_training_only(
    quick_cache: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (quick_cache.parent / "file").write_text("")
    monkeypatch.setenv("SPLITVAE_DATA", str(quick_cache.parent / "file"))
    assert load_or_train(DIGITS, "classifier", CPU).dim == 64
    assert "cannot be written" in capsys.readouterr().out


def test_training_and_measuring_leave_random_numbers_and_modes_alone(quick_cache: Path) -> None:
    before = torch.get_rng_state()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        learned = load_or_train(DIGITS, "rotation", CPU, progress=False)
    extract_features(learned, TEST.pixels)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(not module.training for module in learned.modules())
    assert all(weight.grad_fn is None and weight.dtype == torch.float32 for weight in learned.parameters())
