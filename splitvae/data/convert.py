"""`as_images`: whatever holds images in memory becomes one `Images`, which trains and which `VAE.encode` takes.

| what is given                                              | what it becomes                                     |
| ---------------------------------------------------------- | --------------------------------------------------- |
| an image of Pillow                                         | one image                                           |
| an array or tensor (H, W), (C, H, W), (H, W, C)            | one image; C is 1 or 3                              |
| an array or tensor (N, H, W), (N, C, H, W), (N, H, W, C)   | N images                                            |
| a batch of a DataLoader: images, or (images, labels)       | these images, with their labels                     |
| a list of images, or of pairs (image, label)               | these images, with their labels                     |
| a data set of PyTorch                                      | its items in the order of their numbers             |
| a DataLoader                                               | its batches, in the order in which they come        |
| `Images`                                                   | themselves                                          |

Arrays are uint8, or floating-point in [0, 1], which are rounded to bytes. Images of several sizes are brought to one by the
rule of `splitvae.load`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from ..errors import UserError, setting
from .arrays import labels_from_array
from .decode import image_to_array
from .geometry import ResizeOptions, array_to_pixels, crop_and_resize, resize
from .images import Images
from .torch_dataset import is_torch_dataset, name_dataset, read_torch_dataset

__all__ = ["as_images", "is_collection"]

_KINDS = "give an image of Pillow, an array, a list of these, a batch of a DataLoader, or a data set of PyTorch"


def as_images(images: Any, shape: tuple[int, int, int] | None = None, pad: int = 0) -> Images:
    """Returns images of any kind in memory as `Images`, which `splitvae.train` and `VAE.encode` take.

    Arguments:
        images: The images; the head of this file lists the kinds.
        shape: The shape (C, H, W) of the result, such as `vae.shape`: the centre squares are resized, and gray and RGB
            converted. By default images of one size keep it.
        pad: The number of black pixels that are added on each side within that shape, as the presets of MNIST do (2).

    Raises:
        UserError: For what holds no images, and for values out of range.
    """
    result = images if isinstance(images, Images) else _convert(images, shape[1] - 2 * pad if shape else None)
    if shape is None or (result.shape == shape and not pad):
        return result
    channels, side, _ = shape
    if not 0 <= 2 * pad < side:
        raise UserError(f"{setting('pad', pad)} leaves nothing of {side} pixels; type a smaller number, at least 0.")
    pixels, notes = crop_and_resize(result.pixels, ResizeOptions(side - 2 * pad, None, channels))
    return replace(result, pixels=resize(pixels, shape, pad), notes=(*result.notes, *notes))


def is_collection(source: object) -> bool:
    """Returns whether an object holds images in memory, but is neither an array nor a data set of PyTorch."""
    return isinstance(source, Images | Image.Image | list | tuple)


class _Items(Sequence[Any]):
    """A list of images, or of pairs of an image and its label, in the form of a data set."""

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, row: Any) -> Any:
        return self.items[row]


def _convert(images: Any, side: int | None) -> Images:
    """Returns images of any kind as `Images`; those of several sizes, and pairs, are brought to the given side."""
    if isinstance(images, Image.Image):
        return _from_array(image_to_array(images), "image in memory")
    if isinstance(images, np.ndarray | Tensor):
        return _from_array(images, f"array of shape {tuple(images.shape)}")
    if isinstance(images, DataLoader):
        return _join([_convert(batch, side) for batch in images], f"loader of {name_dataset(images.dataset)}")
    if isinstance(images, Iterator):
        images = list(images)
    if isinstance(images, list | tuple):
        return _from_list(images, side)
    is_text = isinstance(images, str | os.PathLike)
    if is_text or not is_torch_dataset(images):
        hint = "; PIL.Image.open(path) opens a file, and splitvae.load(source) reads a set" if is_text else ""
        raise UserError(f"{_name_value(images)} holds no images: {_KINDS}{hint}.")
    return _from_dataset(images, name_dataset(images), side)


def _from_array(array: np.ndarray | Tensor, source: str, labels: np.ndarray | None = None) -> Images:
    """Returns an array of one image or of several, with their labels."""
    if array.ndim == 2 or (array.ndim == 3 and (array.shape[0] in (1, 3) or array.shape[2] in (1, 3))):
        array = array[None]  # one image
    pixels = array_to_pixels(array, source)
    values, classes = (None, ()) if labels is None else _read_labels(labels, len(pixels), source)
    notes = () if labels is None or values is not None else ("the labels are left out: they are no classes",)
    return Images(pixels, values, classes, source, "all", notes)


def _read_labels(labels: np.ndarray, count: int, source: str) -> tuple[Tensor | None, tuple[str, ...]]:
    """Returns labels as integers, and the names of the classes; (None, ()) where they are no classes."""
    try:
        found = labels_from_array(labels, count, source)
    except UserError:  # such as the floats of a regression
        found = None
    return (None, ()) if found is None else (torch.from_numpy(found.values.astype(np.int64)), found.classes)


def _from_dataset(dataset: Any, name: str, side: int | None) -> Images:
    """Returns the items of a data set, in the order of their numbers."""
    pixels, labels, notes, _ = read_torch_dataset(dataset, "all", ResizeOptions(side), name)
    values = torch.from_numpy(labels.values.astype(np.int64)) if labels else None
    return Images(pixels, values, labels.classes if labels else (), name, "all", notes)


def _from_list(items: Sequence[Any], side: int | None) -> Images:
    """Returns a batch (images, labels) of a DataLoader, a pair (image, label), or a list of images or of such pairs."""
    if not items:
        raise UserError(f"an empty {type(items).__name__} holds no images: {_KINDS}.")
    first, *rest = items
    if isinstance(first, np.ndarray | Tensor) and (first.ndim == 4 or (first.ndim == 3 and len(rest) == 1)) and rest:
        labels = _as_labels(rest[0], len(first), most_axes=first.ndim - 2)
        if labels is not None:
            return _from_array(first if first.ndim == 4 else first[:, None], f"batch of {len(first)} images", labels)
    if all(_is_batch(item) for item in items):
        return _join([_convert(item, side) for item in items], f"list of {len(items)} batches")
    if len(rest) == 1 and isinstance(first, np.ndarray | Tensor | Image.Image) and _is_label(rest[0]):
        items = [items]  # an item of a data set
    for number, item in enumerate(items):
        image = item[0] if isinstance(item, list | tuple) and item else item
        if not isinstance(image, np.ndarray | Tensor | Image.Image):
            raise UserError(f"item {number} of this {type(items).__name__} is {_name_value(image)}: {_KINDS}.")
    name = f"list of {len(items)} images"
    arrays = _stack(items)
    return _from_dataset(_Items(items), name, side) if arrays is None else _from_array(arrays, name)


def _stack(items: Sequence[Any]) -> np.ndarray | Tensor | None:
    """Returns images of one size and type as one array; None for others, and for pairs of an image and its label."""
    if all(isinstance(item, Image.Image) for item in items):
        try:
            items = [image_to_array(item) for item in items]
        except Exception:  # one that cannot be read, of which Pillow raises anything: it is left out with a note
            return None
    kinds = {(type(item), item.dtype, item.shape) for item in items if isinstance(item, np.ndarray | Tensor)}
    if len(kinds) != 1 or not all(isinstance(item, np.ndarray | Tensor) for item in items) or items[0].ndim not in (2, 3):
        return None
    stacked = torch.stack(list(items)) if isinstance(items[0], Tensor) else np.stack(items)
    return stacked if stacked.ndim == 4 else stacked[:, None]  # gray images without a channel


def _is_batch(value: Any) -> bool:
    """Returns whether a value is an array (N, C, H, W), or a list that begins with one."""
    if isinstance(value, list | tuple) and value:
        value = value[0]
    return isinstance(value, np.ndarray | Tensor) and value.ndim == 4


def _as_labels(value: Any, count: int, most_axes: int) -> np.ndarray | None:
    """Returns the labels of a batch of images, shape (N,) or (N, A); None if these are none."""
    is_list = isinstance(value, list | tuple) and all(_is_label(each) for each in value)
    if not is_list and (not isinstance(value, np.ndarray | Tensor) or value.ndim > most_axes):
        return None
    labels = np.asarray(value.cpu() if isinstance(value, Tensor) else value)
    return labels if 1 <= labels.ndim <= most_axes and len(labels) == count else None


def _is_label(value: Any) -> bool:
    """Returns whether a value is the label of one image."""
    return isinstance(value, int | str | np.integer) or (isinstance(value, np.ndarray | Tensor) and value.ndim == 0)


def _join(parts: Sequence[Images], source: str) -> Images:
    """Returns several `Images` of one shape as one."""
    if not parts:
        raise UserError(f"{source} gives no batches: {_KINDS}.")
    shapes = {part.shape for part in parts}
    if len(shapes) > 1:
        raise UserError(f"{source} gives batches of images of {len(shapes)} shapes: resize them, or give its data set.")
    found = [part.labels for part in parts if part.labels is not None]
    labels, classes = None, max((part.classes for part in parts), key=len)
    if len(found) < len(parts):
        classes = ()
    elif all(name.isdecimal() for name in classes):
        labels = torch.cat(found)
    else:  # names, which each batch numbered anew
        words = [part.classes[number] for part, numbers in zip(parts, found, strict=True) for number in numbers.tolist()]
        labels, classes = _read_labels(np.array(words), len(words), source)
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    return Images(torch.cat([part.pixels for part in parts]), labels, classes, source, "all", notes)


def _name_value(value: Any) -> str:
    """Returns what messages call a value that holds no images."""
    if isinstance(value, dict):
        return f"a dict of {', '.join(map(str, value))}"
    return repr(value) if isinstance(value, str) or value is None else f"a value of type {type(value).__name__}"
