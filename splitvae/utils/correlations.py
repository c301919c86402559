r"""Correlations of the pixels of images, in the precision and on the device of the images.

The direction of an image is the vector d of its pixels, without their mean and with length 1; d_i . d_j is the correlation
of the pixels of two images. Over all pairs of N images its mean is

    c = (|sum_i d_i|^2 - N) / (N (N - 1)) .

It is 1 where all images are one picture up to brightness and contrast.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["directions", "mean_pairwise_correlation"]


def directions(images: Tensor) -> Tensor:
    """Returns the directions of images (N, C, H, W), shape (N, P); that of a constant image is rounding errors or 0."""
    pixels = images.flatten(1)
    return torch.nn.functional.normalize(pixels - pixels.mean(1, keepdim=True), dim=1)


def mean_pairwise_correlation(rows: Tensor) -> Tensor:
    """Returns the mean correlation c of two images, a scalar, from directions (N, P)."""
    count = len(rows)
    return (rows.sum(0).square().sum() - rows.square().sum()) / max(1, count * (count - 1))
