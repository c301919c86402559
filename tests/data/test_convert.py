"""Tests of `as_images`, and of `Images` as an array."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from splitvae import Images, UserError, as_images, load

PIXELS = torch.randint(256, (6, 3, 16, 16), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
LABELS = torch.tensor([0, 2, 1, 0, 1, 2])
FLOATS = PIXELS / 255
PILLOW = [Image.fromarray(x.permute(1, 2, 0).numpy()) for x in PIXELS]
PAIRS = list(zip(PIXELS, LABELS.tolist(), strict=True))


@pytest.mark.parametrize(
    "given",
    [
        PIXELS,
        FLOATS,
        FLOATS.double().numpy(),
        PIXELS.permute(0, 2, 3, 1).numpy(),
        PILLOW,
        iter(PILLOW),
        tuple(FLOATS.numpy()),
        TensorDataset(PIXELS),
        DataLoader(TensorDataset(FLOATS), batch_size=4),
        list(PIXELS.split(4)),
        Images(PIXELS, None, (), "array", "all", ()),
    ],
    ids=["bytes", "floats", "numpy", "channels-last", "pillow", "iterator", "arrays", "set", "loader", "batches", "images"],
)
def test_the_same_images_in_any_form_are_the_same_pixels(given: Any) -> None:
    images = as_images(given)
    assert torch.equal(images.pixels, PIXELS) and images.labels is None


@pytest.mark.parametrize(
    "given",
    [
        (FLOATS, LABELS),
        [PIXELS.numpy(), LABELS.tolist()],
        PAIRS,
        list(zip(PILLOW, LABELS, strict=True)),
        TensorDataset(PIXELS, LABELS),
        DataLoader(TensorDataset(PIXELS, LABELS), batch_size=4),
        [(PIXELS[:4], LABELS[:4]), (PIXELS[4:], LABELS[4:])],
    ],
    ids=["batch", "lists", "pairs", "pillow", "set", "loader", "batches"],
)
def test_labels_come_along(given: Any) -> None:
    images = as_images(given)
    assert torch.equal(images.pixels, PIXELS)
    assert images.labels is not None and torch.equal(images.labels, LABELS)
    assert images.classes == ("0", "1", "2")


def test_labels_that_are_no_classes_are_left_out_with_a_note() -> None:
    images = as_images((FLOATS, torch.rand(6)))
    assert images.labels is None and images.notes == ("the labels are left out: they are no classes",)


def test_batches_that_name_their_classes_agree_on_the_numbers() -> None:
    names = ["dog", "cat", "dog", "ape", "ape", "cat"]
    images = as_images(DataLoader(list(zip(PIXELS, names, strict=True)), batch_size=2))
    assert images.labels is not None
    assert [images.classes[number] for number in images.labels] == names


@pytest.mark.parametrize("given", [PIXELS[0], PILLOW[0], PIXELS[0].permute(1, 2, 0).numpy(), PAIRS[0], [PILLOW[0]]])
def test_a_single_image_is_a_set_of_one(given: Any) -> None:
    assert torch.equal(as_images(given).pixels, PIXELS[:1])
    assert as_images(np.zeros((16, 16))).shape == (1, 16, 16)


def test_images_are_brought_to_the_shape_of_a_model() -> None:
    images = as_images(Image.new("RGB", (50, 30), "white"), (1, 32, 32), pad=2)
    assert images.shape == (1, 32, 32)
    assert images.pixels[0, 0, 2:-2, 2:-2].min() == 255 and images.pixels[0, 0, :2].max() == 0
    assert "centre-cropped 1 of 1 image to squares" in images.notes
    several = as_images([PILLOW[0], Image.new("L", (40, 60))], (3, 16, 16))
    assert torch.equal(several.pixels[0], PIXELS[0]) and len(several) == 2


@pytest.mark.parametrize(
    "image", [PIXELS[0], PIXELS[0, 0], FLOATS[0].numpy(), PILLOW[0]], ids=["3", "2", "numpy", "pillow"]
)
def test_a_list_of_images_of_one_size_keeps_it(image: Any) -> None:
    oblong = image.crop((0, 0, 12, 9)) if isinstance(image, Image.Image) else image[..., :9, :12]
    images = as_images([oblong] * 3)
    assert images.shape[1:] == (9, 12) and len(images) == 3 and not images.notes
    assert torch.equal(images.pixels[2], as_images(oblong).pixels[0])


def test_batches_of_an_iterable_set_and_with_more_than_labels_are_images() -> None:
    class Stream(IterableDataset[Any]):
        def __iter__(self) -> Iterator[Any]:
            return iter(zip(PIXELS, LABELS, range(6), strict=True))

    images = as_images(DataLoader(Stream(), batch_size=2))
    assert torch.equal(images.pixels, PIXELS) and images.labels is not None and torch.equal(images.labels, LABELS)
    assert images.source == "loader of torch data set Stream"


def test_masks_of_two_values_are_black_and_white() -> None:
    assert as_images(np.eye(8, dtype=bool)).pixels.unique().tolist() == [0, 255]


def test_two_images_of_a_type_that_numpy_lacks_are_images() -> None:
    pair = [FLOATS[0].bfloat16(), FLOATS[1].bfloat16()]
    assert torch.equal(as_images(pair).pixels, as_images(torch.stack(pair)).pixels)


def test_an_image_of_a_list_that_cannot_be_read_is_left_out_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    PILLOW[0].save(path)
    path.write_bytes(path.read_bytes()[:-40])
    images = as_images([PILLOW[1], Image.open(path)])
    assert len(images) == 1 and "skipped 1 item that cannot be read" in images.notes[-1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("photo.png", r"PIL.Image.open\(path\)"),
        (None, "None holds no images"),
        ([], "an empty list"),
        ([1.0, 2.0], "item 0 of this list is a value of type float"),
        ({"image": PIXELS}, "a dict of image"),
        (PIXELS.long(), "integer values"),
        (FLOATS * 2 - 1, "rescale them"),
        (np.zeros((2, 5, 16, 16), np.uint8), "neither the last axis nor the second"),
        (DataLoader(TensorDataset(PIXELS[:0])), "gives no batches"),
    ],
)
def test_what_holds_no_images_is_answered_in_a_sentence(given: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        as_images(given)


def test_a_list_of_images_is_a_source_like_an_array(tmp_path: Path) -> None:
    train, test = load(PAIRS * 5), load(PAIRS * 5, "test")
    assert (len(train), len(test)) == (27, 3) and train.classes == ("0", "1", "2")
    assert len(load(as_images(PILLOW), "all")) == 6


def test_images_are_indexed_as_an_array_is() -> None:
    images = as_images((PIXELS, LABELS))
    assert torch.equal(images[2], PIXELS[2]) and torch.equal(images[-1], PIXELS[-1])
    assert torch.equal(images[1, 0, 3:5], PIXELS[1, 0, 3:5])
    for index, rows in (
        (slice(1, 4), [1, 2, 3]),
        (LABELS == 2, [1, 5]),
        (LABELS.numpy() == 2, [1, 5]),
        ([4, 0], [4, 0]),
        (torch.tensor([3]), [3]),
    ):
        part = images[index]
        assert isinstance(part, Images)
        assert torch.equal(part.pixels, PIXELS[rows]) and torch.equal(part.labels, LABELS[rows])
    with pytest.raises(UserError, match=r"chosen by numbers, such as images\[0\] or images\[:64\], not by 'a'"):
        images["a"]
        assert part.sha256 == as_images(PIXELS[rows]).sha256
    assert np.array_equal(np.asarray(images), PIXELS.numpy())
    assert [tuple(image.shape) for image in images] == [(3, 16, 16)] * 6
    assert repr(images) == "Images(6 of shape (3, 16, 16), 3 classes, source='batch of 6 images', part='all')"
    with pytest.raises(IndexError):
        images[6]
