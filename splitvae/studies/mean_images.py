"""TODO docstring of studies.mean_images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..data.images import Images
from ..errors import UserError
from ..utils.text import align_columns, format_number
from .categories import CHUNK, titled

__all__ = ["mean_image", "mean_study", "mean_table"]


# ---------------------------------------------------------------- mean images


def mean_image(images: Images) -> Tensor:
    """The mean of images, (1, C, H, W) float64 in [0, 1]; bytes are summed as integers, so that it is exact."""
    if not len(images):
        raise UserError(f"{images.source} has no images, and no mean image: give at least 1.")
    total = torch.zeros(images.shape, dtype=torch.int64)
    for part in images.pixels.split(CHUNK):
        total += part.long().sum(0)
    return (total.double() / (255 * len(images)))[None]


def mean_study(sets: Sequence[Images]) -> dict[str, Any]:
    """How much the mean image of each set tells of its images; "sets" are in the order given.

    Each has "contrast", the deviation of the mean image over its pixels; "variance" of the images around their mean colour
    and "around_mean_image"; and "share_left", the latter's share of the former (None where nothing varies). The formulas
    are those at the head of this file; units are those of pixels in [0, 1], variances being squared.
    Raises UserError for a set of fewer than two images.
    """
    found = []
    for images in sets:
        if len(images) < 2:
            raise UserError(f"{images.source} has {len(images)} image(s): at least 2 are needed to vary around their mean.")
        mean, squares = mean_image(images), 0
        for part in images.pixels.split(CHUNK):
            squares += int(part.long().square().sum())
        square = squares / (255**2 * images.pixels.numel())  # mean of x^2
        colour = mean.mean((2, 3), keepdim=True)
        variance, left = square - float(colour.square().mean()), square - float(mean.square().mean())
        found.append(
            {
                "source": images.source,
                "part": images.split,
                "images": len(images),
                "shape": list(images.shape),
                "contrast": float((mean - colour).square().mean().sqrt()),
                "variance": variance,
                "around_mean_image": left,
                "share_left": left / variance if variance > 1e-12 else None,
            }
        )
    return {"sets": found, "notes": list(dict.fromkeys(note for images in sets for note in images.notes))}


def mean_table(result: Mapping[str, Any]) -> str:
    """The numbers of `mean_study` as lines of text."""
    headings = ["mean image of", "part", "images", "size", "contrast", "variance", "left around the mean image"]
    rows = []
    for s in result["sets"]:
        share = "not applicable" if s["share_left"] is None else f"{100 * s['share_left']:.1f} %"
        size = "x".join(map(str, s["shape"]))
        measured = format_number(s["contrast"]), format_number(s["variance"]), share
        rows.append([titled(s["source"]), s["part"], f"{s['images']:,}", size, *measured])
    return "\n".join([align_columns(headings, rows), *(f"Note: {note}" for note in result["notes"])])
