"""The parts of a source of images, and which of them serves as a split.

A source has parts, train, test and validation, or is not divided ("all"). Where there is no test part, the validation
part serves as test. A source of a single part is divided: a random tenth, always the same
(`numpy.random.default_rng(0)`), is held out as test. Notes record both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from ..errors import UserError
from ..utils.text import count_noun

__all__ = [
    "MAX_CLASSES",
    "PART_OF_NAME",
    "Labels",
    "LoadedSplit",
    "MissingPartError",
    "SplitSelection",
    "make_class_labels",
    "select_split",
    "undivided_count",
]

PART_OF_NAME = {  # the part that a folder or a split of this name holds
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
}

HELD_OUT_SHARE = 10  # one image of so many is held out
_HELD_OUT = re.compile(r"held out [\d,]+ of (?P<count>[\d,]+) images as test: ")
MAX_CLASSES = 1 << 16  # larger integers are not taken for classes


class MissingPartError(UserError):
    """A source has parts, but not the one that should be read."""


class Labels(NamedTuple):
    """The labels of images, and what they mean.

    Arguments:
        values: Integers: classes with shape (N,), or binary attributes with shape (N, A).
        classes: The names of the classes or of the attributes.
    """

    values: np.ndarray
    classes: tuple[str, ...]


class LoadedSplit(NamedTuple):
    """What a reader of a source returns: the pixels of a split, uint8 (N, C, H, W), their labels, notes, and file names."""

    pixels: Tensor
    labels: Labels | None
    notes: tuple[str, ...]
    names: Sequence[str] = ()


class SplitSelection(NamedTuple):
    """Which rows of which part of a source make a split.

    Arguments:
        part: The part.
        rows: The row numbers in this part; None for all rows.
        notes: One line if the split is not the part of its name.
    """

    part: str
    rows: np.ndarray | None
    notes: tuple[str, ...] = ()

    def rows_of(self, count: int) -> np.ndarray:
        """Returns the row numbers, given that the part has `count` rows."""
        return np.arange(count) if self.rows is None else self.rows


def select_split(sizes: Mapping[str, int], split: str, source_name: str) -> SplitSelection:
    """Returns the part that serves as a split, and the rows of this part that belong to the split.

    Arguments:
        sizes: The number of images in each part of the source.
        split: "train", "test", "validation" or "all".
        source_name: What messages call the source.

    Raises:
        MissingPartError: If the source has several parts, but not this one.
        UserError: If the source has too few images.
    """
    if len(sizes) > 1:
        part = "validation" if split == "test" and "test" not in sizes else split
        if part not in sizes:
            raise MissingPartError(f"{source_name} has no {split} part, only {' and '.join(sizes)}: ask for one of these.")
        if sizes[part] < 2:
            held = count_noun(sizes[part], "image")
            raise UserError(f"{source_name} has {held} in its {part} part: at least 2 are needed.")
        note = f"{source_name} has no test part: its validation part stands in for it"
        return SplitSelection(part, None, (note,) if part != split else ())
    ((part, count),) = sizes.items()
    if split == "validation":
        raise UserError(f"{source_name} has no validation part: ask for 'train', or for 'test', a tenth that is held out.")
    if split == "all" and count:
        return SplitSelection(part, None)
    if count < 2:
        held = count_noun(count, "image")
        raise UserError(f"{source_name} has {held}: at least 2 are needed, one to train and one to test.")
    tenth = max(1, count // HELD_OUT_SHARE)
    order = np.random.default_rng(0).permutation(count)
    rows = np.sort(order[:tenth] if split == "test" else order[tenth:])
    return SplitSelection(part, rows, (f"held out {tenth:,} of {count:,} images as test: {source_name} has no test part",))


def undivided_count(notes: Sequence[str]) -> int | None:
    """Returns the number of images of a source of a single part, by the note on its division; None for other sources.

    The division depends on this number: another one holds out other images.
    """
    found = next((match for note in notes if (match := _HELD_OUT.match(note))), None)
    return int(found["count"].replace(",", "")) if found else None


def make_class_labels(values: np.ndarray, names: Sequence[str] = ()) -> Labels | None:
    """Returns integers (N,) as class labels, named by their numbers where there are too few names.

    Returns None where some integers cannot be classes: data sets of the hub mark unlabelled images by -1.
    """
    if len(values) == 0 or values.min() < 0 or values.max() >= MAX_CLASSES:
        return None
    return Labels(values, tuple(names) if len(names) > values.max() else tuple(map(str, range(int(values.max()) + 1))))
