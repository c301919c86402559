r"""Sharpness: whether samples have as much power at high frequencies as images have, in float64.

The power P of an image is that of its gray values (the mean of channels) above half the Nyquist frequency: at radial
frequencies above 1/4 cycle a pixel, under a Hann window, as the variance a pixel has from them. With means over images,

    sharpness = | log(P(samples) / P(images)) | .

0 is right; blurred samples have too little power and noisy ones too much, so that noise does not win. White noise of
variance v has P = (1 - pi / 16) v.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .maps import map_energies

__all__ = ["high_frequency_power", "power_ratio", "sharpness"]


MIN_POWER = 1e-12  # variance that is rounding in float32


IMAGES_PER_CHUNK = 500  # images at once


def high_frequency_power(images: Tensor) -> Tensor:
    """P of each image (N, C, H, W), float in [0, 1]: shape (N,), float64, on the CPU."""
    height, width = images.shape[-2:]
    window = torch.outer(*(torch.hann_window(n + 1, False, dtype=torch.float64)[1:] for n in (height, width)))
    gray = (part.mean(1)[:, None, None] for part in images.split(IMAGES_PER_CHUNK))  # (n, 1, 1, H, W), as maps are measured
    high = torch.cat([map_energies(part)[0] for part in gray])
    return high / (height * width * window.square().sum())


def power_ratio(samples: Tensor, images: Tensor) -> Tensor:
    """The ratio of the mean powers of samples and of images, of powers (N,) and (M,): below 1 samples are blurred."""
    return samples.mean().clamp_min(MIN_POWER) / images.mean().clamp_min(MIN_POWER)


def sharpness(samples: Tensor, images: Tensor) -> float:
    """|log(P(samples) / P(images))| of two sets of images (N, C, H, W), float in [0, 1]; powers count as 1e-12 at least."""
    return float(power_ratio(high_frequency_power(samples), high_frequency_power(images)).log().abs())
