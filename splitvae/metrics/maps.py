r"""Diagnostics of a split, as functions of the maps s_k, (N, K, 1, H, W), of N images. All are in float64, on the CPU.

A *syntactic* map alternates from pixel to pixel, so that its energy lies at high frequencies. A *semantic* map follows
contours, so that its edges are the edges of the image. Both are measured on d_k = s_k - its mean, summed over k. For K =
2 the two maps have the same d up to its sign, as if s alone were measured. An unsplit model (K = 1) has no map: the
measures of a whole batch are None for it.

Reference: Enhancing variational generation through self-decomposition (Asperti, Bugo, Filippini, 2022),
https://doi.org/10.1109/ACCESS.2022.3185654, which calls splits syntactic and semantic.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..models.split import Canvas, ambiguity
from .checks import as_float64

__all__ = [
    "classify_split",
    "edge_correlations",
    "edge_overlap",
    "high_frequency_share",
    "map_contrast",
    "map_energies",
    "mean_ambiguity",
]

MIN_STD = 1e-6  # a smaller standard deviation is rounding in float32 and counts as constant


def map_energies(masks: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the spectral energies of maps (N, K, 1, H, W), summed over K: above half the Nyquist frequency, and in total.

    Each map is multiplied by a Hann window after its mean under the window is subtracted. Frequencies are high if their
    radius is above 0.25 cycles per pixel. Both tensors have the shape (N,) and are 0 where all K maps are constant.
    """
    maps = as_float64(masks).squeeze(2)
    height, width = maps.shape[-2:]
    window = torch.outer(*(torch.hann_window(n + 1, False, dtype=maps.dtype)[1:] + 1e-12 for n in (height, width)))
    means = (maps * window).sum((-2, -1), keepdim=True) / window.sum()
    flat = maps.std((-2, -1), correction=0, keepdim=True) < MIN_STD
    energy = torch.fft.fft2((maps - means) * window * ~flat).abs().square()
    down, across = (torch.fft.fftfreq(n, dtype=maps.dtype) for n in (height, width))
    high = down[:, None].square() + across.square() > 0.25**2
    return (energy * high).sum((1, 2, 3)), energy.sum((1, 2, 3))


def high_frequency_share(masks: Tensor) -> float | None:
    """Returns the share, in [0, 1], of the maps' spectral energy that lies above half the Nyquist frequency.

    Energies are summed over images and maps before the division, so that each map counts as much as it varies. A
    checkerboard gives 1, white noise 1 - pi / 16 = 0.80, a slow ramp nearly 0, and constant maps give 0.
    """
    if masks.shape[1] == 1:
        return None
    high, total = (energy.sum() for energy in map_energies(masks))
    return float(high / total) if total > 0 else 0.0


def map_contrast(masks: Tensor) -> float | None:
    """Returns the standard deviation of a map over its pixels, root mean square over images and maps, in [0, 0.5]."""
    if masks.shape[1] == 1:
        return None
    return float(as_float64(masks).var((-2, -1), correction=0).mean().sqrt())


def _edge_magnitudes(maps: Tensor) -> Tensor:
    """Returns the gradient magnitudes of maps (N, K, H, W), joint over K, shape (N, (H-1)(W-1)).

    They are forward differences: central differences are 0 on a checkerboard.
    """
    down = maps[..., 1:, :-1] - maps[..., :-1, :-1]
    across = maps[..., :-1, 1:] - maps[..., :-1, :-1]
    return (down.square() + across.square()).sum(1).sqrt().flatten(1)


def edge_correlations(masks: Tensor, images: Tensor) -> Tensor:
    """Returns Pearson's correlation of the edges of maps (N, K, 1, H, W) with those of images (N, C, H, W), shape (N,).

    An edge is the magnitude of a gradient; images are converted to gray, the mean over channels. The correlation is 0 where
    the edges of either are the same everywhere, as in a constant map or a checkerboard.
    """
    a = _edge_magnitudes(as_float64(masks).squeeze(2))
    b = _edge_magnitudes(as_float64(images).mean(1, keepdim=True))
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    lengths = a.norm(dim=1) * b.norm(dim=1)
    size = a.shape[1]
    edgeless = (a.norm(dim=1) < MIN_STD * size**0.5) | (b.norm(dim=1) < MIN_STD * size**0.5)
    return torch.where(edgeless, 0.0, (a * b).sum(1) / lengths.clamp_min(1e-300))


def edge_overlap(masks: Tensor, images: Tensor) -> float | None:
    """Returns the mean of `edge_correlations` over images, in [-1, 1]; 1 if the edges of maps are the edges of images."""
    return None if masks.shape[1] == 1 else float(edge_correlations(masks, images).mean())


def mean_ambiguity(canvas: Canvas) -> float | None:
    """Returns A = sum_k s_k (x_k - xhat)^2, mean over images, channels and pixels: by how much blending lowers the MSE."""
    if canvas.masks.shape[1] == 1:
        return None
    exact = Canvas(as_float64(canvas.images), as_float64(canvas.masks))
    return float(ambiguity(exact).mean() / exact.image[0].numel())


def classify_split(share: float, overlap: float) -> str:
    """Returns "syntactic", "semantic" or "mixed", from `high_frequency_share` and `edge_overlap`.

    | split       | condition                                          | why                                               |
    | ----------- | -------------------------------------------------- | ------------------------------------------------- |
    | "syntactic" | share > 0.5, or > 0.75 where also overlap > 0.4    | contours drawn as a map have a share up to 0.70,  |
    |             |                                                    | a checkerboard that fades with the image 0.99     |
    | "semantic"  | overlap > 0.4, and not syntactic                   | another image overlaps up to 0.36, the image with |
    |             |                                                    | a threshold at 1/2 overlaps 0.49 and more         |
    | "mixed"     | neither                                            |                                                   |

    The thresholds come from synthetic maps on digits, MNIST, CIFAR-10 and CelebA; no trained model was used to set them.
    """
    if share > (0.75 if overlap > 0.4 else 0.5):
        return "syntactic"
    return "semantic" if overlap > 0.4 else "mixed"
