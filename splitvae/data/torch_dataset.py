"""Data sets of PyTorch: each item is read once into uint8 pixels, so that training does not wait for them.

An item is an image, or a tuple whose first entry is one; its second entry is the label. Images are those of Pillow, arrays
or tensors, uint8 or floating-point in [0, 1], as in `splitvae.load`.

**Side and channels.** Items of different sizes are cut to their centre squares and resized by the rule of folders, where
the side is chosen from 64 items that are evenly spaced. These are read a second time: where one is another image then, a
note says that what the data set draws at random stays as it was drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from ..errors import UserError
from ..utils.progress import ProgressBar
from ..utils.text import count_noun
from .arrays import labels_from_array
from .decode import image_to_array, shorten_list
from .geometry import ResizeOptions, array_to_pixels, choose_side, crop_and_resize, describe_geometry, resize
from .images import evenly_spaced
from .parts import Labels, LoadedPart, make_class_labels, select_part

__all__ = ["is_torch_dataset", "name_dataset", "read_torch_dataset"]

_SAMPLE = 64  # items that choose the side, and are read twice
_SECONDS_WITHOUT_BAR = 2
_ITEMS = "items are images, or pairs of an image and its label"


def is_torch_dataset(source: object) -> bool:
    """Returns whether an object is a data set of PyTorch, or like one: it has a length, and items by number.

    Raises:
        UserError: For a data set without numbered items, and for a loader of batches.
    """
    if isinstance(source, DataLoader):
        raise UserError(
            "A DataLoader gives batches in an order of its own: give its data set, loader.dataset, or "
            "splitvae.as_images(loader), all of its batches in the order in which they come."
        )
    name = type(source).__name__
    if isinstance(source, IterableDataset):
        raise UserError(
            f"{name} is an IterableDataset, whose items have no numbers, so that no test part can be held out: read it "
            "into an array, np.stack([np.asarray(image) for image in items]), and give that."
        )
    has_length = hasattr(type(source), "__len__")
    if isinstance(source, Dataset):
        if not has_length:
            raise UserError(f"{name} does not say how many items it has: give it a method __len__.")
        return True
    is_container = isinstance(source, Sequence | Mapping | Set)
    return not is_container and has_length and hasattr(type(source), "__getitem__")


def name_dataset(dataset: Any) -> str:
    """Returns what messages call a data set."""
    try:
        count = f" of {len(dataset)} items"
    except TypeError:  # of an IterableDataset, which need not know it
        count = ""
    return f"torch data set {type(dataset).__name__}{count}"


def read_torch_dataset(dataset: Any, part: str, options: ResizeOptions, name: str = "") -> LoadedPart:
    """Reads the items of a part in the order of their numbers.

    Arguments:
        dataset: A data set of PyTorch, or an object with `__len__` and `__getitem__`.
        part: The part; a data set has no parts, so that a tenth of it is held out as test.
        options: The side, crop and channels of the result.
        name: What messages call the data set; by default its class.

    Raises:
        UserError: If no item can be read, or if items are no images or have values out of range.
    """
    reader = _Reader(dataset, name or name_dataset(dataset))
    selection = select_part({"all": len(dataset)}, part, reader.name)
    rows = selection.rows_of(len(dataset)).tolist()
    sample = {}
    for row in [rows[i] for i in evenly_spaced(len(rows), _SAMPLE).tolist()]:
        if (item := reader.read(row)) is not None:
            sample[row] = item.pixels.clone()  # some data sets give the same memory each time
    if not sample:
        raise UserError(
            f"None of the items of {reader.name} can be read ({reader.describe_failures()[0]}): mend the data set."
        )
    checked, differing = len(sample), 0
    side = choose_side(np.array([_size_of(pixels) for pixels in sample.values()]), options)
    channels = options.channels or max(len(pixels) for pixels in sample.values())
    result = torch.empty((len(rows), channels, side, side), dtype=torch.uint8)
    labels: list[Any] = []
    sizes = []
    for row in ProgressBar(f"reading {reader.name}", len(rows), "image", delay=_SECONDS_WITHOUT_BAR).over(rows):
        if (item := reader.read(row)) is None:
            continue
        if row in sample:
            differing += not torch.equal(sample.pop(row), item.pixels)
        sizes.append(_size_of(item.pixels))
        image, _ = crop_and_resize(item.pixels[None], options._replace(side=side))
        if image.shape[1] > result.shape[1] and options.channels is None:  # the first one with colours
            result = result.repeat(1, 3, 1, 1)
        result[len(labels)] = resize(image, (result.shape[1], side, side))[0]
        labels.append(item.label)
    notes = [*selection.notes, *describe_geometry(np.array(sizes).reshape(-1, 2), side, options.crop)]
    if differing:
        notes.append(
            f"{differing} of {checked} items were another image when they were read again: what the data set draws at "
            "random stays as it was drawn; leave random augmentation out of it, and mirror images with mirror=True"
        )
    if reader.failures:
        failures = shorten_list(reader.describe_failures())
        notes.append(f"skipped {count_noun(len(reader.failures), 'item')} that cannot be read: {failures}")
    values, label_notes = _make_labels(labels, dataset)
    return LoadedPart(result[: len(labels)], values, (*notes, *label_notes))


class _Item(NamedTuple):
    """An item: its pixels, uint8 (C, H, W), and its label, None if it has none."""

    pixels: Tensor
    label: Any


class _Reader:
    """Reads items of a data set, and remembers which cannot be read."""

    def __init__(self, dataset: Any, name: str) -> None:
        self.dataset, self.name = dataset, name
        self.failures: dict[int, str] = {}

    def read(self, row: int) -> _Item | None:
        """Returns an item; None if it cannot be read. Raises UserError for an item that is no image."""
        try:
            with torch.no_grad():
                item = self.dataset[row]
            is_pair = isinstance(item, tuple | list) and len(item) > 0
            image, label = (item[0], item[1] if len(item) > 1 else None) if is_pair else (item, None)
            if isinstance(image, Image.Image):
                return _Item(torch.from_numpy(np.array(image_to_array(image))), label)
        except Exception as error:  # a data set can raise anything, and one bad item must not end the rest
            self.failures[row] = f"{type(error).__name__}: {error}".rstrip(": ").replace("\n", " ")
            return None
        if not isinstance(image, np.ndarray | Tensor):
            kind = f"a dict of {', '.join(map(str, item))}" if isinstance(item, dict) else f"a {type(image).__name__}"
            raise UserError(f"Item {row} of {self.name} is {kind}, but {_ITEMS}: change its __getitem__.")
        return _Item(array_to_pixels(image[None], f"item {row} of {self.name}")[0], label)

    def describe_failures(self) -> list[str]:
        """Returns one text for each item that could not be read."""
        return [f"{row} ({reason})" for row, reason in self.failures.items()]


def _size_of(pixels: Tensor) -> tuple[int, int]:
    """Returns the width and the height of an image (C, H, W)."""
    return pixels.shape[2], pixels.shape[1]


def _make_labels(given: list[Any], dataset: Any) -> tuple[Labels | None, tuple[str, ...]]:
    """Returns the labels of items with the names that the data set gives them, and a note if they cannot be used."""
    if all(label is None for label in given):
        return None, ()
    try:
        values = np.array([label.cpu().numpy() if isinstance(label, Tensor) else label for label in given])
        labels = labels_from_array(values, len(given), "the data set")
    except (UserError, ValueError, TypeError):
        return None, (f"the labels are left out: values of type {type(given[0]).__name__} that are no classes",)
    if labels is None:
        return None, ("the labels are left out: not all of them are classes",)
    names = _find_names(dataset)
    if labels.values.ndim == 1 and values.dtype.kind != "U":
        return make_class_labels(labels.values, names), ()
    return labels._replace(classes=names) if len(names) == values.shape[-1] and values.ndim == 2 else labels, ()


def _find_names(dataset: Any) -> tuple[str, ...]:
    """Returns the names of classes or attributes as torchvision's data sets have them, also within subsets; () if none."""
    while not any(hasattr(dataset, name) for name in ("classes", "attr_names")) and hasattr(dataset, "dataset"):
        dataset = dataset.dataset
    names = getattr(dataset, "classes", None) or getattr(dataset, "attr_names", None) or ()
    is_list = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    return tuple(filter(None, names)) if is_list else ()
