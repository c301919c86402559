"""What the processes of a training exchange: sums and means of tensors, and a barrier.

Unlike Fabric's, an all-reduce has no barrier before it, which would make each step wait for the device.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ..errors import UserError
from .text import shorten_text

__all__ = ["ProcessLost", "all_gather", "all_reduce", "barrier", "count_processes"]


class ProcessLost(UserError):
    """Is raised when another process of the training has ended, so that this one cannot go on."""

    status = 1
    raised_by_all = True


def count_processes() -> int:
    """Returns the number of processes of this training."""
    return torch.distributed.get_world_size() if _has_group() else 1


def all_reduce(value: Tensor, reduce: str) -> Tensor:
    """Returns the mean, the minimum or the maximum of a tensor over processes, in its own storage; all must call this.

    Arguments:
        value: The tensor, on the device of the training.
        reduce: "mean", "min" or "max".

    Raises:
        ProcessLost: If another process has ended.
    """
    if not _has_group():
        return value
    operation = {
        "mean": torch.distributed.ReduceOp.SUM,
        "min": torch.distributed.ReduceOp.MIN,
        "max": torch.distributed.ReduceOp.MAX,
    }[reduce]
    with _noticing_loss():
        torch.distributed.all_reduce(value, operation)
    return value.div_(torch.distributed.get_world_size()) if reduce == "mean" else value


def all_gather(value: Tensor) -> Tensor:
    """Returns the tensors of all processes in a new first dimension, one's own if alone; all must call this.

    Raises:
        ProcessLost: If another process has ended.
    """
    if not _has_group():
        return value
    parts = [torch.empty_like(value) for _ in range(torch.distributed.get_world_size())]
    with _noticing_loss():
        torch.distributed.all_gather(parts, value.contiguous())
    return torch.stack(parts)


def barrier(device: torch.device) -> None:
    """Waits until all processes call this.

    Arguments:
        device: The device of the training.

    Raises:
        ProcessLost: If another process has ended.
    """
    if _has_group():
        all_reduce(torch.zeros((), device=device), "max").item()


def _has_group() -> bool:
    """Returns whether this process is one of several."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


@contextmanager
def _noticing_loss() -> Iterator[None]:
    """Raises ProcessLost for an error in the block, where processes only exchange tensors."""
    try:
        yield
    except RuntimeError as error:
        reason = re.sub(r"^\[[^]]*\] ", "", str(error).splitlines()[0]).split(". ")[0]  # without a place in gloo's source
        raise ProcessLost(f"another process of this training has ended ({shorten_text(reason, 100)})") from None
