r"""Scores: how far what a run's model makes is from real images, by one audited path.

Three banks of images are compared with the same real ones, in an extractor's features:

    REC       reconstructions of the real images, from posterior means
    GEN       samples with z from the prior
    EX-POST   samples with z from a density fitted to codes (the run's sampler)

each as the blend xhat, as every component x_k alone, and as `mix`, a component drawn at random for each image. Padding is
cut off first, so that images are compared as they came.

| protocol | the sampler is fitted to              | and scored against         |
| -------- | ------------------------------------- | -------------------------- |
| `clean`  | codes of the training images          | test images                |
| `paper`  | codes of the first 10,000 test images | the very same images       |

`paper` is what the Split-VAE's public code does. It flatters where a density has components enough to repeat the images it
is scored against; with few it merely has fewer codes to learn from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from ..data.images import Images, batches, spaced
from ..data.resize import fit, unpadded
from ..errors import UserError, nearest
from ..features.base import Extractor, features
from ..metrics.distances import measure_distances
from ..models.codes import encode
from ..models.split import Canvas
from ..models.vae import VAE
from ..runs import Run
from ..samplers.registry import SAMPLERS
from .fitted_samplers import sampler_for, sampler_parameters

__all__ = ["BANKS", "PROTOCOLS", "compare_image_sets", "component_features", "decode_batches", "score"]


PROTOCOLS = {
    "clean": "The density is fitted to codes of training images and scored against test images.",
    "paper": "The density is fitted to the very test images it is scored against: this flatters if it can repeat them.",
}


BANKS = {"REC": "reconstructions", "GEN": "samples of the prior", "EX-POST": "samples of the fitted density"}


def score(
    run: Run,
    extractor: Extractor,
    protocol: str = "clean",
    sampler: str | None = None,
    images: int = 10_000,
    seed: int = 0,
    known: Mapping[str, Any] | None = None,
    **parameters: Any,
) -> dict[str, Any]:
    """Distances of a run's reconstructions and samples from test images.

    Arguments:
        extractor: of the features that images are compared in.
        protocol: one of `PROTOCOLS`.
        sampler: the density of the EX-POST bank; by default what the run's config says.
        images: real ones, and as many of each bank; at most those of the test part.
        seed: of samples and of the mix.
        known: another protocol's score; where it is of the same images, REC and GEN are its own.
        parameters: of the sampler; by default what the run's config says.

    Raises UserError for an unknown protocol, fewer than two images, or whatever sampler and extractor refuse.
    """
    if protocol not in PROTOCOLS:
        raise UserError(f"no protocol is called {protocol!r}; {nearest(protocol, PROTOCOLS)}")
    if images < 2:
        raise UserError(f"{images} images leave nothing to compare; give at least 2, better 10000.")
    name = sampler or run.config.sampler
    if name not in SAMPLERS:
        raise UserError(f"no sampler is called {name!r}; {nearest(name, SAMPLERS)}")
    vae, test = run.vae.eval(), run.images("test")
    count, pad = min(images, len(test)), run.config.pad
    rows = spaced(len(test), count) if protocol == "clean" else torch.arange(count)
    chosen = Images(test.pixels[rows], None, (), test.source, test.split, ())
    notes: list[str] = list(test.notes)
    if count < images:
        notes.append(f"{images:,} images were asked for, the {test.split} part has {count:,}")
    codes = encode(vae, chosen)
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
    about: dict[str, Any] = {
        "model": vae.fingerprint(),
        "extractor": {"name": extractor.name, "fingerprint": extractor.fingerprint, "note": extractor.note},
        "real": {
            "source": test.source,
            "part": test.split,
            "images": count,
            "shape": list(unpadded(chosen.pixels[:1], pad).shape[1:]),
            "sha256": chosen.sha256,
        },
        "generated": count,
        "seed": seed,
    }
    real = features(extractor, batches(unpadded(chosen.pixels, pad), torch.device("cpu")), notes=notes)
    same = known is not None and all(known[key] == value for key, value in about.items())
    banks: dict[str, Any] = {}
    for bank, z in latents.items():
        if known is not None and same and bank != "EX-POST":
            banks[bank] = known["banks"][bank]
        else:
            found = component_features(vae, z, extractor, pad, seed)
            banks[bank] = {name: measure_distances(real, rows, seed, name == "blend") for name, rows in found.items()}
    sampled = {"name": name, "parameters": fitted.parameters, "facts": fitted.facts}
    return {"protocol": protocol, **about, "sampler": sampled, "notes": notes, "banks": banks}


@torch.no_grad()
def component_features(vae: VAE, z: Tensor, extractor: Extractor, pad: int = 0, seed: int = 0) -> dict[str, Tensor]:
    """Features (N, dim) of what latents (N, D) are painted as: of the blend, each component, and the mix."""
    rows: dict[str, list[Tensor]] = {}
    for images in decode_batches(vae, z, pad, seed):
        for name, batch in images.items():
            rows.setdefault(name, []).append(features(extractor, batch))
    return {name: torch.cat(parts) for name, parts in rows.items()}


@torch.no_grad()
def decode_batches(vae: VAE, z: Tensor, pad: int = 0, seed: int = 0, size: int = 250) -> Iterator[dict[str, Tensor]]:
    """Batches of what latents (N, D) are painted as, (B, C, H, W) in float32, without padding, by column."""
    random = torch.Generator().manual_seed(seed)
    for part in z.split(size):
        canvas = vae.decode(part)
        which = torch.randint(vae.split, (len(part),), generator=random)
        yield {name: unpadded(x.float(), pad) for name, x in _images_by_column(canvas, which).items()}


def _images_by_column(canvas: Canvas, which: Tensor) -> dict[str, Tensor]:
    found = {"blend": canvas.image}
    if canvas.images.shape[1] > 1:
        found |= {f"x{k + 1}": canvas.images[:, k] for k in range(canvas.images.shape[1])}
        found["mix"] = canvas.images[torch.arange(len(which)), which.to(canvas.images.device)]
    return found


def compare_image_sets(real: Images, fake: Images, extractor: Extractor, seed: int = 0) -> dict[str, Any]:
    """Distances of one set of images from another, without any model."""
    notes = [*real.notes, *fake.notes]
    if real.shape[0] != fake.shape[0]:
        raise UserError(
            f"{real.source} has {real.shape[0]} channels and {fake.source} {fake.shape[0]}: compare gray with gray, "
            "or colour with colour."
        )
    pixels = fake.pixels
    if real.shape != fake.shape:
        pixels = fit(pixels, real.shape)
        notes.append(f"{fake.source} was brought from {fake.shape[1]}x{fake.shape[2]} to {real.shape[1]}x{real.shape[2]}")
    if extractor.name in ("classifier", "rotation"):
        notes.append(f"the features were learned from {real.source} itself, so that its own images are known to them")
    a, b = (features(extractor, p, notes=notes) for p in (real.pixels, pixels))
    return {
        "extractor": {"name": extractor.name, "fingerprint": extractor.fingerprint, "note": extractor.note},
        "real": {"source": real.source, "images": len(real), "shape": list(real.shape)},
        "generated": {"source": fake.source, "images": len(fake), "shape": list(fake.shape)},
        "seed": seed,
        "notes": notes,
        "distances": measure_distances(a, b, seed),
    }
