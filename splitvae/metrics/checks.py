"""Feature matrices as the distances between two sets of images take them: (N, d), one row an image."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import UserError

__all__ = ["check_matrices"]


def check_matrices(least: int = 2, **matrices: Tensor) -> tuple[Tensor, ...]:
    """Matrices (N, d) in float64 on the device they are on, without gradients; a keyword is a matrix's name in messages.

    Raises UserError for what is no matrix, has fewer than `least` rows, or holds numbers that are not finite, and for
    matrices whose columns or devices differ.
    """
    for name, matrix in matrices.items():
        shape = tuple(matrix.shape)
        if matrix.ndim != 2 or not shape[1]:
            raise UserError(f"{name} has the shape {shape}; features are a matrix (N, d) with one row an image.")
        if shape[0] < least:
            raise UserError(f"{name} has {_plural(shape[0], 'row')} where {least} are the least; give more images.")
        if wrong := int((~torch.isfinite(matrix)).sum()):
            rows = int((~torch.isfinite(matrix)).any(1).sum())
            raise UserError(
                f"{name} holds {_plural(wrong, 'value')} that are NaN or infinite, in {_plural(rows, 'row')} of "
                f"{shape[0]}; look for images or a network that are not finite."
            )
    (first, one), *others = matrices.items()
    for name, matrix in others:
        if matrix.shape[1] != one.shape[1]:
            raise UserError(
                f"{first} has {_plural(one.shape[1], 'column')} and {name} has {matrix.shape[1]}; "
                "take the features of both from the same network."
            )
        if matrix.device != one.device:
            raise UserError(f"{first} is on {one.device} and {name} on {matrix.device}; type {name}.to({first}.device).")
    return tuple(matrix.detach().double() for matrix in matrices.values())


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + "s" * (count != 1)
