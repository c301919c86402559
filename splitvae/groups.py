"""Groups: which images of a batch share a content, and how an epoch is made of them.

`Groups` is what a model is told. A tensor of any integers (B,) says the same, at the price of a look at its values, for
which a GPU has to wait; batches of a training bring `Groups`, counted before they leave the CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from .errors import UserError, nearest

if TYPE_CHECKING:
    from .data import Images

__all__ = ["Groups", "Order", "group_labels", "grouped", "ordered"]


class Groups(NamedTuple):
    """The group of each image.

    member_of: (B,), integers from 0 to total - 1, each of which occurs. total: the number of groups.
    members: of every group; 0 where they differ.
    """

    member_of: Tensor
    total: int
    members: int = 0

    @property
    def sizes(self) -> Tensor:
        """The number of members of each group, (count,), float32."""
        ones = torch.ones(len(self.member_of), device=self.member_of.device)
        return torch.zeros(self.total, device=ones.device).index_add_(0, self.member_of, ones)

    def to(self, device: torch.device) -> Groups:
        return self._replace(member_of=self.member_of.to(device, non_blocking=True))


def grouped(group: Groups | Tensor | None, batch: int, device: torch.device) -> Groups:
    """Any integers (B,) as `Groups`; None makes every image its own group.

    Raises UserError where there are not as many as images, or where they are no integers.
    """
    if group is None:
        return Groups(torch.arange(batch, device=device), batch, 1)
    given = group.member_of if isinstance(group, Groups) else group
    if given.shape != (batch,):
        raise UserError(f"groups of shape {tuple(given.shape)} were given for {batch} images; give one integer an image.")
    if isinstance(group, Groups):
        return group.to(device)
    if given.is_floating_point() or given.is_complex():
        raise UserError(f"groups are integers, one an image, not {given.dtype}; class labels or identities will do.")
    _, index, sizes = given.unique(return_inverse=True, return_counts=True)
    members = int(sizes[0]) if len(sizes) and bool((sizes == sizes[0]).all()) else 0
    return Groups(index.to(device), len(sizes), members)


def group_labels(images: Images, name: str = "") -> Tensor:
    """The group of each image, (N,) int64: its class, or the value of the attributes `name` ("Male" or "Male,Smiling").

    Raises UserError where images have no labels, or attributes of which none is named.
    """
    labels, source = images.labels, images.source
    if labels is None:
        raise UserError(
            f"{source} has no labels, and a grouped latent must know which images share their content. Give a folder with "
            "one subfolder a group, an .npz file with `images` and `labels`, or splitvae.Images with labels; or train "
            "without groups: --latent gaussian."
        )
    if len(labels) != len(images):
        raise UserError(f"{source} has {len(labels)} labels for {len(images)} images; give one an image.")
    if labels.ndim == 1:
        if name:
            raise UserError(f"{source} has one class an image and no attributes to group by; leave --group-by away.")
        return labels
    if not name:
        shown = ", ".join(images.classes[:6])
        raise UserError(f"{source} has {labels.shape[1]} attributes ({shown} ...); say which make groups: --group-by NAME.")
    columns = []
    for part in name.split(","):
        if part not in images.classes:
            raise UserError(f"{source} has no attribute {part!r}; {nearest(part, images.classes)}")
        columns.append(images.classes.index(part))
    # A binary number whose first digit is the first attribute: the same in every part of the data.
    return (labels[:, columns] != 0).long() @ 2 ** torch.arange(len(columns)).flip(0)


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
