"""The images of a run whose labels are predicted from their codes."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import torch
from torch import Tensor

from ..data.images import Images, evenly_spaced
from ..data.labels import get_group_labels
from ..errors import UserError, setting
from ..runs import Run

__all__ = ["LabelledImages", "load_labelled_images"]

MAX_TRAIN_IMAGES, MAX_TEST_IMAGES = 50_000, 10_000


class LabelledImages(NamedTuple):
    """Images of one part of the data with their labels.

    Arguments:
        images: The images.
        labels: The labels 0, 1, ..., (N,).
        names: The name of each label.
    """

    images: Images
    labels: Tensor
    names: tuple[str, ...]


def load_labelled_images(run: Run, group_by: str = "") -> tuple[LabelledImages, LabelledImages]:
    """Returns at most 50,000 training and 10,000 test images of a run, evenly spaced, with the same labels in both parts.

    Arguments:
        run: The run.
        group_by: The attributes that make the labels if images have no classes, separated by commas.

    Raises:
        UserError: If the images have no labels, or not these attributes.
    """
    parts, given = [], []
    for part, limit in (("train", MAX_TRAIN_IMAGES), ("test", MAX_TEST_IMAGES)):
        images = run.images(part)
        if images.labels is None:
            raise UserError(
                f"{images.source} has no labels, and a probe learns to predict labels from codes. Give the run's images "
                f"with labels by {setting('data')}: a folder with one subfolder a class or a metadata.csv, or an .npz "
                "file with `images` and `labels`."
            )
        rows = evenly_spaced(len(images), limit)
        given.append(images.labels[rows])
        parts.append(images[rows])
    train, test = parts
    # Labels made of attributes are numbered within one set of images, so that both parts are numbered together.
    both = torch.cat(given)
    bare = dataclasses.replace(train, pixels=torch.zeros(len(both), 1, 1, 1, dtype=torch.uint8), labels=both, names=())
    labels = get_group_labels(bare, group_by)
    names = _label_names(bare, labels, group_by)
    return LabelledImages(train, labels[: len(train)], names), LabelledImages(test, labels[len(train) :], names)


def _label_names(images: Images, labels: Tensor, group_by: str) -> tuple[str, ...]:
    """Returns the names of the labels 0, 1, ..."""
    numbers = range(int(labels.max()) + 1)
    if images.labels is not None and images.labels.ndim == 2:
        attributes = group_by.split(",")
        bits = [[number >> place & 1 for place in reversed(range(len(attributes)))] for number in numbers]
        named = (zip(attributes, row, strict=True) for row in bits)
        return tuple(", ".join(name if bit else f"not {name}" for name, bit in row) for row in named)
    return (*images.classes, *map(str, numbers[len(images.classes) :]))
