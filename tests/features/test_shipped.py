"""Tests of the shipped extractors: the files, which data sets they are taken for, and what they read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from splitvae import Images, load, resize
from splitvae.features import classifier_training, shipped
from splitvae.features.base import extract_features
from splitvae.features.registry import EXTRACTORS, load_extractor
from splitvae.features.shipped import CELEBA_ATTRIBUTES, CIFAR10_CLASSES, SHIPPED, find_shipped, load_shipped

CPU = torch.device("cpu")


def images(
    shape: tuple[int, int, int], classes: tuple[str, ...] = (), source: str = "a folder", attributes: bool = False
) -> Images:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(256, (60, *shape), dtype=torch.uint8, generator=generator)
    labels = torch.randint(2, (60, len(classes)), generator=generator) if attributes else torch.arange(60) % 10
    return Images(pixels, labels, classes, source, "train", ())


CIFAR10 = images((3, 32, 32), tuple(sorted(CIFAR10_CLASSES)))
MNIST = images((1, 28, 28), tuple("0123456789"), "mnist")
CELEBA = images((3, 64, 64), ("Smiling", "No_Beard"), attributes=True)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_file_is_small_and_says_how_it_was_made(name: str) -> None:
    file = shipped.WEIGHTS / f"{name}.safetensors"
    content = file.read_bytes()
    assert len(content) < 1_000_000 and hashlib.sha256(content).hexdigest() == SHIPPED[name].sha256
    with safe_open(file, framework="pt") as opened:
        metadata = json.loads(opened.metadata()["splitvae"])
    assert metadata["recipe"]["threads"] == 1 and {"seed", "epochs", "lr"} <= metadata["recipe"].keys()
    least = {"mnist": 0.99, "cifar10": 0.8, "celeba": 0.9}[name]
    assert metadata["accuracy"] >= least and metadata["test_images"] > 2000 and len(metadata["training_sha256"]) == 16
    network = load_shipped(name)
    assert tuple(metadata["shape"]) == SHIPPED[name].shape == network.shape and network.dim == 64
    assert f"accuracy {metadata['accuracy']:.1%}" in network.note and metadata["described"] in network.note
    assert not network.training and name in EXTRACTORS


def test_the_files_are_of_these_data_sets_alone() -> None:
    assert {file.stem for file in shipped.WEIGHTS.iterdir()} == set(SHIPPED)


def test_reading_weights_draws_nothing_from_the_global_stream() -> None:
    before = torch.get_rng_state()
    load_shipped("mnist")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", SHIPPED)
def test_features_are_the_same_whenever_it_is_loaded(name: str) -> None:
    x = images(SHIPPED[name].shape).pixels
    first, second = load_shipped(name), load_shipped(name)
    features = extract_features(first, x)
    assert torch.equal(features, extract_features(second, x)) and features.shape == (60, 64)
    assert first.fingerprint == second.fingerprint and first.name == name


def test_the_network_of_mnist_reads_digits_of_another_source() -> None:
    digits = load("digits", "test")
    pixels = resize(resize(digits.pixels, (1, 16, 16)), (1, 28, 28), pad=6)  # larger ones would be blurred
    network = load_shipped("mnist")
    with torch.no_grad():
        guess = network.logits(extract_features(network, pixels).float()).argmax(1)
    assert digits.labels is not None and (guess == digits.labels).double().mean() > 0.5


# ---------------------------------------------------------------- which data sets


def test_data_sets_are_recognised_by_what_makes_them_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (find_shipped(CIFAR10), find_shipped(MNIST), find_shipped(CELEBA)) == ("cifar10", "mnist", "celeba")
    copy = images((1, 28, 28), tuple("0123456789"), "copies/digits")
    assert find_shipped(images((3, 64, 64), tuple(sorted(CELEBA_ATTRIBUTES)), attributes=True)) == "celeba"
    for other in (
        copy,
        images((1, 28, 28), tuple("0123456789"), "fashion-mnist"),
        images((1, 32, 32), tuple("0123456789"), "mnist"),
        images((3, 32, 32), (*sorted(CIFAR10_CLASSES), "house")),
        images((3, 64, 64), tuple(sorted(CIFAR10_CLASSES))),
        images((3, 64, 64), ("Smiling",), attributes=True),
        images((3, 64, 64), ("Smiling", "Old"), attributes=True),
        images((3, 64, 64)),
    ):
        assert find_shipped(other) is None
    monkeypatch.setattr(shipped, "MNIST_PARTS", (copy.sha256,))
    assert find_shipped(copy) == "mnist"


@pytest.mark.parametrize("data", [CIFAR10, MNIST, CELEBA])
@pytest.mark.parametrize("name", ["auto", "classifier"])
def test_a_shipped_one_is_taken_and_nothing_trained(
    data: Images, name: str, quick_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier_training, "_train", lambda *_: pytest.fail("trained"))
    extractor = load_extractor(name, data, device=CPU)
    assert extractor.name == find_shipped(data) and "shipped" in extractor.note


def test_rotations_and_other_data_are_learned(quick_cache: Path) -> None:
    assert load_extractor("rotation", CIFAR10, device=CPU, progress=False).name == "rotation"
    other = images((3, 32, 32), tuple("0123456789"))
    assert load_extractor("auto", other, device=CPU, progress=False).name == "classifier"


def test_one_is_chosen_by_name_for_any_images_of_its_shape(refused: Callable[..., AbstractContextManager[None]]) -> None:
    def read(name: str, shape: tuple[int, int, int]) -> Tensor:
        data = images(shape)
        return extract_features(load_extractor(name, data, device=CPU), data.pixels)

    assert read("cifar10", (3, 32, 32)).isfinite().all()
    assert read("mnist", (1, 32, 32)).shape == (60, 64)  # with two pixels of padding
    with refused("'mnist'", "(1, 28, 28)", "(1, 64, 64)", "features='auto'"):
        read("mnist", (1, 64, 64))
    with refused("'celeba'", "(3, 32, 32)"):
        read("celeba", (3, 32, 32))


def test_a_damaged_installation_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., AbstractContextManager[None]]
) -> None:
    content = bytearray((shipped.WEIGHTS / "mnist.safetensors").read_bytes())
    content[-9] ^= 1
    (tmp_path / "mnist.safetensors").write_bytes(content)
    monkeypatch.setattr(shipped, "WEIGHTS", tmp_path)
    with refused("mnist.safetensors is damaged", "install splitvae again"):
        load_shipped("mnist")
    with refused("cifar10.safetensors cannot be read", "install splitvae again"):
        load_shipped("cifar10")
