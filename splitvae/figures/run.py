"""All figures of a run, drawn into its folder `figures`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..data.images import Images, batches, evenly_spaced
from ..data.labels import get_group_labels
from ..errors import UserError
from ..evaluation.fitted_samplers import find_fitted_sampler
from ..models.codes import Codes, encode
from ..models.latents import GroupedHead
from ..models.split import Canvas
from ..models.vae import VAE
from ..objectives.introspective import Introspective
from ..runs import Run
from ..samplers.conditional_flow import ConditionalFlow
from .animation import write_film
from .groups import (
    References,
    draw_content_interpolations,
    draw_style_interpolations,
    draw_swaps,
    select_references,
)
from .introvae import draw_deviations, draw_plane
from .io import save_figure
from .latents import plot_latent_spectrum
from .samples import draw_components, draw_interpolations, draw_maps, draw_reconstructions, draw_sheet, draw_traversals
from .training_curves import plot_sample_distances, plot_training_curves

__all__ = ["draw_independent_swaps", "draw_run"]

CODED_IMAGES = 2000  # test images whose codes the charts of latents show
RECONSTRUCTED_IMAGES = 40
EVIDENCE_BATCH = 256  # test images among which the evidence of a group is gathered


@torch.no_grad()
def draw_run(run: Run, samples: Mapping[str, Tensor] | None = None, seed: int = 0) -> list[Path]:
    """Draws every figure of a run and returns the paths of the files.

    If sample sheets were drawn during training, they become an animated GIF. The figures of images are left out for a run
    that was trained on images from memory.

    Arguments:
        run: The run.
        samples: The latents (N, D) of samplers other than the prior, by name; each has a sheet of its own.
        seed: The seed of the samples of the prior, and of which test images are shown.
    """
    vae = run.vae.eval()
    canvas = vae.sample(100, seed)
    figures = {"samples": draw_sheet(canvas.image), "components": draw_components(_head(canvas, 10))}
    if vae.split > 1:
        figures["maps"] = draw_maps(_head(canvas, 10 * max(1, 10 // vae.split)))  # half a page or a page
    for name, z in (samples or {}).items():
        figures[f"samples-{name}"] = draw_sheet(vae.decode(z.to(vae.device)).image)
    if run.history:
        figures["curves"] = plot_training_curves(run.history)
    if any("fid" in row for row in run.history):
        figures["distances"] = plot_sample_distances(run.history)
    if (images := _test_images(run)) is not None:
        figures |= _draw_test_images(vae, images, seed)
        if isinstance(run.config.objective, Introspective):
            figures |= _draw_introspection(vae, images, seed)
        if isinstance(vae.encoder.latent, GroupedHead):
            figures |= _draw_groups(run, images, get_group_labels(images, run.config.data.group_by), seed)
    fingerprint = vae.fingerprint()
    folder = run.path / "figures"
    paths = [save_figure(figure, folder / f"{name}.png", fingerprint) for name, figure in figures.items()]
    film = write_film(folder, fingerprint)
    return [*paths, film] if film else paths


def _draw_test_images(vae: VAE, images: Images, seed: int) -> dict[str, Figure]:
    """Draws the figures that every model has of test images."""
    x = next(batches(images.pixels[_shuffled(images, seed)[:RECONSTRUCTED_IMAGES]], vae.device))
    posterior = vae.encode(x)
    canvas = vae.decode(posterior.mean)
    codes = _encode_evenly(vae, images)
    # A row leads from an image to the eighth after it, around the end where there are fewer.
    pairs = torch.stack((posterior.mean, posterior.mean.roll(-8, 0)), 1)[:8]
    return {
        "components-reconstructed": draw_components(_head(canvas, 10), x[:10]),
        "reconstructions": draw_reconstructions(x, canvas),
        "interpolations": draw_interpolations(vae, pairs),
        "traversals": draw_traversals(vae, codes),
        "latents": plot_latent_spectrum(codes),
    }


def _draw_introspection(vae: VAE, images: Images, seed: int) -> dict[str, Figure]:
    """Draws the figures of introspective models. The corners of the plane are the first images of the reconstructions."""
    order = _shuffled(images, seed)
    first_three = order[torch.arange(3) % len(images)]  # some twice where there are fewer than three
    corners = encode(vae, images[first_three]).mean
    return {"plane": draw_plane(vae, corners), "deviations": draw_deviations(vae, _encode_evenly(vae, images))}


def draw_independent_swaps(run: Run, images: Images, labels: Tensor, seed: int = 0) -> Figure | None:
    """Draws contents and independent styles, swapped; None if `probe` has fitted no flow of the model's styles.

    Arguments:
        run: The run.
        images: The images, of which one of each group is shown.
        labels: The group of each image, (N,).
        seed: The seed that selects the images.
    """
    flow = find_fitted_sampler(run, ConditionalFlow.name)
    if not isinstance(flow, ConditionalFlow):
        return None
    vae = run.vae.eval()
    return draw_swaps(vae, _select(vae, images, labels, seed), flow=flow)


def _draw_groups(run: Run, images: Images, labels: Tensor, seed: int) -> dict[str, Figure]:
    """Draws the figures of models of grouped images."""
    vae = run.vae.eval()
    references = _select(vae, images, labels, seed)
    independent = draw_independent_swaps(run, images, labels, seed)
    return {
        "swaps": draw_swaps(vae, references),
        **({} if independent is None else {"swaps-independent": independent}),
        "swaps-evidence": draw_swaps(vae, references, evidence=True),
        "style-interpolations": draw_style_interpolations(vae, references),
        "content-interpolations": draw_content_interpolations(vae, references),
    }


def _select(vae: VAE, images: Images, labels: Tensor, seed: int) -> References:
    """Selects an image of each group from a batch that the seed draws."""
    rows = _shuffled(images, seed)[:EVIDENCE_BATCH]
    return select_references(vae, next(batches(images.pixels[rows], vae.device)), labels[rows])


def _shuffled(images: Images, seed: int) -> Tensor:
    """Returns the indices of all images in an order that the seed gives."""
    return torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))


def _encode_evenly(vae: VAE, images: Images) -> Codes:
    """Encodes evenly spaced images, each by itself."""
    return encode(vae, images[evenly_spaced(len(images), CODED_IMAGES)])


def _head(canvas: Canvas, count: int) -> Canvas:
    """Returns the first images of a canvas."""
    return Canvas(canvas.images[:count], canvas.masks[:count])


def _test_images(run: Run) -> Images | None:
    """Returns the test images of a run, or None if it was trained on images from memory."""
    try:
        return run.images("test")
    except UserError:
        if run.config.data.source is not None:
            raise
        return None
