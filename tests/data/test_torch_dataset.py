"""Tests of PyTorch's data sets as sources: items, labels, sizes, and what cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

import splitvae
from splitvae.data.sources import load


class Items(Dataset):
    """A data set of given items, which counts how often each is read."""

    def __init__(self, items: Any, **names: Any) -> None:
        self.items, self.reads = items, [0] * len(items)
        self.__dict__ |= names

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, row: int) -> Any:
        assert not torch.is_grad_enabled()
        self.reads[row] += 1
        item = self.items[row]
        if isinstance(item, Exception):
            raise item
        return item() if callable(item) else item


@pytest.mark.parametrize("kind", ["image", "array", "channels first", "tensor", "floats"])
def test_items_of_every_kind_give_their_pixels(kind: str, noise: Callable[..., np.ndarray]) -> None:
    originals = noise(200, 8, 8, 3)
    convert: dict[str, Callable[[np.ndarray], Any]] = {
        "image": Image.fromarray,
        "array": lambda x: x,
        "channels first": lambda x: x.transpose(2, 0, 1),
        "tensor": lambda x: torch.from_numpy(x.transpose(2, 0, 1).copy()),
        "floats": lambda x: torch.from_numpy(x.transpose(2, 0, 1) / np.float32(255)).requires_grad_(),
    }
    dataset = Items([convert[kind](x) for x in originals])
    images = load(dataset, "all")
    assert torch.equal(images.pixels, torch.from_numpy(originals).permute(0, 3, 1, 2))
    assert images.labels is None and images.notes == () and images.source == "torch data set Items of 200 items"
    assert sorted(dataset.reads) == [1] * 136 + [2] * 64


def test_gray_items_keep_one_channel_unless_one_has_colours(noise: Callable[..., np.ndarray]) -> None:
    gray = [Image.fromarray(x) for x in noise(200, 8, 8)]
    assert load(Items(gray), "all").shape == (1, 8, 8) and load(Items(list(noise(9, 8, 8)))).shape == (1, 8, 8)
    mixed = [*gray[:1], Image.new("RGB", (8, 8), (10, 20, 30)), *gray[2:]]  # item 1 is none of those that are read twice
    images = load(Items(mixed), "all")
    assert images.pixels[1, :, 0, 0].tolist() == [10, 20, 30]
    assert torch.equal(images.pixels[2], torch.from_numpy(np.array(gray[2])).expand(3, 8, 8))
    assert load(Items(mixed), "all", channels=1).shape == (1, 8, 8)
    wide = Image.fromarray(np.full((8, 8), 65535, np.uint16))
    clear = Image.new("RGBA", (8, 8), (1, 2, 3, 0))
    assert load(Items([wide, clear]), "all").pixels.min() == 255


def test_items_of_different_sizes_are_cropped_and_resized(noise: Callable[..., np.ndarray]) -> None:
    dataset = Items([noise(20 + i % 3, 24) for i in range(30)])
    images = load(dataset)
    assert images.shape == (1, 16, 16) and "centre-cropped 27 of 27 images to squares" in images.notes
    assert load(dataset, side=8, crop=12).shape == (1, 8, 8) and load(dataset, crop=12).shape == (1, 12, 12)


def test_labels_and_their_names_are_read(noise: Callable[..., np.ndarray]) -> None:
    pixels = noise(30, 8, 8)

    def labelled(labels: list, **names: Any) -> splitvae.Images:
        return load(Items(list(zip(pixels, labels, strict=True)), **names), "all")

    numbers = [i % 3 for i in range(30)]
    images = labelled(numbers, classes=["cat", "dog", "eel"])
    assert images.labels.tolist() == numbers and images.classes == ("cat", "dog", "eel")
    assert labelled([torch.tensor(i) for i in numbers]).classes == ("0", "1", "2")
    assert labelled(numbers, classes=["cat"]).classes == ("0", "1", "2")
    assert labelled(["b", "a"] * 15).labels.tolist() == [1, 0] * 15
    attributes = labelled([torch.tensor([i % 2, 1]) for i in range(30)], attr_names=["Male", "Young", ""])
    assert attributes.labels[:2].tolist() == [[0, 1], [1, 1]] and attributes.classes == ("Male", "Young")
    for labels in ([{"boxes": []}] * 30, [0.5] * 30, [-1] * 30, [[0]] * 29 + [[0, 1]]):
        images = labelled(labels)
        assert images.labels is None and "labels are left out" in images.notes[-1]


def test_held_out_items_and_those_of_subsets_keep_their_labels() -> None:
    pixels = np.zeros((40, 8, 8), np.uint8) + np.arange(40, dtype=np.uint8)[:, None, None]
    dataset = Items([(x, i % 2) for i, x in enumerate(pixels)], classes=["even", "odd"])
    train, test = load(dataset), load(dataset, "test")
    assert len(train) == 36 and len(test) == 4 and "held out 4 of 40" in test.notes[0]
    for images in (train, test, load(Subset(dataset, range(7, 39)))):
        assert images.classes == ("even", "odd")
        assert (images.pixels[:, 0, 0, 0] % 2 == images.labels).all()
    assert load(TensorDataset(torch.rand(10, 3, 8, 8), torch.arange(10) % 2)).classes == ("0", "1")


def test_random_augmentation_is_noted(noise: Callable[..., np.ndarray]) -> None:
    images = load(Items([lambda: noise(8, 8)] * 20))
    assert "18 of 18 items were another image when they were read again" in images.notes[-1]
    buffer = torch.zeros(1, 8, 8, dtype=torch.uint8)  # a data set that gives the same memory each time
    images = load(Items([lambda i=i: buffer.fill_(9 * i) for i in range(20)]), "all")
    assert images.notes == () and images.pixels[:, 0, 0, 0].tolist() == list(range(0, 180, 9))


def test_items_that_cannot_be_read_are_named_and_skipped(
    noise: Callable[..., np.ndarray], assert_refused: Callable[..., None]
) -> None:
    items: list[Any] = [(x, i) for i, x in enumerate(noise(10, 8, 8))]
    items[3], items[5] = OSError("cut\nfile"), Image.new("F", (8, 8))
    images = load(Items(items), "all")
    assert images.labels.tolist() == [0, 1, 2, 4, 6, 7, 8, 9] and images.pixels.shape == (8, 1, 8, 8)
    assert "skipped 2 items that cannot be read: 3 (OSError: cut file), 5 (ValueError: a floating" in images.notes[-1]
    assert_refused(Items([KeyError("x")] * 10), "None of the items", "0 (KeyError: 'x')")


class Stream(IterableDataset):
    def __iter__(self) -> Iterator[int]:
        return iter(range(3))


class Endless(Dataset):
    def __getitem__(self, row: int) -> np.ndarray:
        return np.zeros((8, 8), np.uint8)


def test_what_is_no_data_set_of_images_is_refused(
    noise: Callable[..., np.ndarray], assert_refused: Callable[..., None]
) -> None:
    assert_refused(Stream(), "IterableDataset", "no numbers", "np.stack")
    assert_refused(Endless(), "__len__")
    assert_refused(DataLoader(Items(noise(4, 8, 8))), "loader.dataset")
    assert_refused(Items([{"img": 1, "label": 2}] * 4), "Item 0", "a dict of img, label", "__getitem__")
    assert_refused(Items([("a.png", 1)] * 4), "a str")
    assert_refused(Items([torch.full((3, 8, 8), -2.0)] * 4), "item 0", "-2", "[0, 1]")
    assert_refused(Items([torch.full((3, 8, 8), torch.nan)] * 4), "item 0", "NaN")
    assert_refused(Items([np.zeros(64, np.uint8)] * 4), "item 0", "shape")
    assert_refused(Items([]), "0 image")
    assert_refused(Items(noise(9, 8, 8)), "no validation part", part="validation")
    for other in ({0: noise(8, 8)}, {1, 2}, range(3), Items):
        assert_refused(other, "is no source of images", "a data set of PyTorch")


def test_any_object_with_items_and_a_length_is_enough(noise: Callable[..., np.ndarray]) -> None:
    class Duck:
        def __len__(self) -> int:
            return 4

        def __getitem__(self, row: int) -> np.ndarray:
            return noise(8, 8)

    assert len(load(Duck(), "all")) == 4


def test_a_data_set_is_trained_on_and_its_crop_is_that_of_the_settings(tmp_path: Path) -> None:
    dataset = Items([torch.rand(1, 24, 24) * (i % 2) for i in range(40)])
    options = {"width": 4, "scales": 2, "embedding": 8, "epochs": 1, "batch_size": 8, "preview_every": 0}
    run = splitvae.train("digits-svae", dataset, out=tmp_path / "run", crop=20, progress=False, **options)
    assert run.config.data.source is None and run.config.data.crop == 20 and len(run.images("test")) == 4
    assert run.images("train").shape == run.images("test").shape == (1, 16, 16)
    with pytest.raises(splitvae.UserError, match="images from memory"):
        splitvae.Run(run.path).images("test")
