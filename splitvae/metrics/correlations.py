r"""Variety: whether two samples are more alike than two images are, in float64.

The direction of an image is the vector d of its pixels, without their mean and with length 1; d_i . d_j is the correlation
of the pixels of two images. Over all pairs of N images its mean is

    c = (|sum_i d_i|^2 - N) / (N (N - 1)) .

It is 1 where all images are one picture up to brightness and contrast. A generator whose samples have a larger c than
images repeats itself; one with a smaller c draws pictures that have less in common than images have, such as noise.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["directions", "excess_correlation", "mean_pairwise_correlation"]


def directions(images: Tensor) -> Tensor:
    """Returns the directions of images (N, C, H, W), shape (N, P), in float64 on the CPU; that of a constant image is 0."""
    pixels = images.detach().cpu().double().flatten(1)
    return torch.nn.functional.normalize(pixels - pixels.mean(1, keepdim=True), dim=1)


def mean_pairwise_correlation(rows: Tensor) -> Tensor:
    """Returns the mean correlation c of two images, a scalar, from directions (N, P)."""
    count = len(rows)
    return (rows.sum(0).square().sum() - rows.square().sum()) / max(1, count * (count - 1))


def excess_correlation(samples: Tensor, images: Tensor) -> Tensor:
    """Returns c of samples minus c of images, a scalar, from the directions (N, P) of both."""
    return mean_pairwise_correlation(samples) - mean_pairwise_correlation(images)
