"""The parts of a source of images: which of them serves as a split, and what is read of it.

A source has parts, train, test and validation, or is one whole ("all"). Where there is no test part the validation part
stands in for it; a source of a single part is divided: a random tenth, always the same
(`numpy.random.default_rng(0)`), is held out as test. Notes say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from ..errors import UserError

__all__ = ["PART_OF_NAME", "Labels", "LoadedSplit", "SplitSelection", "make_class_labels", "select_split"]


PART_OF_NAME = {"train": "train", "training": "train", "test": "test", "testing": "test"}


PART_OF_NAME |= {"val": "validation", "valid": "validation", "validation": "validation"}


_MAX_CLASSES = 1 << 16  # integers beyond are no class labels


class Labels(NamedTuple):
    """Integers, and the names of the classes or of the attributes that they stand for."""

    values: np.ndarray  # (N,) or (N, A)
    classes: tuple[str, ...]


class LoadedSplit(NamedTuple):
    """What was read of a part."""

    pixels: Tensor  # uint8 (N, C, H, W)
    labels: Labels | None
    notes: tuple[str, ...]


class SplitSelection(NamedTuple):
    """Which part of a source is read, and which of its rows."""

    part: str
    rows: np.ndarray | None  # None: all
    notes: tuple[str, ...] = ()

    def among(self, count: int) -> np.ndarray:
        return np.arange(count) if self.rows is None else self.rows


def select_split(sizes: Mapping[str, int], split: str, source: str) -> SplitSelection:
    """The part that serves as `split`, and its rows; `sizes` counts the images of the parts there are."""
    if len(sizes) > 1:
        part = "validation" if split == "test" and "test" not in sizes else split
        if part not in sizes:
            raise UserError(f"{source} has no {split} part, only {' and '.join(sizes)}: ask for one of these.")
        if sizes[part] < 2:
            raise UserError(f"{source} has {sizes[part]} image(s) in its {part} part: at least 2 are needed.")
        stands_in = f"{source} has no test part: its validation part stands in for it"
        return SplitSelection(part, None, (stands_in,) if part != split else ())
    ((part, count),) = sizes.items()
    if split == "validation":
        raise UserError(f"{source} has no validation part: ask for 'train', or for 'test', a tenth that is held out.")
    if count < 2:
        raise UserError(f"{source} has {count} image(s): at least 2 are needed, one to train and one to test.")
    if split == "all":
        return SplitSelection(part, None)
    tenth = max(1, count // 10)
    order = np.random.default_rng(0).permutation(count)
    rows = np.sort(order[:tenth] if split == "test" else order[tenth:])
    return SplitSelection(part, rows, (f"held out {tenth} of {count} images as test: {source} has no test part",))


def make_class_labels(values: np.ndarray, names: Sequence[str] = ()) -> Labels | None:
    """Classes (N,) as labels; None where the integers are no classes: hub data sets mark unlabelled images by -1."""
    if len(values) == 0 or values.min() < 0 or values.max() >= _MAX_CLASSES:
        return None
    return Labels(values, tuple(names) if len(names) > values.max() else tuple(map(str, range(int(values.max()) + 1))))
