"""Every picture, as a matplotlib `Figure` of tensors; `save` writes one, `draw` writes all of a run.

Sheets of images are laid out in sheets.py, charts are drawn in plots.py, group_figures.py shows content and style,
introspective_figures.py what introspective training is judged by, and film.py the training itself.
Maps are gray from 0 (black) to 1 (white), never rescaled.

No figure touches pyplot: none opens a window, and none stays in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..data.images import Images, batches, evenly_spaced
from ..data.labels import get_group_labels
from ..errors import UserError
from ..models.codes import encode
from ..models.latents import GroupedHead
from ..models.split import Canvas
from ..models.vae import VAE
from ..objectives.introspective import Introspective
from ..runs import Run
from .animation import film
from .groups import content_interpolations, references, style_interpolations, swaps
from .introvae import deviations, plane
from .io import save
from .latents import latent_spectrum
from .samples import components, interpolations, maps, reconstructions, sheet, traversals
from .training_curves import curves, sample_distances

__all__ = ["draw"]


BATCH = 256  # test images whose evidence is gathered


# ---------------------------------------------------------------- a run's figures


@torch.no_grad()
def draw(run: Run, samples: Mapping[str, Tensor] | None = None, seed: int = 0) -> list[Path]:
    """Writes every figure of a run into its folder `figures`, and returns their paths.

    Images come from the test part, chosen by `seed`, which also draws the prior's samples. `samples` adds a sheet for
    each other sampler: name -> z (N, D). A run trained on images from memory is shown without them. The pictures that
    were drawn while it was trained become a film.
    """
    vae = run.vae.eval()
    canvas = vae.sample(100, seed)
    figures = {"samples": sheet(canvas.image), "components": components(_first(canvas, 10))}
    if vae.split > 1:
        figures["maps"] = maps(_first(canvas, 10 * max(1, 10 // vae.split)))  # half a page, or one
    for name, z in (samples or {}).items():
        figures[f"samples-{name}"] = sheet(vae.decode(z.to(next(vae.parameters()).device)).image)
    if run.history:
        figures["curves"] = curves(run.history)
    if any("fid" in row for row in run.history):
        figures["distances"] = sample_distances(run.history)
    if (images := _test_images(run)) is not None:
        figures |= _of_images(vae, images, seed)
        if isinstance(run.config.objective, Introspective):
            figures |= _of_introspection(vae, images, seed)
        if isinstance(vae.encoder.latent, GroupedHead):
            figures |= _of_groups(vae, images, get_group_labels(images, run.config.data.group_by), seed)
    mark = vae.fingerprint()
    folder = run.path / "figures"
    paths = [save(figure, folder / f"{name}.png", mark) for name, figure in figures.items()]
    shown = film(folder, mark)
    return [*paths, shown] if shown else paths


def _of_images(vae: VAE, images: Images, seed: int) -> dict[str, Figure]:
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    chosen = images.pixels[order[:40]]
    x = next(batches(chosen, next(vae.parameters()).device))
    posterior = vae.encode(x)
    canvas = vae.decode(posterior.mean)
    codes = encode(vae, replace(images, pixels=images.pixels[evenly_spaced(len(images), 2000)], labels=None))
    ends = torch.stack((posterior.mean, posterior.mean.roll(-8, 0)), 1)[:8]  # wraps around where images are few
    return {
        "components-reconstructed": components(_first(canvas, 10), x[:10]),
        "reconstructions": reconstructions(x, canvas),
        "interpolations": interpolations(vae, ends),
        "traversals": traversals(vae, codes),
        "latents": latent_spectrum(codes),
    }


def _of_introspection(vae: VAE, images: Images, seed: int) -> dict[str, Figure]:
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    three = order[torch.arange(3) % len(images)]  # the first of the reconstructions; repeated where images are few
    codes = encode(vae, replace(images, pixels=images.pixels[evenly_spaced(len(images), 2000)], labels=None))
    corners = encode(vae, replace(images, pixels=images.pixels[three], labels=None)).mean
    return {"plane": plane(vae, corners), "deviations": deviations(vae, codes)}


def _of_groups(vae: VAE, images: Images, labels: Tensor, seed: int) -> dict[str, Figure]:
    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:BATCH]
    x = next(batches(images.pixels[chosen], vae.device))
    found = references(vae, x, labels[chosen])
    return {
        "swaps": swaps(vae, found),
        "swaps-evidence": swaps(vae, found, evidence=True),
        "style-interpolations": style_interpolations(vae, found),
        "content-interpolations": content_interpolations(vae, found),
    }


def _first(canvas: Canvas, n: int) -> Canvas:
    return Canvas(canvas.images[:n], canvas.masks[:n])


def _test_images(run: Run) -> Images | None:
    try:
        return run.images("test")
    except UserError:
        if run.config.data.source is not None:
            raise
        return None
