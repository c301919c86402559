"""Checks and conversions of the tensors that metrics are computed from."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import UserError
from ..utils.text import count_noun

__all__ = ["as_float64", "check_matrices"]


def as_float64(values: Tensor) -> Tensor:
    """Returns values in float64 on the CPU, without gradients."""
    return values.detach().cpu().double()


def check_matrices(min_rows: int = 2, **matrices: Tensor) -> tuple[Tensor, ...]:
    """Checks feature matrices (N, d), one row per image; returns them in float64 on their devices, without gradients.

    Arguments:
        min_rows: The smallest number of rows that a matrix may have.
        matrices: The matrices; error messages call each by its keyword.

    Raises:
        UserError: If an argument is not a matrix, has fewer than `min_rows` rows, or holds a value that is not finite; or
            if the matrices differ in their number of columns or in their device.
    """
    for name, matrix in matrices.items():
        shape = tuple(matrix.shape)
        if matrix.ndim != 2 or not shape[1]:
            raise UserError(f"{name} has the shape {shape}; features are a matrix (N, d) with one row per image.")
        if shape[0] < min_rows:
            raise UserError(f"{name} has {count_noun(shape[0], 'row')} where {min_rows} are needed; give more images.")
        if not_finite := int((~torch.isfinite(matrix)).sum()):
            rows = int((~torch.isfinite(matrix)).any(1).sum())
            raise UserError(
                f"{name} holds {count_noun(not_finite, 'value')} that are NaN or infinite, in {count_noun(rows, 'row')} of "
                f"{shape[0]}; look for images or a network that are not finite."
            )
    (first_name, first), *others = matrices.items()
    for name, matrix in others:
        if matrix.shape[1] != first.shape[1]:
            raise UserError(
                f"{first_name} has {count_noun(first.shape[1], 'column')} and {name} has {matrix.shape[1]}; "
                "take the features of both from the same network."
            )
        if matrix.device != first.device:
            raise UserError(
                f"{first_name} is on {first.device} and {name} on {matrix.device}; type {name}.to({first_name}.device)."
            )
    return tuple(matrix.detach().double() for matrix in matrices.values())
