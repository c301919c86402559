r"""Scores: the distances of a run's reconstructions and samples from real images.

Three banks of images are compared with the same real images, in the features of an extractor:

    REC       reconstructions of the real images, decoded from their posterior means
    GEN       samples, decoded from z ~ N(0, I)
    EX-POST   samples, decoded from a density that was fitted to codes (the run's sampler)

Each bank has several columns of images: `blend`, the image xhat; `x1`, `x2`, ..., each component alone; and `mix`, one
component of each image.

The protocol says which codes the sampler is fitted to, and which images are compared (evaluation/protocols.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..data.geometry import remove_padding, resize
from ..data.images import Images, evenly_spaced
from ..errors import UserError
from ..features.base import Extractor, extract_features
from ..features.cache import cached_features
from ..metrics.distances import measure_distances, measure_frechet
from ..models.codes import Codes, encode
from ..models.inference import inference_batch_size
from ..models.vae import VAE
from ..runs import Run
from ..samplers.base import Sampler
from ..samplers.gaussian_mixture import GaussianMixture
from ..utils.progress import show_fit
from .fitted_samplers import sampler_for
from .protocols import AUTHORS_CODES, Protocol, configure_sampler, find_protocol

__all__ = ["BANKS", "compare_image_sets", "component_features", "decode_batches", "score"]

CODES_PER_COMPONENT = 10  # the smallest number of codes that carry a component of a mixture
MOST_DECODED = 250  # latents at once: each has several columns of images
BANKS = {"REC": "reconstructions", "GEN": "samples of the prior", "EX-POST": "samples of the fitted density"}


def score(
    run: Run,
    extractor: Extractor,
    protocol: str | Protocol = "clean",
    sampler: str | Sampler = "",
    images: int = 10_000,
    seed: int = 0,
    reuse: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Measures the distances of a run's reconstructions and samples from its test images.

    Arguments:
        run: The run.
        extractor: The network whose features are compared.
        protocol: One of `PROTOCOLS`, or another `Protocol`.
        sampler: The sampler of the bank EX-POST: a name, whose settings are those of the protocol, or an unfitted sampler;
            by default that of the run's config.
        images: The number of real images, at most the number of test images. As many are generated for each bank, unless
            the protocol has a number of its own.
        seed: The seed of the samples and of the mix.
        reuse: A score of the run under another protocol. Its banks REC and GEN are not measured again if they are the same.

    Returns:
        The distances by bank and column, with where they come from: protocol, model, extractor, images, seed and sampler.

    Raises:
        UserError: If the protocol or the sampler is unknown, if there are fewer than two images, or as the sampler and the
            extractor do.
    """
    protocol = find_protocol(protocol)
    if images < 2:
        raise UserError(f"{images} images leave nothing to compare; give at least 2, better 10000.")
    if isinstance(sampler, str):
        sampler = configure_sampler(run, sampler, protocol)
    vae, test = run.vae.eval(), run.images("test")
    count, pad = min(images, len(test)), run.config.data.pad if protocol.padding == "cut" else 0
    generated = protocol.generated or count
    rows = torch.arange(count) if protocol.follows_code else evenly_spaced(len(test), count)
    subset = Images(test.pixels[rows], None, (), test.source, test.part, ())
    notes: list[str] = list(test.notes)
    if count < images:
        notes.append(f"{images:,} images were asked for, the {test.part} part has {count:,}")
    fitted = sampler_for(run, _limit_components(sampler, run, protocol, notes), protocol, progress=show_fit(sampler.name))
    notes += _describe_convergence(fitted)
    latents = {
        "REC": _reconstruction_codes(encode(vae, subset), protocol, seed),
        "GEN": torch.randn(generated, vae.latent_dim, generator=torch.Generator().manual_seed(seed)),
        "EX-POST": _draw_latents(fitted, generated, protocol, seed),
    }
    origin: dict[str, Any] = {
        "model": vae.fingerprint(),
        "extractor": {"name": extractor.name, "fingerprint": extractor.fingerprint, "note": extractor.note},
        "real": {
            "source": test.source,
            "part": test.part,
            "images": count,
            "shape": list(remove_padding(subset.pixels[:1], pad).shape[1:]),
            "sha256": subset.sha256,
        },
        "generated": generated,
        "padding": protocol.padding if run.config.data.pad else "none",
        "bits": 8,  # to which generated images are rounded
        "seed": seed,
    }
    conventions = {"follows_code": protocol.follows_code}
    real = cached_features(extractor, remove_padding(subset.pixels, pad), notes=notes)
    same = reuse is not None and all(reuse.get(key) == value for key, value in (origin | conventions).items())
    banks: dict[str, Any] = {}
    for bank, z in latents.items():
        if reuse is not None and same and bank != "EX-POST":
            banks[bank] = reuse["banks"][bank]
        else:
            columns = component_features(vae, z, extractor, pad, seed, halves=protocol.follows_code)
            banks[bank] = {
                column: measure_distances(real, fake, seed) if column == "blend" else measure_frechet(real, fake)
                for column, fake in columns.items()
            }
    described = {"name": fitted.name, "parameters": fitted.parameters, "fit_info": fitted.fit_info}
    about = {"protocol": protocol.name, "description": protocol.description}
    return {**about, **origin, **conventions, "sampler": described, "notes": notes, "banks": banks}


def _limit_components(sampler: Sampler, run: Run, protocol: Protocol, notes: list[str]) -> Sampler:
    """Returns the sampler with at most one component for ten codes, which `notes` then says."""
    if not isinstance(sampler, GaussianMixture) or sampler.components is None:
        return sampler
    available = len(run.images("test" if protocol.follows_code else "train"))
    codes = min(available, AUTHORS_CODES) if protocol.follows_code else available
    most = max(1, codes // CODES_PER_COMPONENT)
    if sampler.components <= most:
        return sampler
    notes.append(f"a mixture of {sampler.components} components was asked for, {codes:,} codes carry {most}")
    return replace(sampler, components=most)


def _describe_convergence(fitted: Sampler) -> list[str]:
    """Returns a note on a mixture whose fit ended before it converged; else nothing."""
    info = fitted.fit_info
    if info.get("converged", True):
        return []
    change = "" if info["gain"] is None else f": the last one changed the log-likelihood by {info['gain']:.2g} nats a code"
    return [f"the fit of the mixture did not converge in {info['iterations']} iterations{change}"]


def _reconstruction_codes(codes: Codes, protocol: Protocol, seed: int) -> Tensor:
    """Returns the codes from which images are reconstructed: posterior means, or draws as in the public code."""
    if not protocol.follows_code or codes.logvar is None:
        return codes.mean
    noise = torch.randn(codes.mean.shape, generator=torch.Generator().manual_seed(seed))
    return codes.mean + (codes.logvar / 2).exp() * noise


def _draw_latents(fitted: Sampler, count: int, protocol: Protocol, seed: int) -> Tensor:
    """Returns draws of the fitted density; as in the public code, those of a mixture are in the order of components."""
    if protocol.follows_code and isinstance(fitted, GaussianMixture):
        return fitted.sample_by_component(count, seed)
    return fitted.sample(count, seed)


@torch.no_grad()
def component_features(
    vae: VAE,
    z: Tensor,
    extractor: Extractor,
    pad: int = 0,
    seed: int = 0,
    *,
    halves: bool = False,
    quantise: bool = True,
) -> dict[str, Tensor]:
    """Decodes latents (N, D) and returns the features (N, dim) of each column: the blend, each component, and the mix.

    Arguments:
        vae: The model.
        z: The latents, (N, D).
        extractor: The network whose features are returned.
        pad: The padding that is cut off from each side of an image.
        seed: The seed of the mix.
        halves: Whether the mix takes x1 for the first half of the latents and x2 for the second, and so on for K > 2,
            instead of a random component for each.
        quantise: Whether images are rounded to 8 bits first, as published tools do.
    """
    parts: dict[str, list[Tensor]] = {}
    for columns in decode_batches(vae, z, pad, seed, halves):
        for name, images in columns.items():
            parts.setdefault(name, []).append(extract_features(extractor, images, quantise=quantise))
    return {name: torch.cat(batches) for name, batches in parts.items()}


@torch.no_grad()
def decode_batches(
    vae: VAE, z: Tensor, pad: int = 0, seed: int = 0, halves: bool = False, size: int | None = None
) -> Iterator[dict[str, Tensor]]:
    """Decodes latents (N, D) and yields batches of images by column, (B, C, H, W) in float32, without padding.

    Arguments:
        vae: The model.
        z: The latents, (N, D).
        pad: The padding that is cut off from each side of an image.
        seed: The seed of the mix.
        halves: How the mix is made; see `component_features`.
        size: The number of latents in a batch; by default as many as memory allows, at most 250.
    """
    mixed = torch.arange(len(z)) * vae.split // max(1, len(z))
    if not halves:
        generator = torch.Generator().manual_seed(seed)
        mixed = torch.randint(vae.split, (len(z),), generator=generator)
    size = size or inference_batch_size(vae, MOST_DECODED)
    for part, mix in zip(z.split(size), mixed.split(size), strict=True):
        canvas = vae.decode(part)
        yield {name: remove_padding(x.float(), pad) for name, x in canvas.columns(mix).items()}


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
