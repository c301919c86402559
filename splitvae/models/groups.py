"""Groups: which images of a batch share a content, and how an epoch is made of them.

`Groups` is what a model is told. A tensor of any integers (B,) says the same, at the price of a look at its values, for
which a GPU has to wait; batches of a training bring `Groups`, counted before they leave the CPU.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import UserError

__all__ = ["Groups", "as_groups"]


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


def as_groups(group: Groups | Tensor | None, batch: int, device: torch.device) -> Groups:
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
