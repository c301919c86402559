"""Groups: which images of a batch share a content.

`Groups` holds a number for each image and the number of groups. Models also take a tensor of any integers (B,), such as
labels, and convert it; but then the CPU waits for a GPU, since it has to read the values. Training counts the groups of a
batch on the CPU beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError

__all__ = ["Groups", "as_groups"]


class Groups(NamedTuple):
    """The groups of the images of a batch.

    Arguments:
        member_of: The number of each image's group, shape (B,); all integers from 0 to total - 1 occur.
        total: The number of groups.
        members: The number of images in each group; 0 if groups differ in size.
    """

    member_of: Tensor
    total: int
    members: int = 0

    @property
    def sizes(self) -> Tensor:
        """The number of images in each group, shape (total,), float32."""
        ones = torch.ones(len(self.member_of), device=self.member_of.device)
        return torch.zeros(self.total, device=ones.device).index_add_(0, self.member_of, ones)

    def to(self, device: torch.device) -> Groups:
        """Returns the same groups with `member_of` on a device."""
        return self._replace(member_of=self.member_of.to(device, non_blocking=True))


def as_groups(group: Groups | Tensor | Sequence[int] | None, batch: int, device: torch.device) -> Groups:
    """Converts a description of groups to `Groups` on a device.

    Arguments:
        group: The groups; or any integers, shape (B,), as a tensor, an array or a list, equal for images of one group; or
            None, which makes each image a group of its own.
        batch: The number B of images.
        device: The device of `member_of`.

    Raises:
        UserError: For a number of integers that is not the number of images, and for values that are not integers.
    """
    if group is None:
        return Groups(torch.arange(batch, device=device), batch, 1)
    if not isinstance(group, Groups | Tensor):
        group = _to_tensor(group)
    values = group.member_of if isinstance(group, Groups) else group
    if values.shape != (batch,):
        raise UserError(
            f"groups of shape {tuple(values.shape)} do not match {batch} images; give one integer for each image."
        )
    if isinstance(group, Groups):
        return group.to(device)
    if values.is_floating_point() or values.is_complex():
        raise UserError(f"groups must be integers, one for each image, such as class labels, not {values.dtype}.")
    _, index, sizes = values.unique(return_inverse=True, return_counts=True)
    members = int(sizes[0]) if len(sizes) and bool((sizes == sizes[0]).all()) else 0
    return Groups(index.to(device), len(sizes), members)


def _to_tensor(group: Any) -> Tensor:
    """Returns an array or a list of numbers as a tensor; raises UserError for other values."""
    try:
        return torch.as_tensor(np.asarray(group))
    except (TypeError, ValueError, RuntimeError):
        raise UserError(
            "groups must be integers, one for each image, such as class labels; np.unique(names, return_inverse=True)[1] "
            "numbers names."
        ) from None
