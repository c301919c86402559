"""Figures of models whose images come in groups: what is content, what is style, and what lies between them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..errors import UserError
from ..models.fusion import fuse_all
from ..models.latents import GroupedHead
from ..models.vae import VAE
from .grid import tiles

__all__ = ["References", "content_interpolations", "references", "style_interpolations", "swaps"]


MOST = 10  # references, and rows


class References(NamedTuple):
    """One image a group, and its codes.

    images: (R, C, H, W). style: (R, S), means. content: (R, C), means of each image alone. evidence: (R, C), means of
    all of its group that the batch has.
    """

    images: Tensor
    style: Tensor
    content: Tensor
    evidence: Tensor


@torch.no_grad()
def references(vae: VAE, x: Tensor, labels: Tensor) -> References:
    """The first image of each of at most ten labels in a batch x (B, C, H, W), and the evidence of all the batch.

    Raises UserError for a model without content and style.
    """
    latent = vae.encoder.latent
    if not isinstance(latent, GroupedHead):
        raise UserError("this model has no content and style to swap; train one with --latent grouped.")
    features = vae.encoder.features(x.to(vae.device))
    q = latent(features)
    members = latent.evidence(features)  # before a prior is taken in, which a group owes once
    fused, names = fuse_all(members.mean, members.logvar, labels.to(vae.device), latent.settings.fusion)
    place = torch.searchsorted(names, labels.to(names))
    first = torch.stack([(place == i).nonzero()[0, 0] for i in range(min(MOST, len(names)))])
    evidence = fused.mean.float()[place[first]]
    style, content = q.style.mean[first], q.content.mean[first]
    return References(x[first], style, content, evidence)


@torch.no_grad()
def swaps(vae: VAE, found: References, evidence: bool = False) -> Figure:
    """Contents and styles combined: a column has the content of the reference above it, a row the style of that beside it.

    A column's content is that of the image above alone, so that the diagonal is reconstructions, or with `evidence` its
    group's. Nothing is drawn at random.
    """
    contents, count = found.evidence if evidence else found.content, len(found.images)
    z = torch.cat((found.style.repeat_interleave(count, 0), contents.repeat(count, 1)), 1)
    painted = vae.decode(z).image.unflatten(0, (count, count))
    blank = torch.ones_like(found.images[:1])
    rows = [torch.cat((blank, found.images))]
    rows += [torch.cat((image[None], row)) for image, row in zip(found.images, painted.to(found.images), strict=True)]
    return tiles(rows, first_apart=True)


@torch.no_grad()
def style_interpolations(vae: VAE, found: References, steps: int = 10) -> Figure:
    """One row a reference: its content, with styles on the line from its own to that of the next reference."""
    return _between(vae, found, steps, style=True)


@torch.no_grad()
def content_interpolations(vae: VAE, found: References, steps: int = 10) -> Figure:
    """One row a reference: its style, with contents on the line from its own to that of the next reference."""
    return _between(vae, found, steps, style=False)


def _between(vae: VAE, found: References, steps: int, style: bool) -> Figure:
    at = torch.linspace(0, 1, steps, device=found.style.device)[:, None]
    moving, fixed = (found.style, found.content) if style else (found.content, found.style)
    rows = []
    for begin, end, still in zip(moving, moving.roll(-1, 0), fixed, strict=True):
        line, rest = torch.lerp(begin, end, at), still.expand(steps, -1)
        rows.append(vae.decode(torch.cat((line, rest) if style else (rest, line), 1)).image)
    return tiles(rows)
