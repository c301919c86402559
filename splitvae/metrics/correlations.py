"""Variety: whether two samples are more alike than two images are, in float64.

Of samples and of images the mean correlation c of two is measured (utils/correlations.py). A generator whose samples have a
larger c than images repeats itself; one with a smaller c draws pictures that have less in common than images have, such as
noise.
"""

from __future__ import annotations

from torch import Tensor

from ..utils import correlations
from ..utils.correlations import mean_pairwise_correlation

__all__ = ["directions", "excess_correlation", "mean_pairwise_correlation"]


def directions(images: Tensor) -> Tensor:
    """Returns the directions of images (N, C, H, W), shape (N, P), in float64 on the CPU."""
    return correlations.directions(images.detach().cpu().double())


def excess_correlation(samples: Tensor, images: Tensor) -> Tensor:
    """Returns c of samples minus c of images, a scalar, from the directions (N, P) of both."""
    return mean_pairwise_correlation(samples) - mean_pairwise_correlation(images)
