r"""Diagnostics of latents and of splits, and distances of features, as functions of matrices, all in float64.

**Latents.** From posterior means mu and log-variances log sigma^2, (N, D), of N images x: a latent the encoder ignores
has mu ~ 0 and sigma^2 ~ 1 for every image. Where the decoder can rescale z freely, stationarity of the KL asks of every
latent, whatever the weight of the KL,

    var_x(mu_j) + mean_x(sigma_j^2) = 1     (the variance law).

**Splits.** From maps s_k, (N, K, 1, H, W). A *syntactic* map alternates from pixel to pixel, so that its energy lies at
high frequencies; a *semantic* one follows contours, so that its edges are the image's. Both are measured on
d_k = s_k - its mean, summed over k: for K = 2 the two maps have the same d up to its sign, and it is as if s alone were
measured. An unsplit model (K = 1) has no map, and every measure of it is None. Latents and splits are measured on the CPU.

**Features.** From what a network says of real images and of generated ones, (N, d), on the device where they are: the
Fréchet distance and its limit of many images (frechet.py), the kernel distance (kernel.py), precision, recall, density
and coverage (neighbours.py).

References: Enhancing variational generation through self-decomposition (Asperti, Bugo, Filippini, 2022), with the two
counts of inactive variables of its code; About generative aspects of variational autoencoders (Asperti, 2019), the
variance law; Importance weighted autoencoders (Burda, Grosse, Salakhutdinov, 2016), active units.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..models.split import Canvas, ambiguity
from .latents import MIN_DEVIATION, as_float64

__all__ = [
    "classify_split",
    "edge_correlations",
    "edge_overlap",
    "high_frequency_share",
    "map_contrast",
    "map_energies",
    "mean_ambiguity",
]


# ---------------------------------------------------------------- splits


def map_energies(masks: Tensor) -> tuple[Tensor, Tensor]:
    """Spectral energies of maps (N, K, 1, H, W), summed over K: those above half the Nyquist frequency, and all.

    A map is windowed (Hann) and its mean under the window removed; high is a radial frequency above 0.25 cycles a
    pixel. Two tensors of shape (N,); both are 0 where all K maps are constant.
    """
    maps = as_float64(masks).squeeze(2)
    height, width = maps.shape[-2:]
    window = torch.outer(*(torch.hann_window(n + 1, False, dtype=maps.dtype)[1:] + 1e-12 for n in (height, width)))
    means = (maps * window).sum((-2, -1), keepdim=True) / window.sum()
    flat = maps.std((-2, -1), correction=0, keepdim=True) < MIN_DEVIATION
    energy = torch.fft.fft2((maps - means) * window * ~flat).abs().square()
    down, across = (torch.fft.fftfreq(n, dtype=maps.dtype) for n in (height, width))
    high = down[:, None].square() + across.square() > 0.25**2
    return (energy * high).sum((1, 2, 3)), energy.sum((1, 2, 3))


def high_frequency_share(masks: Tensor) -> float | None:
    """The share in [0, 1] of the maps' spectral energy above half the Nyquist frequency.

    Energies are summed over images and maps before they are divided: each map counts as much as it varies. A
    checkerboard gives 1, white noise 1 - pi / 16 = .80, a slow ramp nearly 0; maps that are all constant give 0.
    """
    if masks.shape[1] == 1:
        return None
    high, total = (energy.sum() for energy in map_energies(masks))
    return float(high / total) if total > 0 else 0.0


def map_contrast(masks: Tensor) -> float | None:
    """A map's deviation over its pixels, root mean square over images and maps, in [0, .5]; 0 if maps are constant."""
    if masks.shape[1] == 1:
        return None
    return float(as_float64(masks).var((-2, -1), correction=0).mean().sqrt())


def _edge_magnitudes(maps: Tensor) -> Tensor:
    """Gradient magnitudes of maps (N, K, H, W), joint over K, from forward differences, shape (N, (H-1)(W-1)).

    Central differences would be blind to a checkerboard.
    """
    down = maps[..., 1:, :-1] - maps[..., :-1, :-1]
    across = maps[..., :-1, 1:] - maps[..., :-1, :-1]
    return (down.square() + across.square()).sum(1).sqrt().flatten(1)


def edge_correlations(masks: Tensor, images: Tensor) -> Tensor:
    """Pearson's correlation of the edges of maps (N, K, 1, H, W) with those of images (N, C, H, W), shape (N,).

    An edge is a gradient's magnitude; images are made gray (the mean of channels). 0 where the edges of either are the
    same everywhere, as in a constant map or a checkerboard.
    """
    a = _edge_magnitudes(as_float64(masks).squeeze(2))
    b = _edge_magnitudes(as_float64(images).mean(1, keepdim=True))
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    lengths = a.norm(dim=1) * b.norm(dim=1)
    size = a.shape[1]
    edgeless = (a.norm(dim=1) < MIN_DEVIATION * size**0.5) | (b.norm(dim=1) < MIN_DEVIATION * size**0.5)
    return torch.where(edgeless, 0.0, (a * b).sum(1) / lengths.clamp_min(1e-300))


def edge_overlap(masks: Tensor, images: Tensor) -> float | None:
    """The mean over images of `edge_correlations`, in [-1, 1]; 1 where the maps' edges are the images' edges."""
    return None if masks.shape[1] == 1 else float(edge_correlations(masks, images).mean())


def mean_ambiguity(canvas: Canvas) -> float | None:
    """A = sum_k s_k (x_k - xhat)^2, mean over images, channels and pixels: by how much blending lowers the MSE."""
    if canvas.masks.shape[1] == 1:
        return None
    exact = Canvas(as_float64(canvas.images), as_float64(canvas.masks))
    return float(ambiguity(exact).mean() / exact.image[0].numel())


def classify_split(share: float, overlap: float) -> str:
    """ "syntactic", "semantic" or "mixed", from `high_frequency_share` and `edge_overlap`.

    Semantic: overlap > .4 (another image of a set of centred objects overlaps up to .36, the image cut at 1/2 .49 and
    more). Syntactic: share > .5 without that overlap, or share > .75 with it, since contours drawn as a map (the image
    less its blur) have a share of up to .70 themselves, a checkerboard that fades with the image one of .99. Mixed:
    neither. These are figures of made-up maps on digits, MNIST, CIFAR-10 and CelebA; no model was asked when the
    thresholds were set.
    """
    if share > (0.75 if overlap > 0.4 else 0.5):
        return "syntactic"
    return "semantic" if overlap > 0.4 else "mixed"
