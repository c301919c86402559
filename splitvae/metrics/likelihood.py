r"""Likelihood: what a VAE says of held-out images, in nats and bits.

An image is D bytes x in 0 ... 255. Noise drawn once an image makes them real (uniform dequantisation), and the decoder
paints their density in the units of bytes, a byte's bin having volume one and its centre at x + 1/2:

    t = x + u,  u ~ U[0, 1)^D,        p(t|z) = N(t; 255 xhat(z) + 1/2, 255^2 v),        p(z) = N(0, I) .

With P(x) the integral of p(t) over the bin of x, E_u log p(t) <= log P(x) by Jensen: every number below is, in expectation
over u and z, a lower bound on the log-probability of the bytes, or a part of one. v is one number, a run's being the last
in its history; the weight beta of the KL does not enter, but where it was above 1 in training, q is wider than p(z|t) and
the bounds rise slowly with k. From draws z_i ~ q(z|x):

    rate       = KL(q(z|x) || p(z))
    distortion = E_q[-log p(t|z)] = E_q[SSE] / (2 v) + D/2 log(2 pi 255^2 v),   SSE of xhat and (t - 1/2) / 255
    L_k        = log 1/k sum_{i<=k} w_i,   w_i = p(t|z_i) p(z_i) / q(z_i|x)
    bits per dimension = nats / (D log 2) .

E L_1 = -(rate + distortion), the ELBO, and E L_k rises with k to E_u log p(t). The bounds of several k are made of the
first k of the same draws. All is in float64 but the networks. D counts every pixel and channel the network paints, also
those that pad an image.

References: Importance weighted autoencoders (Burda, Grosse, Salakhutdinov, 2016), L_k; A note on the evaluation of
generative models (Theis, van den Oord, Bethge, 2016), dequantisation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from ..data.images import batches, spaced
from ..errors import UserError
from ..models.posteriors import Gaussian
from ..models.vae import VAE

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
    """What draws of the posteriors of N images give, in nats: float64 on the CPU."""

    kl: Tensor  # (N,), KL(q(z|x) || p(z))
    fit: Tensor  # (N, draws), log p(t|z_i)
    ratio: Tensor  # (N, draws), log p(z_i) - log q(z_i|x)


def dequantise(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """t = x + u with u ~ U[0, 1), of the shape of bytes x, float64 on the CPU."""
    noise = torch.rand(pixels.shape, dtype=torch.float64, generator=generator)
    return pixels.cpu().double() + noise


def log_weights(vae: VAE, pixels: Tensor, v: float, draws: int, seed: int = 0, size: int = 500) -> Tensor:
    """log w_i = log p(t|z_i) + log p(z_i) - log q(z_i|x), z_i ~ q(z|x), in nats, shape (N, draws), float64 on the CPU.

    Arguments:
        pixels: uint8 (N, C, H, W), in the network's shape.
        v: the likelihood's variance, of images in [0, 1].
        draws: of the posterior of each image.
        seed: of u and z; the same noise on every device, and the global generators are left as they were.
        size: how many images are encoded, or latents decoded, at a time.

    The model is set to evaluation mode.
    Raises UserError for a code without noise, pixels that are not uint8 or none, v that is not positive, draws < 1.
    """
    drawn = _draw_terms(vae, pixels, v, draws, seed, size)
    if drawn is None:
        raise UserError("this model's code has no noise, and so no likelihood; train one with --latent gaussian.")
    return drawn.fit + drawn.ratio


def importance_weighted_bound(log_weights: Tensor) -> Tensor:
    """L_k = log 1/k sum_i w_i of each image (Burda et al., eq. 8), in nats, (N,), float64, from log-weights (N, k)."""
    return log_weights.double().logsumexp(1) - math.log(log_weights.shape[1])


def bits_per_dimension(nats: Nats, size: int) -> Nats:
    """nats / (size log 2): of a negative log-likelihood, the bits in which one of an image's `size` values is coded."""
    return nats / (size * math.log(2))


def estimate_likelihood(
    vae: VAE, pixels: Tensor, v: float, draws: Sequence[int] = (1, 64), images: int = 100, seed: int = 0
) -> dict[str, Any] | None:
    """Rate, distortion and importance-weighted bounds, means over at most `images` images, evenly spaced.

    Arguments: as of `log_weights`; `draws` are the k of the bounds L_k.

    Returns `rate`, `distortion` and `draws[str(k)]`, the bounds L_k <= log P(x), in nats an image; `bits_per_dimension` of
    rate + distortion; `v`, `images` and `definition`. A number is {"value", "deviation"}, the deviation being the standard
    error over images (None for one image). The distortion is a mean over max(draws) draws, the rate is exact. None where
    the code has no noise: it has no density to be measured.
    Raises UserError for pixels that are not uint8 or none, v that is not positive, draws or images < 1.
    """
    if images < 1:
        raise UserError(f"images={images} leaves no image to measure; give a number such as 100.")
    if not draws or min(draws) < 1:
        raise UserError(f"draws={tuple(draws)} must be numbers of at least 1, such as (1, 64).")
    pixels = pixels[spaced(len(pixels), images)]
    drawn = _draw_terms(vae, pixels, v, max(draws), seed)
    if drawn is None:
        return None
    distortion, weights = -drawn.fit.mean(1), drawn.fit + drawn.ratio
    return {
        "rate": _mean_over_images(drawn.kl),
        "distortion": _mean_over_images(distortion),
        "bits_per_dimension": _mean_over_images(bits_per_dimension(drawn.kl + distortion, pixels[0].numel())),
        "draws": {str(k): _mean_over_images(importance_weighted_bound(weights[:, :k])) for k in draws},
        "v": v,
        "images": len(pixels),
        "definition": LIKELIHOOD_DEFINITION,
    }


def _mean_over_images(values: Tensor) -> dict[str, float | None]:
    """The mean over images and its standard error."""
    deviation = float(values.std() / len(values) ** 0.5) if len(values) > 1 else None
    return {"value": float(values.mean()), "deviation": deviation}


@torch.no_grad()
def _draw_terms(vae: VAE, pixels: Tensor, v: float, draws: int, seed: int, size: int = 500) -> _DrawTerms | None:
    """The terms of the weights, as `log_weights` describes them; None for codes without noise."""
    if pixels.dtype != torch.uint8 or not len(pixels):
        raise UserError(f"{len(pixels)} images of {pixels.dtype} have no likelihood; give at least one, of torch.uint8.")
    if not (v > 0 and math.isfinite(v)):
        raise UserError(f"the variance v must be a positive number, not {v}; a run's is the last v in its history.")
    if draws < 1:
        raise UserError(f"draws={draws} must be at least 1, such as 64.")
    vae.eval()
    posteriors = [vae.encode(x) for x in batches(pixels, vae.device, size)]
    logvars = [p.logvar for p in posteriors if p.logvar is not None]
    if not logvars:
        return None
    q = Gaussian(torch.cat([p.mean for p in posteriors]).cpu().double(), torch.cat(logvars).cpu().double())
    random, sigma = torch.Generator().manual_seed(seed), (q.logvar / 2).exp()
    exact = torch.device("cpu") if vae.device.type == "mps" else vae.device  # Metal has no float64
    target = ((dequantise(pixels, random) - 0.5) / 255).to(exact)
    errors, ratios = [], []
    for rows in torch.arange(len(pixels) * draws).split(size):
        image = rows // draws
        noise = torch.randn(len(rows), q.mean.shape[1], dtype=torch.float64, generator=random)
        z = q.mean[image] + sigma[image] * noise
        xhat = vae.decode(z.to(posteriors[0].mean.dtype)).image.to(exact).double()
        errors.append((xhat - target[image.to(exact)]).square().flatten(1).sum(1).cpu())
        ratios.append(0.5 * (noise.square() + q.logvar[image] - z.square()).sum(1))  # of each the 2 pi cancel
    sse, ratio = torch.cat(errors).view(-1, draws), torch.cat(ratios).view(-1, draws)
    fit = -sse / (2 * v) - 0.5 * pixels[0].numel() * math.log(2 * math.pi * 255**2 * v)
    return _DrawTerms(q.kl(), fit, ratio)
