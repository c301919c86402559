"""The most informative latents of a run, in the order in which people should be shown them, and the range of each.

They are ordered by their KL over images of the run, in nats (metrics/latents.py). Where the images cannot be read, as in a
run that was sent to somebody, they are ordered by their effect on what the decoder draws: the mean squared difference
between the images at z_j = 1 and at z_j = -1, where the other latents are samples of the prior.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ..data.images import Images, evenly_spaced
from ..errors import UserError
from ..metrics.latents import kl_by_dimension
from ..models.codes import Codes, decode, encode
from ..models.vae import VAE
from ..runs import Run

__all__ = [
    "MAX_SLIDERS",
    "InformativeLatents",
    "SliderRange",
    "find_informative_latents",
    "place_on_sliders",
    "rank_by_codes",
    "rank_by_effect",
    "read_some_images",
]

MAX_IMAGES = 1000  # whose codes give the order
MAX_SLIDERS = 12
SLIDER_DEVIATIONS = 4  # from the centre of a latent to the end of its slider
EFFECT_SAMPLES = 4  # of the prior, at which the effect of a latent is measured


class InformativeLatents(NamedTuple):
    """The latents of a model, the most informative first.

    Arguments:
        order: The numbers of the latents.
        values: The KL of each in nats, or its effect on the image, in this order.
        unit: What the values are: "nats", or "of effect".
        centre: The neutral value of each latent, shape (D,), by its number: 0, but for codes without noise their mean.
        deviation: The deviation of each latent, shape (D,), by its number: 1, but for codes without noise theirs.
    """

    order: list[int]
    values: list[float]
    unit: str
    centre: Tensor
    deviation: Tensor

    def label(self, latent: int) -> str:
        """Returns the text beside the slider of a latent: "z12 · 3.2 nats"."""
        value = self.values[self.order.index(latent)]
        return f"z{latent} · {f'{value:.1f}' if self.unit == 'nats' else f'{value:.2g}'} {self.unit}"


class SliderRange(NamedTuple):
    """The ends of a latent's slider, and its step: a power of ten, of which there are at least 400 between the ends."""

    low: float
    high: float
    step: float

    @staticmethod
    def of(latents: InformativeLatents, latent: int) -> SliderRange:
        """Returns the range of a latent: `SLIDER_DEVIATIONS` on both sides of its centre, rounded to steps."""
        centre, half = float(latents.centre[latent]), SLIDER_DEVIATIONS * float(latents.deviation[latent])
        step = 10.0 ** math.floor(math.log10(2 * half / 400))
        return SliderRange(round(centre / step - half / step) * step, round(centre / step + half / step) * step, step)


def place_on_sliders(latents: InformativeLatents, z: Tensor) -> Tensor:
    """Returns latents (D,) whose values with a slider are a step of its range; the others are unchanged.

    Arguments:
        latents: The latents in order, of which the first `MAX_SLIDERS` have a slider.
        z: The values of all latents, shape (D,).
    """
    z = z.clone()
    for latent in latents.order[:MAX_SLIDERS]:
        low, high, step = SliderRange.of(latents, latent)
        z[latent] = (z[latent].clamp(low, high) / step).round() * step
    return z


def find_informative_latents(run: Run, images: Images | None = None) -> InformativeLatents:
    """Returns the order of a run's latents: by the codes of images, or by their effect where there are none.

    Arguments:
        run: The run.
        images: Images of the run in the model's shape, as `read_some_images` returns them; None if they cannot be read.
    """
    return rank_by_effect(run.vae) if images is None else rank_by_codes(encode(run.vae, images))


def read_some_images(run: Run, most: int = MAX_IMAGES) -> Images | None:
    """Returns evenly spaced test images of a run, or training images where it has no others; None if neither can be read.

    Arguments:
        run: The run.
        most: The number of images at most.
    """
    for split in ("test", "train"):
        try:
            images = run.images(split)
        except (UserError, OSError):
            continue
        rows = evenly_spaced(len(images), most)
        labels = None if images.labels is None else images.labels[rows]
        return Images(images.pixels[rows], labels, images.classes, images.source, images.part, ())
    return None


def rank_by_codes(codes: Codes) -> InformativeLatents:
    """Returns the latents in the order of their KL, in nats, over given codes."""
    kl = kl_by_dimension(codes.mean, codes.logvar)
    centre, deviation = torch.zeros_like(codes.mean[0]), torch.ones_like(codes.mean[0])
    if codes.logvar is None:  # such codes need not follow the prior
        centre, deviation = codes.mean.mean(0), codes.mean.std(0, correction=0).clamp_min(1e-3)
    order = kl.argsort(descending=True)
    return InformativeLatents(order.tolist(), kl[order].tolist(), "nats", centre, deviation)


def rank_by_effect(vae: VAE) -> InformativeLatents:
    """Returns the latents in the order of their effect on the image; see the head of this file."""
    base = torch.randn(EFFECT_SAMPLES, vae.latent_dim, generator=torch.Generator().manual_seed(0))
    effects = []
    for latent in range(vae.latent_dim):
        z = base.repeat(2, 1)
        z[:EFFECT_SAMPLES, latent], z[EFFECT_SAMPLES:, latent] = -1, 1
        low, high = decode(vae, z).image.chunk(2)
        effects.append((high - low).square().mean())
    effect = torch.stack(effects)
    order = effect.argsort(descending=True)
    zeros = torch.zeros(vae.latent_dim)
    return InformativeLatents(order.tolist(), effect[order].tolist(), "of effect", zeros, torch.ones_like(zeros))
