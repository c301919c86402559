r"""The mean image of a data set, and how much of the images' variance it explains, measured without any model.

Of images x_1, ..., x_N with mean image m (C, H, W), whose mean over pixels is the colour c (C):

    contrast^2 = mean (m - c)^2 ,    variance = mean (x_i - c)^2 ,    around the mean image = mean (x_i - m)^2 ,

and variance = contrast^2 + around the mean image. The share of the variance that is left around the mean image is 1 where
the mean image is flat, so that it says nothing about an image. The share is smaller the better the images are aligned, as
faces are.

Reference: Enhancing variational generation through self-decomposition (Asperti, Bugo, Filippini, 2022), section 5.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..data.images import Images
from ..errors import UserError
from ..utils.text import align_columns, count_noun, format_number
from .categories import shorten_source

__all__ = ["mean_image", "mean_image_table", "measure_mean_images"]

IMAGES_PER_BLOCK = 250  # that are summed at once


def mean_image(images: Images) -> Tensor:
    """Returns the mean of images, with shape (1, C, H, W), dtype float64 and values in [0, 1].

    Bytes are summed as integers, so that the result is exact.
    """
    if not len(images):
        raise UserError(f"{images.source} has no images, and no mean image: give at least 1.")
    total = torch.zeros(images.shape, dtype=torch.int64)
    for block in images.pixels.split(IMAGES_PER_BLOCK):
        total += block.long().sum(0)
    return (total.double() / (255 * len(images)))[None]


def measure_mean_images(sets: Sequence[Images]) -> dict[str, Any]:
    """Measures how much of the variance of each set its mean image explains (formulas at the head of this file).

    Returns a dict whose "sets", in the order given, have "contrast", "variance", "around_mean_image" and "share_left", the
    share of the variance that is left around the mean image, or None if nothing varies. Pixels are in [0, 1].

    Raises:
        UserError: If a set has fewer than two images.
    """
    results = []
    for images in sets:
        if len(images) < 2:
            held = count_noun(len(images), "image")
            raise UserError(f"{images.source} has {held}: at least 2 are needed to vary around their mean.")
        mean, squares = mean_image(images), 0
        for block in images.pixels.split(IMAGES_PER_BLOCK):
            squares += int(block.long().square().sum())
        mean_square = squares / (255**2 * images.pixels.numel())
        colour = mean.mean((2, 3), keepdim=True)
        variance = mean_square - float(colour.square().mean())
        around_mean = mean_square - float(mean.square().mean())
        results.append(
            {
                "source": images.source,
                "part": images.part,
                "images": len(images),
                "shape": list(images.shape),
                "contrast": float((mean - colour).square().mean().sqrt()),
                "variance": variance,
                "around_mean_image": around_mean,
                "share_left": around_mean / variance if variance > 1e-12 else None,
            }
        )
    return {"sets": results, "notes": list(dict.fromkeys(note for images in sets for note in images.notes))}


def mean_image_table(result: Mapping[str, Any]) -> str:
    """Formats a result of `measure_mean_images` as lines of text."""
    headings = ["mean image of", "part", "images", "size", "contrast", "variance", "left around the mean image"]
    rows = []
    for s in result["sets"]:
        share = "not applicable" if s["share_left"] is None else f"{100 * s['share_left']:.1f} %"
        size = "x".join(map(str, s["shape"]))
        numbers = format_number(s["contrast"]), format_number(s["variance"]), share
        rows.append([shorten_source(s["source"]), s["part"], f"{s['images']:,}", size, *numbers])
    return "\n".join([align_columns(headings, rows), *(f"Note: {note}" for note in result["notes"])])
