r"""Likelihood: the log-probability that a VAE gives to held-out images, in nats and bits.

An image is D bytes x in 0 ... 255. Noise that is drawn once per image makes them real numbers (uniform dequantisation). The
density is that of the decoder in the units of bytes, where the bin of a byte has the volume one and its centre at x + 1/2:

    t = x + u,  u ~ U[0, 1)^D,        p(t|z) = N(t; 255 xhat(z) + 1/2, 255^2 v),        p(z) = N(0, I) .

With P(x) the integral of p(t) over the bin of x, E_u log p(t) <= log P(x) by Jensen's inequality: in expectation over u
and z, every number below is a lower bound on the log-probability of the bytes, or a part of one. v is one number, for a
run the last one in its history. The weight beta of the KL does not enter; but if it was above 1 in training, then q is
wider than p(z|t) and the bounds rise slowly with k. From draws z_i ~ q(z|x):

    rate       = KL(q(z|x) || p(z))
    distortion = E_q[-log p(t|z)] = E_q[SSE] / (2 v) + D/2 log(2 pi 255^2 v),   SSE of xhat and (t - 1/2) / 255
    L_k        = log 1/k sum_{i<=k} w_i,   w_i = p(t|z_i) p(z_i) / q(z_i|x)
    bits per dimension = nats / (D log 2) .

E L_1 = -(rate + distortion), the ELBO, and E L_k rises with k to E_u log p(t). The bounds of several k use the first k of
the same draws. Everything but the networks is in float64. D counts every pixel and channel that the network decodes,
including the padding of an image.

References:
    Importance weighted autoencoders (Burda, Grosse, Salakhutdinov, 2016), https://arxiv.org/abs/1509.00519: L_k.
    A note on the evaluation of generative models (Theis, van den Oord, Bethge, 2016), https://arxiv.org/abs/1511.01844:
    dequantisation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from ..data.images import batches, evenly_spaced
from ..errors import UserError, setting
from ..models.inference import inference_batch_size
from ..models.posteriors import GaussianPosterior
from .outputs import Autoencoder

__all__ = [
    "LIKELIHOOD_DEFINITION",
    "bits_per_dimension",
    "dequantise",
    "estimate_likelihood",
    "importance_weighted_bound",
    "log_weights",
]

LIKELIHOOD_DEFINITION = (
    "density of x + u, x in 0 ... 255, u ~ U[0, 1)^D, under N(255 xhat(z) + 1/2, 255^2 v), z ~ N(0, I); nats an image"
)

Nats = TypeVar("Nats", float, Tensor)


class _DrawTerms(NamedTuple):
    """The terms of the log-weights of N images, in nats, in float64 on the CPU."""

    kl: Tensor  # (N,), KL(q(z|x) || p(z))
    log_likelihood: Tensor  # (N, draws), log p(t|z_i)
    log_ratio: Tensor  # (N, draws), log p(z_i) - log q(z_i|x)


def dequantise(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Returns t = x + u with u ~ U[0, 1) for bytes x of any shape, in float64 on the CPU."""
    noise = torch.rand(pixels.shape, dtype=torch.float64, generator=generator)
    return pixels.cpu().double() + noise


def log_weights(model: Autoencoder, pixels: Tensor, v: float, draws: int, seed: int = 0, size: int = 0) -> Tensor:
    """Returns log w_i = log p(t|z_i) + log p(z_i) - log q(z_i|x) of z_i ~ q(z|x), in nats, (N, draws), float64 on the CPU.

    Arguments:
        model: The model; it is set to evaluation mode.
        pixels: The images in the shape of the model, uint8, (N, C, H, W).
        v: The variance of the likelihood, of images in [0, 1].
        draws: The number of draws from the posterior of each image.
        seed: The seed of u and z. The noise is the same on every device, and the global generators are not changed.
        size: The number of images that are encoded, or of latents that are decoded, at a time; 0 is as many as memory
            allows, at most 500.

    Raises:
        UserError: If the code has no noise, if there are no pixels or they are not uint8, if v is not positive, or if
            draws < 1.
    """
    terms = _draw_terms(model, pixels, v, draws, seed, size)
    if terms is None:
        raise UserError(
            f"this model's code has no noise, and so no likelihood; train one with {setting('latent', 'gaussian')}."
        )
    return terms.log_likelihood + terms.log_ratio


def importance_weighted_bound(log_weights: Tensor) -> Tensor:
    """Returns L_k = log 1/k sum_i w_i (Burda et al., eq. 8) of log-weights (N, k), in nats, (N,), in float64."""
    return log_weights.double().logsumexp(1) - math.log(log_weights.shape[1])


def bits_per_dimension(nats: Nats, size: int) -> Nats:
    """Returns nats / (size log 2): a negative log-likelihood of an image in bits per value, of which it has `size`."""
    return nats / (size * math.log(2))


def estimate_likelihood(
    model: Autoencoder, pixels: Tensor, v: float, draws: Sequence[int] = (1, 64), images: int = 100, seed: int = 0
) -> dict[str, Any] | None:
    """Estimates rate, distortion and importance-weighted bounds, means over at most `images` images, evenly spaced.

    Arguments:
        model: The model; it is set to evaluation mode.
        pixels: The images in the shape of the model, uint8, (N, C, H, W).
        v: The variance of the likelihood, of images in [0, 1].
        draws: The numbers k of draws of the bounds L_k.
        images: The largest number of images to use.
        seed: The seed of u and z.

    Returns:
        None if the code has no noise, since it has no density. Otherwise a dict of `rate`, `distortion` and
        `draws[str(k)]`, the bounds L_k <= log P(x), in nats per image; `bits_per_dimension` of rate + distortion; `v`,
        `images` and `definition`. Each number is {"value", "deviation"} with the standard error over images as its
        deviation (None for one image). The distortion is a mean over max(draws) draws; the rate is exact.

    Raises:
        UserError: If there are no pixels or they are not uint8, if v is not positive, or if `draws` or `images` < 1.
    """
    if images < 1:
        raise UserError(f"images={images} leaves no image to measure; give a number such as 100.")
    if not draws or min(draws) < 1:
        raise UserError(f"draws={tuple(draws)} must be numbers of at least 1, such as (1, 64).")
    pixels = pixels[evenly_spaced(len(pixels), images)]
    terms = _draw_terms(model, pixels, v, max(draws), seed)
    if terms is None:
        return None
    distortion, weights = -terms.log_likelihood.mean(1), terms.log_likelihood + terms.log_ratio
    return {
        "rate": _mean_over_images(terms.kl),
        "distortion": _mean_over_images(distortion),
        "bits_per_dimension": _mean_over_images(bits_per_dimension(terms.kl + distortion, pixels[0].numel())),
        "draws": {str(k): _mean_over_images(importance_weighted_bound(weights[:, :k])) for k in draws},
        "v": v,
        "images": len(pixels),
        "definition": LIKELIHOOD_DEFINITION,
    }


def _mean_over_images(values: Tensor) -> dict[str, float | None]:
    """Returns the mean over images and its standard error."""
    deviation = float(values.std() / len(values) ** 0.5) if len(values) > 1 else None
    return {"value": float(values.mean()), "deviation": deviation}


def _draw_noise(images: int, shape: tuple[int, int], generator: torch.Generator, size: int) -> Iterator[Tensor]:
    """Yields the noise of all images, (draws, D) for each, in blocks of `size` rows, float64.

    It is drawn image by image: the numbers that a call of `randn` returns depend on how many it draws, so that noise drawn
    in blocks would depend on their size, which depends on free memory.
    """
    waiting: list[Tensor] = []
    for i in range(images):
        waiting.append(torch.randn(shape, dtype=torch.float64, generator=generator))
        if len(waiting) * shape[0] >= size or i == images - 1:
            *blocks, last = torch.cat(waiting).split(size)
            yield from blocks
            waiting = [last]
    yield from waiting


@torch.no_grad()
def _draw_terms(model: Autoencoder, pixels: Tensor, v: float, draws: int, seed: int, size: int = 0) -> _DrawTerms | None:
    """Draws z and returns the terms of the weights; None for codes without noise. Arguments are those of `log_weights`."""
    if pixels.dtype != torch.uint8 or not len(pixels):
        raise UserError(f"{len(pixels)} images of {pixels.dtype} have no likelihood; give at least one, of torch.uint8.")
    if not (v > 0 and math.isfinite(v)):
        raise UserError(f"the variance v must be a positive number, not {v}; a run's is the last v in its history.")
    if draws < 1:
        raise UserError(f"draws={draws} must be at least 1, such as 64.")
    model.eval()
    size = size or inference_batch_size(model)
    posteriors = [model.encode(x) for x in batches(pixels, model.device, size)]
    logvars = [p.logvar for p in posteriors if p.logvar is not None]
    if not logvars:
        return None
    q = GaussianPosterior(torch.cat([p.mean for p in posteriors]).cpu().double(), torch.cat(logvars).cpu().double())
    generator, sigma = torch.Generator().manual_seed(seed), (q.logvar / 2).exp()
    float64_device = torch.device("cpu") if model.device.type == "mps" else model.device  # Metal has no float64
    target = ((dequantise(pixels, generator) - 0.5) / 255).to(float64_device)
    errors, ratios = [], []
    first_row = 0
    for noise in _draw_noise(len(pixels), (draws, q.mean.shape[1]), generator, size):
        image = torch.arange(first_row, first_row + len(noise)) // draws
        first_row += len(noise)
        z = q.mean[image] + sigma[image] * noise
        xhat = model.decode(z.to(posteriors[0].mean.dtype)).image.to(float64_device).double()
        errors.append((xhat - target[image.to(float64_device)]).square().flatten(1).sum(1).cpu())
        ratios.append(0.5 * (noise.square() + q.logvar[image] - z.square()).sum(1))  # the terms with 2 pi cancel
    sse, log_ratio = torch.cat(errors).view(-1, draws), torch.cat(ratios).view(-1, draws)
    log_likelihood = -sse / (2 * v) - 0.5 * pixels[0].numel() * math.log(2 * math.pi * 255**2 * v)
    return _DrawTerms(q.kl(), log_likelihood, log_ratio)
