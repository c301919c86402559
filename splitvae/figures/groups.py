"""Figures of models of grouped images: swaps of content and style, interpolations of each, and the codes for maps."""

from __future__ import annotations

from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..data.images import batches
from ..errors import UserError, setting
from ..models.fusion import fuse_all
from ..models.latents import GroupedHead
from ..models.vae import VAE
from ..samplers.conditional_flow import ConditionalFlow
from ..utils.random_streams import fixed_seed
from .grid import tile_images

__all__ = [
    "References",
    "collect_codes",
    "draw_content_interpolations",
    "draw_style_interpolations",
    "draw_swaps",
    "select_references",
]

MAX_REFERENCES = 10  # groups, each a row and a column of the figures
EVIDENCE_IMAGES = 256  # of a batch, among which the evidence of a group is gathered for maps


class References(NamedTuple):
    """One image of each of R groups, and its codes.

    images: The images, with shape (R, C, H, W).
    style: The posterior means of their styles, with shape (R, S).
    content: The posterior means of their contents, each from its image alone, with shape (R, C).
    evidence: The posterior means of their contents, each from all images of the group in the batch, with shape (R, C).
    """

    images: Tensor
    style: Tensor
    content: Tensor
    evidence: Tensor


@torch.no_grad()
def select_references(vae: VAE, x: Tensor, labels: Tensor) -> References:
    """Selects the first image of each group in a batch, for at most ten groups, and encodes it.

    Arguments:
        vae: A model with a grouped latent.
        x: A batch of images, with shape (B, C, H, W).
        labels: The group of each image, with shape (B,).

    Raises:
        UserError: If the model does not separate content and style.
    """
    latent = _grouped_head(vae)
    features = vae.encoder.features(x.to(vae.device))
    posterior = latent(features)
    members = latent.evidence(features)  # without the prior, which is to enter once for a group
    # On the CPU, since the sums are in float64, which not every accelerator has.
    fused, groups = fuse_all(members.mean.cpu(), members.logvar.cpu(), labels.cpu(), latent.settings.fusion)
    group_of_image = torch.searchsorted(groups, labels.to(groups))
    count = min(MAX_REFERENCES, len(groups))
    first = torch.stack([(group_of_image == group).nonzero()[0, 0] for group in range(count)])
    evidence = fused.mean.float()[group_of_image[first]].to(vae.device)
    return References(x[first], posterior.style.mean[first], posterior.content.mean[first], evidence)


@torch.no_grad()
def collect_codes(vae: VAE, pixels: Tensor, labels: Tensor, seed: int = 0) -> dict[str, Tensor]:
    """Returns the codes of images that maps show (`plot_model_maps`), each with shape (N, D), on the CPU.

    "style" and "content" are posterior means of single images. "content, with evidence" is what the public code of the
    Multi-Level VAE shows: in each batch of 256 images, those of a label are a group, and all get the one code that is drawn
    for their group.

    Arguments:
        vae: A model with a grouped latent.
        pixels: The images, uint8 with shape (N, C, H, W).
        labels: The label of each image, with shape (N,).
        seed: The seed of the draws.

    Raises:
        UserError: If the model does not separate content and style.
    """
    latent, rows = _grouped_head(vae), []
    with fixed_seed(seed):
        for x, group in zip(batches(pixels, vae.device, EVIDENCE_IMAGES), labels.split(EVIDENCE_IMAGES), strict=True):
            features = vae.encoder.features(x)
            alone, fused = latent(features), latent(features, group)
            rows.append([code.cpu() for code in (alone.style.mean, alone.content.mean, fused.draw_content())])
    names = ("style", "content", "content, with evidence")
    return {name: torch.cat(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}


@torch.no_grad()
def draw_swaps(vae: VAE, references: References, evidence: bool = False, flow: ConditionalFlow | None = None) -> Figure:
    """Draws each style combined with each content: columns share the content, rows share the style.

    The references stand above the columns and to the left of the rows; with a flow, their reconstructions, so that no cell
    of such a figure is an image of the data. Nothing is sampled: all codes are posterior means.

    Arguments:
        vae: A model with a grouped latent.
        references: The images whose codes are combined.
        evidence: Whether the content of a column comes from all images of the group. Otherwise it comes from the image
            above the column alone, so that the diagonal shows reconstructions.
        flow: A flow of the model's codes. Rows share what in the style is independent of the content, not the style itself.
    """
    contents, count = references.evidence if evidence else references.content, len(references.images)
    styles, contents = references.style.repeat_interleave(count, 0), contents.repeat(count, 1)
    if flow is None:
        z = torch.cat((styles, contents), 1)
    else:
        own = torch.cat((styles, references.content.repeat_interleave(count, 0)), 1)
        z = flow.with_content(own, contents).to(vae.device)
    decoded = vae.decode(z).image.unflatten(0, (count, count)).to(references.images)
    images = references.images
    if flow is not None:
        images = vae.decode(torch.cat((references.style, references.content), 1)).image.to(images)
    rows = [torch.cat((torch.ones_like(images[:1]), images))]
    rows += [torch.cat((image[None], row)) for image, row in zip(images, decoded, strict=True)]
    return tile_images(rows, separate_first=True)


@torch.no_grad()
def draw_style_interpolations(vae: VAE, references: References, steps: int = 10) -> Figure:
    """Draws one row for each reference: its content, with styles from its own to that of the next reference."""
    rows = []
    for style, next_style, content in zip(references.style, references.style.roll(-1, 0), references.content, strict=True):
        styles = _interpolate(style, next_style, steps)
        rows.append(vae.decode(torch.cat((styles, content.expand(steps, -1)), 1)).image)
    return tile_images(rows)


@torch.no_grad()
def draw_content_interpolations(vae: VAE, references: References, steps: int = 10) -> Figure:
    """Draws one row for each reference: its style, with contents from its own to that of the next reference."""
    rows = []
    for content, next_content, style in zip(
        references.content, references.content.roll(-1, 0), references.style, strict=True
    ):
        contents = _interpolate(content, next_content, steps)
        rows.append(vae.decode(torch.cat((style.expand(steps, -1), contents), 1)).image)
    return tile_images(rows)


def _grouped_head(vae: VAE) -> GroupedHead:
    """Returns the head of a grouped latent; raises UserError for another latent."""
    latent = vae.encoder.latent
    if not isinstance(latent, GroupedHead):
        raise UserError(
            "this model has no content and style that could be swapped; train one that has, with "
            f"{setting('latent', 'grouped')}."
        )
    return latent


def _interpolate(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Returns (steps, D) codes on the line between two codes (D,), in equal steps."""
    return torch.lerp(start, end, torch.linspace(0, 1, steps, device=start.device)[:, None])
