r"""Scores: the distances of a run's reconstructions and samples from real images.

Three banks of images are compared with the same real images, in the features of an extractor:

    REC       reconstructions of the real images, decoded from their posterior means
    GEN       samples, decoded from z ~ N(0, I)
    EX-POST   samples, decoded from a density that was fitted to codes (the run's sampler)

Each bank has several columns of images: `blend`, the image xhat; `x1`, `x2`, ..., each component alone; and `mix`, for
each image a component that is drawn at random. Padding is cut off first, so that images are compared as they were before
training.

The protocol says which codes the sampler is fitted to (`PROTOCOLS` in evaluation/fitted_samplers.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from ..data.geometry import remove_padding, resize
from ..data.images import Images, evenly_spaced
from ..errors import UserError, nearest
from ..features.base import Extractor, extract_features
from ..features.cache import cached_features
from ..metrics.distances import measure_distances, measure_frechet
from ..models.codes import encode
from ..models.inference import inference_batch_size
from ..models.split import Canvas
from ..models.vae import VAE
from ..runs import Run
from ..samplers.registry import SAMPLERS
from .fitted_samplers import PROTOCOLS, sampler_for, sampler_parameters

__all__ = ["BANKS", "compare_image_sets", "component_features", "decode_batches", "score"]

MOST_DECODED = 250  # latents at once: each has several columns of images
BANKS = {"REC": "reconstructions", "GEN": "samples of the prior", "EX-POST": "samples of the fitted density"}


def score(
    run: Run,
    extractor: Extractor,
    protocol: str = "clean",
    sampler: str | None = None,
    images: int = 10_000,
    seed: int = 0,
    reuse: Mapping[str, Any] | None = None,
    **parameters: Any,
) -> dict[str, Any]:
    """Measures the distances of a run's reconstructions and samples from its test images.

    Arguments:
        run: The run.
        extractor: The network whose features are compared.
        protocol: One of `PROTOCOLS`.
        sampler: The sampler of the bank EX-POST; by default the one in the run's config.
        images: The number of real images, and of images in each bank; at most the number of test images.
        seed: The seed of the samples and of the mix.
        reuse: A score of the run under another protocol. If it is of the same images, its banks REC and GEN are not
            measured again.
        parameters: The parameters of the sampler; by default those in the run's config.

    Returns:
        The distances by bank and column, with where they come from: protocol, model, extractor, images, seed and sampler.

    Raises:
        UserError: If the protocol or the sampler is unknown, if there are fewer than two images, or as the sampler and the
            extractor do.
    """
    if protocol not in PROTOCOLS:
        raise UserError(f"no protocol is called {protocol!r}; {nearest(protocol, PROTOCOLS)}")
    if images < 2:
        raise UserError(f"{images} images leave nothing to compare; give at least 2, better 10000.")
    name = sampler or run.config.sampler.name
    if name not in SAMPLERS:
        raise UserError(f"no sampler is called {name!r}; {nearest(name, SAMPLERS)}")
    vae, test = run.vae.eval(), run.images("test")
    count, pad = min(images, len(test)), run.config.data.pad
    rows = evenly_spaced(len(test), count) if protocol == "clean" else torch.arange(count)
    subset = Images(test.pixels[rows], None, (), test.source, test.split, ())
    notes: list[str] = list(test.notes)
    if count < images:
        notes.append(f"{images:,} images were asked for, the {test.split} part has {count:,}")
    codes = encode(vae, subset)
    settings = sampler_parameters(run, name, protocol) | parameters
    if protocol == "paper" and name == "gmm" and (settings["components"] or 0) > count // 10:
        notes.append(f"a mixture of {settings['components']} components was asked for, {count} images carry {count // 10}")
        settings["components"] = max(1, count // 10)
    with tqdm(desc=f"fitting {name}", unit="epoch", leave=False, disable=None) as bar:

        def progress(epoch: int, epochs: int) -> None:
            bar.total = epochs
            bar.update(epoch - bar.n)

        fitted = sampler_for(run, name, protocol, codes if protocol == "paper" else None, progress, **settings)
    prior = torch.randn(count, vae.latent_dim, generator=torch.Generator().manual_seed(seed))
    latents = {"REC": codes.mean, "GEN": prior, "EX-POST": fitted.sample(count, seed)}
    origin: dict[str, Any] = {
        "model": vae.fingerprint(),
        "extractor": {"name": extractor.name, "fingerprint": extractor.fingerprint, "note": extractor.note},
        "real": {
            "source": test.source,
            "part": test.split,
            "images": count,
            "shape": list(remove_padding(subset.pixels[:1], pad).shape[1:]),
            "sha256": subset.sha256,
        },
        "generated": count,
        "seed": seed,
    }
    real = cached_features(extractor, remove_padding(subset.pixels, pad), notes=notes)
    same_images = reuse is not None and all(reuse[key] == value for key, value in origin.items())
    banks: dict[str, Any] = {}
    for bank, z in latents.items():
        if reuse is not None and same_images and bank != "EX-POST":
            banks[bank] = reuse["banks"][bank]
        else:
            columns = component_features(vae, z, extractor, pad, seed)
            banks[bank] = {
                column: measure_distances(real, fake, seed) if column == "blend" else measure_frechet(real, fake)
                for column, fake in columns.items()
            }
    fitted_sampler = {"name": name, "parameters": fitted.parameters, "fit_info": fitted.fit_info}
    return {"protocol": protocol, **origin, "sampler": fitted_sampler, "notes": notes, "banks": banks}


@torch.no_grad()
def component_features(
    vae: VAE, z: Tensor, extractor: Extractor, pad: int = 0, seed: int = 0, *, quantise: bool = True
) -> dict[str, Tensor]:
    """Decodes latents (N, D) and returns the features (N, dim) of each column: the blend, each component, and the mix.

    Arguments:
        vae: The model.
        z: The latents, (N, D).
        extractor: The network whose features are returned.
        pad: The padding that is cut off from each side of an image.
        seed: The seed of the mix.
        quantise: Whether images are rounded to 8 bits first, as published tools do.
    """
    parts: dict[str, list[Tensor]] = {}
    for columns in decode_batches(vae, z, pad, seed):
        for name, images in columns.items():
            parts.setdefault(name, []).append(extract_features(extractor, images, quantise=quantise))
    return {name: torch.cat(batches) for name, batches in parts.items()}


@torch.no_grad()
def decode_batches(
    vae: VAE, z: Tensor, pad: int = 0, seed: int = 0, size: int | None = None
) -> Iterator[dict[str, Tensor]]:
    """Decodes latents (N, D) and yields batches of images by column, (B, C, H, W) in float32, without padding.

    Arguments:
        vae: The model.
        z: The latents, (N, D).
        pad: The padding that is cut off from each side of an image.
        seed: The seed of the mix.
        size: The number of latents in a batch; by default as many as memory allows, at most 250.
    """
    generator = torch.Generator().manual_seed(seed)
    for part in z.split(size or inference_batch_size(vae, MOST_DECODED)):
        canvas = vae.decode(part)
        mix = torch.randint(vae.split, (len(part),), generator=generator)
        yield {name: remove_padding(x.float(), pad) for name, x in _images_by_column(canvas, mix).items()}


def _images_by_column(canvas: Canvas, mix: Tensor) -> dict[str, Tensor]:
    """Returns the images of each column; `mix` (B,) is the component that the column of this name takes for each image."""
    columns = {"blend": canvas.image}
    if canvas.images.shape[1] > 1:
        columns |= {f"x{k + 1}": canvas.images[:, k] for k in range(canvas.images.shape[1])}
        columns["mix"] = canvas.images[torch.arange(len(mix)), mix.to(canvas.images.device)]
    return columns


def compare_image_sets(real: Images, fake: Images, extractor: Extractor, seed: int = 0) -> dict[str, Any]:
    """Measures the distances of one set of images from another, without a model.

    Arguments:
        real: The real images.
        fake: The images to score; they are resized to the shape of the real ones.
        extractor: The network whose features are compared.
        seed: The seed of the shuffled rows and blocks (metrics/distances.py).

    Raises:
        UserError: If one set is gray and the other is in colour.
    """
    notes = [*real.notes, *fake.notes]
    if real.shape[0] != fake.shape[0]:
        raise UserError(
            f"{real.source} has {real.shape[0]} channels and {fake.source} {fake.shape[0]}: compare gray with gray, "
            "or colour with colour."
        )
    pixels = fake.pixels
    if real.shape != fake.shape:
        pixels = resize(pixels, real.shape)
        notes.append(f"{fake.source} was brought from {fake.shape[1]}x{fake.shape[2]} to {real.shape[1]}x{real.shape[2]}")
    if extractor.name in ("classifier", "rotation"):
        notes.append(f"the features were learned from {real.source} itself, so that its own images are known to them")
    real_features = cached_features(extractor, real.pixels, notes=notes)
    fake_features = extract_features(extractor, pixels, notes=notes)
    return {
        "extractor": {"name": extractor.name, "fingerprint": extractor.fingerprint, "note": extractor.note},
        "real": {"source": real.source, "images": len(real), "shape": list(real.shape)},
        "generated": {"source": fake.source, "images": len(fake), "shape": list(fake.shape)},
        "seed": seed,
        "notes": notes,
        "distances": measure_distances(real_features, fake_features, seed),
    }
