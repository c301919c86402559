"""The distances of categories: known orders and identities, which images each set has, and the command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from splitvae.cli.app import main
from splitvae.data.images import Images
from splitvae.errors import UserError
from splitvae.features.base import ModuleFeatures, extract_features
from splitvae.figures.categories import plot_categories
from splitvae.metrics.distances import jackknife_deviation
from splitvae.metrics.fid import frechet_distance
from splitvae.studies.categories import category_table, compare_categories, shorten_source

COUNT = 120


class Halves(nn.Module):
    """Returns the means of the left and of the right half of images, and records the images."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.inputs.append(x)
        return nn.functional.adaptive_avg_pool2d(x[:, :1], (1, 2)).flatten(1)


def pictures(means: Sequence[float], each: int, part: str = "train", seed: int = 0) -> Images:
    """Noise (3, 6, 6) around a level for each class, brighter on the left."""
    random = torch.Generator().manual_seed(seed)
    levels = torch.tensor(means).repeat_interleave(each)
    noise = 20 * torch.randn(len(levels), 3, 6, 6, generator=random) + 10 * torch.randn(
        len(levels), 1, 1, 1, generator=random
    )
    x = levels.view(-1, 1, 1, 1) + noise + torch.tensor([12.0, 0.0]).repeat_interleave(3)
    labels = torch.arange(len(means)).repeat_interleave(each)
    names = tuple(f"class {k}" for k in range(len(means)))
    return Images(x.clamp(0, 255).byte(), labels, names, "levels", part, ())


def extractor() -> ModuleFeatures:
    halves = ModuleFeatures(Halves(), "halves", shape=(3, 6, 6))
    halves.module.inputs.clear()
    return halves


LEVELS = (60.0, 120.0, 180.0)
TRAIN, TEST = pictures(LEVELS, 80), pictures(LEVELS, 50, "test", seed=1)


# ---------------------------------------------------------------- categories


def test_a_class_like_the_test_images_is_nearer_than_a_far_one_and_the_mix_is_nearer_than_any() -> None:
    result = compare_categories(TRAIN, TEST, extractor(), COUNT)
    low, middle, high = (c["value"] for c in result["categories"])
    assert middle < min(low, high)
    assert result["mix"]["value"] < middle / 10
    alike = compare_categories(TRAIN, pictures(LEVELS[:1], 100, "test", seed=2), extractor(), COUNT)
    near, *far = (c["value"] for c in alike["categories"])
    assert near < alike["mix"]["value"] < max(far)
    assert 20 * near < min(far)


def test_each_image_and_each_mirror_image_is_read_once() -> None:
    net = extractor()
    extract_features(net, TEST.pixels)  # measures its memory once
    net.module.inputs.clear()
    compare_categories(TRAIN, TEST, net, COUNT)
    inputs = torch.cat(net.module.inputs)
    assert len(inputs) == len(TEST) + 2 * len(TRAIN)
    assert torch.equal(inputs[-len(TRAIN) :], TRAIN.pixels.flip(-1) / 255)
    net.module.inputs.clear()
    compare_categories(TRAIN, TEST, net, COUNT, mirror=False)
    assert len(torch.cat(net.module.inputs)) == len(TEST) + len(TRAIN)


def test_sets_are_of_the_images_that_they_should_be() -> None:
    result = compare_categories(TRAIN, TEST, extractor(), count=10**6)
    net = extractor()
    real, rows, mirrored = (extract_features(net, x) for x in (TEST.pixels, TRAIN.pixels, TRAIN.pixels.flip(-1)))
    for k, category in enumerate(result["categories"]):
        both = torch.cat((rows[TRAIN.labels == k], mirrored[TRAIN.labels == k]))
        assert category["name"] == f"class {k}"
        assert category["images"] == len(both) == 160
        assert category["value"] == pytest.approx(frechet_distance(real, both), rel=1e-9)
    assert result["mix"]["value"] == pytest.approx(frechet_distance(real, torch.cat((rows, mirrored))), rel=1e-9)
    assert result["floor"]["images"] == len(TRAIN)
    assert result["floor"]["value"] == frechet_distance(real, rows)
    assert result["floor"]["deviation"] == jackknife_deviation(real, rows)


def test_growing_sets_begin_with_the_first_class_and_end_with_the_mix() -> None:
    result = compare_categories(TRAIN, TEST, extractor(), COUNT)
    growing = [{k: v for k, v in g.items() if k != "classes"} for g in result["growing"]]
    assert [g["classes"] for g in result["growing"]] == [1, 2, 3]
    assert [g["images"] for g in growing] == [COUNT] * 3
    assert growing[0] | {"name": "class 0"} == result["categories"][0]
    assert growing[-1] == result["mix"]
    assert growing[0]["value"] > growing[1]["value"] > growing[2]["value"]


def test_the_seed_alone_decides_which_images_a_set_has() -> None:
    first, again, other = (compare_categories(TRAIN, TEST, extractor(), 40, seed) for seed in (3, 3, 4))
    assert first == again
    assert first["mix"]["value"] != other["mix"]["value"]
    assert first["floor"] == other["floor"]


def test_mirror_images_that_equal_their_images_do_not_change_the_deviation() -> None:
    symmetric = torch.cat((TRAIN.pixels[..., :3], TRAIN.pixels[..., :3].flip(-1)), -1)  # each its own mirror image
    train = replace(TRAIN, pixels=symmetric)
    doubled, plain = (compare_categories(train, TEST, extractor(), 10**6, mirror=m)["mix"] for m in (True, False))
    assert doubled["images"] == 2 * plain["images"]
    assert doubled["value"] == pytest.approx(plain["value"], rel=0.02)  # covariances are divided by N - 1
    assert doubled["deviation"] == pytest.approx(
        plain["deviation"], rel=0.02
    )  # about sqrt(2) less, were they left out apart


def test_a_class_of_one_image_is_not_measured() -> None:
    few = replace(TRAIN, pixels=TRAIN.pixels[:161], labels=TRAIN.labels[:161])
    result = compare_categories(few, TEST, extractor(), COUNT, mirror=False)
    assert [c["images"] for c in result["categories"]] == [80, 80, 1]
    assert result["categories"][2]["value"] is None
    assert "not measured" in category_table(result)
    plot_categories(result)


def test_attributes_are_categories_without_growing_sets() -> None:
    labels = torch.stack((TRAIN.labels == 0, TRAIN.labels <= 1, TRAIN.labels >= 0), 1).long()
    train = replace(TRAIN, labels=labels, classes=("dark", "not bright", "any"))
    result = compare_categories(train, TEST, extractor(), COUNT)
    assert result["growing"] == []
    assert result["labels"] == "attributes"
    dark, not_bright, everything = result["categories"]
    assert dark["value"] > not_bright["value"] > everything["value"]
    assert everything["value"] == result["mix"]["value"]
    lines = category_table(result).splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["dark", "not", "any"]
    assert "above" not in "".join(lines)
    plot_categories(result)


@pytest.mark.parametrize(
    ("train", "test", "count", "words"),
    [
        (replace(TRAIN, labels=None, classes=()), TEST, 9, "levels has no labels; categories need"),
        (TRAIN, TEST[:1], 9, "the test part of levels has 1 image"),
        (replace(TRAIN, pixels=TRAIN.pixels[:1], labels=TRAIN.labels[:1]), TEST, 9, "the train part of levels has 1 image"),
        (TRAIN, replace(TEST, pixels=TEST.pixels[..., :5, :5]), 9, r"\(3, 6, 6\) and test images \(3, 5, 5\)"),
        (TRAIN, TEST, 1, "count=1 leaves nothing"),
    ],
)
def test_images_that_cannot_be_compared_are_refused(train: Images, test: Images, count: int, words: str) -> None:
    with pytest.raises(UserError, match=words):
        compare_categories(train, test, extractor(), count)


# ---------------------------------------------------------------- commands


def save_images(path: Path) -> Path:
    """Writes TRAIN and TEST to an .npz file and returns its path."""
    arrays = {"x_train": TRAIN.pixels, "y_train": TRAIN.labels, "x_test": TEST.pixels, "y_test": TEST.labels}
    np.savez(path, **{name: value.numpy() for name, value in arrays.items()})
    return path


def test_the_command_prints_categories_and_writes_their_numbers_and_chart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("splitvae.features.registry.load_extractor", lambda *_, **__: extractor())
    assert main(["categories", str(save_images(tmp_path / "levels.npz")), "--count", "100", "--no-mirror"]) == 0
    out = capsys.readouterr().out
    result = json.loads(Path("categories-levels/categories.json").read_text())
    assert result["mirror"] is False
    assert [c["images"] for c in result["categories"]] == [80, 80, 80]
    assert result["mix"]["images"] == 100
    assert "mix of all" in out
    assert "categories-levels/categories.png" in out
    assert Image.open("categories-levels/categories.png").width == 1440


def test_mistakes_are_answered_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "plain.npy", TRAIN.pixels.numpy())
    mistakes = {
        ("categories", tmp_path / "plain.npy"): "plain.npy has no labels",
        ("categories", "digits", "--count", 1): "--count 1 leaves nothing",
        ("categories", "digits", "--seed", -1): "--seed -1",
    }
    for words, answer in mistakes.items():
        assert main([str(word) for word in words]) == 2
        assert answer in capsys.readouterr().err


def test_sources_have_short_names() -> None:
    assert shorten_source("mnist") == "mnist"
    assert shorten_source("pictures/faces.npz") == "faces"
    assert shorten_source("pictures/faces.v2/") == "faces.v2"
    assert shorten_source("hf://uoft-cs/cifar10") == "cifar10"
    assert shorten_source("hf://uoft-cs/cifar10/plain_text") == "cifar10-plain_text"
    assert shorten_source("hf://uoft-cs/cifar10:test") == "cifar10-test"
