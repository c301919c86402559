"""Mean images of data sets side by side, with their names and numbers (studies/mean_images.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from torch import Tensor

from ..utils.text import format_number
from .grid import enlarge, figure_of_pixels
from .style import STYLE

__all__ = ["describe_mean_images", "draw_mean_images"]

ROW_PIXELS = 1800  # total width of the images, where they are as wide as high
MAX_IMAGE_PIXELS, MIN_COLUMN_PIXELS = 384, 280  # height of an image, and width of the column that it stands in
COLUMN_GAP_PIXELS, NAME_PIXELS, CAPTION_PIXELS = 24, 44, 112  # between columns, above images, and below them
MAX_NAME_LETTERS = 24


def describe_mean_images(result: Mapping[str, Any]) -> list[str]:
    """Returns a caption of at most three lines for each set of a result of `measure_mean_images`."""
    captions = []
    for s in result["sets"]:
        share = "" if s["share_left"] is None else f"\nvariance around it: {100 * s['share_left']:.1f} %"
        captions.append(f"{s['images']:,} images\ncontrast: {format_number(s['contrast'])}{share}")
    return captions


def draw_mean_images(means: Sequence[Tensor], names: Sequence[str], captions: Sequence[str] = ()) -> Figure:
    """Draws mean images side by side, each enlarged by a whole number so that their heights are about equal.

    Arguments:
        means: The mean images, each with shape (1, C, H, W) and values in [0, 1].
        names: The name above each image; longer names than `MAX_NAME_LETTERS` are cut.
        captions: The text below each image, of at most three short lines, or nothing.
    """
    max_height = min(MAX_IMAGE_PIXELS, ROW_PIXELS // len(means))
    images = [enlarge(mean, max(1, max_height // mean.shape[2]))[0] for mean in means]
    widths = [max(image.shape[1], MIN_COLUMN_PIXELS) for image in images]
    lefts = [sum(widths[:i]) + i * COLUMN_GAP_PIXELS for i in range(len(images))]
    row_height = max(len(image) for image in images)
    page_height = NAME_PIXELS + row_height + (CAPTION_PIXELS if captions else 0)
    page = np.full((page_height, lefts[-1] + widths[-1], 3), 255, np.uint8)
    for image, left in zip(images, lefts, strict=True):
        page[NAME_PIXELS : NAME_PIXELS + len(image), left : left + image.shape[1]] = image
    with rc_context(STYLE):
        figure = figure_of_pixels(page)
        width, height = figure.get_size_inches() * figure.dpi
        for i, left in enumerate(lefts):
            name = names[i] if len(names[i]) <= MAX_NAME_LETTERS else names[i][: MAX_NAME_LETTERS - 1] + "…"
            figure.text(left / width, 1 - (NAME_PIXELS - 12) / height, name, va="baseline")
            if captions:
                below = left / width, 1 - (NAME_PIXELS + row_height + 10) / height
                figure.text(*below, captions[i], va="top", fontsize=STYLE["legend.fontsize"])
    return figure
