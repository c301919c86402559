"""TODO docstring of training.sample_order."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..models.groups import Groups, grouped

__all__ = ["Order", "ordered"]


class Order(NamedTuple):
    """An order of images, rows (M,), and the group of each place, (M,) on the CPU; None where nothing is shared."""

    rows: Tensor
    groups: Tensor | None = None

    def part(self, start: int, size: int) -> tuple[Tensor, Groups | None]:
        """The rows of one batch and their `Groups`; a group that the batch's end cuts is smaller."""
        rows, groups = self.rows[start : start + size], self.groups
        return rows, None if groups is None else grouped(groups[start : start + size], len(rows), groups.device)

    def to(self, device: torch.device) -> Order:
        """The same with rows on a device, where they pick images."""
        return self._replace(rows=self.rows.to(device))


def ordered(labels: Tensor, members: int, generator: torch.Generator, pairs: bool = False) -> Order:
    """A fresh order of images with labels (N,), in groups of one label, on the CPU.

    Arguments:
        members: of a group; the images of a label fall into groups of that size at random, what is left over makes a
            smaller one, and groups follow one another at random. 0: images follow one another at random, and all of a label
            that meet in a batch are one group.
        pairs: leave out what is left over, so that every group is whole.
    """
    rows = torch.randperm(len(labels), generator=generator)
    if members == 0:
        return Order(rows, labels[rows])
    rows = rows[labels[rows].sort(stable=True).indices]  # by label, shuffled within each
    _, label, sizes = labels[rows].unique(return_inverse=True, return_counts=True)
    place = torch.arange(len(rows)) - (sizes.cumsum(0) - sizes)[label]
    if pairs:
        whole = place < (sizes // members * members)[label]
        rows, label, place = rows[whole], label[whole], place[whole]
    number = (label * len(labels) + place // members).unique(return_inverse=True)[1]
    shuffled = torch.randperm(int(number.max()) + 1, generator=generator)[number]
    groups, places = shuffled.sort(stable=True)
    return Order(rows[places], groups)
