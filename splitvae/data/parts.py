"""The parts of a source of images, and what serves as one that the source lacks.

A source has parts, train, test and validation, or is not divided ("all"). Where there is no test part, the validation
part serves as test. A source of a single part is divided: a random tenth, always the same
(`numpy.random.default_rng(0)`), is held out as test. Notes record both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from ..errors import UserError
from ..utils.text import count_noun

__all__ = [
    "MAX_CLASSES",
    "PART_OF_NAME",
    "DivisionNote",
    "Labels",
    "LoadedPart",
    "MissingPartError",
    "PartSelection",
    "make_class_labels",
    "select_part",
]

PART_OF_NAME = {  # the part that a folder, or a split of a hub's data set, of this name holds
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
}

HELD_OUT_SHARE = 10  # one image of so many is held out
MAX_CLASSES = 1 << 16  # larger integers are not taken for classes


class MissingPartError(UserError):
    """A source has parts, but not the one that should be read."""


class DivisionNote(str):
    """The note that a source of a single part was divided.

    Attributes:
        images: The number of images of the source. Another number holds out other images.
    """

    images: int


class Labels(NamedTuple):
    """The labels of images, and what they mean.

    Arguments:
        values: Integers: classes with shape (N,), or binary attributes with shape (N, A).
        classes: The names of the classes or of the attributes.
    """

    values: np.ndarray
    classes: tuple[str, ...]


class LoadedPart(NamedTuple):
    """What a reader of a source returns.

    Arguments:
        pixels: The images of a part, uint8 (N, C, H, W).
        labels: Their labels.
        notes: One line for each thing that was done to them.
        names: The names of their files; () where they have none.
    """

    pixels: Tensor
    labels: Labels | None
    notes: tuple[str, ...]
    names: Sequence[str] = ()


class PartSelection(NamedTuple):
    """Which rows of a source serve as a part.

    Arguments:
        part: The source's own part that they are of.
        rows: The row numbers in it; None for all rows.
        notes: One line if it is not the part that was asked for, or if the source was divided.
    """

    part: str
    rows: np.ndarray | None
    notes: tuple[str, ...] = ()

    def rows_of(self, count: int) -> np.ndarray:
        """Returns the row numbers, given that the source's own part has `count` rows."""
        return np.arange(count) if self.rows is None else self.rows


def select_part(sizes: Mapping[str, int], part: str, source_name: str) -> PartSelection:
    """Returns which of a source's own parts, and which of its rows, serve as the part that is asked for.

    Arguments:
        sizes: The number of images in each part of the source.
        part: The part that is asked for: "train", "test", "validation" or "all".
        source_name: What messages call the source.

    Raises:
        MissingPartError: If the source has several parts, but not this one.
        UserError: If the source has too few images.
    """
    if len(sizes) > 1:
        own = "validation" if part == "test" and "test" not in sizes else part
        if own not in sizes:
            raise MissingPartError(f"{source_name} has no {part} part, only {' and '.join(sizes)}: ask for one of these.")
        if sizes[own] < 2:
            held = count_noun(sizes[own], "image")
            raise UserError(f"{source_name} has {held} in its {own} part: at least 2 are needed.")
        stand_in = f"{source_name} has no test part: its validation part stands in for it"
        return PartSelection(own, None, (stand_in,) if own != part else ())
    ((own, count),) = sizes.items()
    if part == "validation":
        raise UserError(f"{source_name} has no validation part: ask for 'train', or for 'test', a tenth that is held out.")
    if part == "all" and count:
        return PartSelection(own, None)
    if count < 2:
        held = count_noun(count, "image")
        raise UserError(f"{source_name} has {held}: at least 2 are needed, one to train and one to test.")
    tenth = max(1, count // HELD_OUT_SHARE)
    order = np.random.default_rng(0).permutation(count)
    rows = np.sort(order[:tenth] if part == "test" else order[tenth:])
    note = DivisionNote(f"held out {tenth:,} of {count:,} images as test: {source_name} has no test part")
    note.images = count
    return PartSelection(own, rows, (note,))


def make_class_labels(values: np.ndarray, names: Sequence[str] = ()) -> Labels | None:
    """Returns integers (N,) as class labels, named by their numbers where there are too few names.

    Returns None where some integers cannot be classes: data sets of the hub mark unlabelled images by -1.
    """
    if len(values) == 0 or values.min() < 0 or values.max() >= MAX_CLASSES:
        return None
    return Labels(values, tuple(names) if len(names) > values.max() else tuple(map(str, range(int(values.max()) + 1))))
