r"""Sharpness: whether samples have as much power at high frequencies as images have, in float64.

The power P of an image is the power of its gray values (the mean over channels) above half the Nyquist frequency: at radial
frequencies above 1/4 cycle per pixel, under a Hann window, in units of a pixel's variance. With means over images,

    sharpness = | log(P(samples) / P(images)) | .

0 is best: blurred samples have too little power and noisy samples have too much. White noise of variance v has
P = (1 - pi / 16) v.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .maps import map_energies

__all__ = ["high_frequency_power", "power_ratio", "sharpness"]

MIN_POWER = 1e-12  # a smaller variance is rounding in float32
IMAGES_PER_CHUNK = 500


def high_frequency_power(images: Tensor) -> Tensor:
    """Returns P of each image, shape (N,), in float64 on the CPU; `images` are (N, C, H, W), float in [0, 1]."""
    height, width = images.shape[-2:]
    window = torch.outer(*(torch.hann_window(n + 1, False, dtype=torch.float64)[1:] for n in (height, width)))
    gray = (part.mean(1)[:, None, None] for part in images.split(IMAGES_PER_CHUNK))  # (n, 1, 1, H, W), the shape of maps
    high = torch.cat([map_energies(part)[0] for part in gray])
    return high / (height * width * window.square().sum())


def power_ratio(sample_power: Tensor, image_power: Tensor) -> Tensor:
    """Returns the ratio of the mean powers of samples (N,) and of images (M,); below 1 the samples are blurred."""
    return sample_power.mean().clamp_min(MIN_POWER) / image_power.mean().clamp_min(MIN_POWER)


def sharpness(samples: Tensor, images: Tensor) -> float:
    """Returns |log(P(samples) / P(images))| of two sets of images (N, C, H, W), float in [0, 1].

    A mean power below 1e-12 counts as 1e-12.
    """
    return float(power_ratio(high_frequency_power(samples), high_frequency_power(images)).log().abs())
