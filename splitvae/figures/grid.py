"""Grids of images as one `Figure`, pixel by pixel.

Every image is enlarged by the same whole number, chosen so that ten of them fill about the width of a page. Nothing is
interpolated, so that a pixel of an image becomes a square of exactly its colour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath
from torch import Tensor

from .io import to_uint8
from .style import DPI, STYLE

__all__ = ["enlarge", "figure_of_pixels", "tile_images"]

PAGE_WIDTH_PIXELS = 1000  # of ten images or more
GAP_PIXELS, GROUP_GAP_PIXELS = 4, 20  # between images, and between groups of rows
MARGIN_PIXELS, HEADING_PIXELS = 12, 34  # around labels, and above the first row if there are headings
WHITE = (255, 255, 255)


def enlarge(images: Tensor, scale: int) -> np.ndarray:
    """Converts images (N, C, H, W) in [0, 1] to RGB bytes (N, scale H, scale W, 3), each pixel repeated as a square."""
    pixels = to_uint8(images)
    return np.broadcast_to(pixels, (*pixels.shape[:3], 3)).repeat(scale, 1).repeat(scale, 2)


def figure_of_pixels(page: np.ndarray) -> Figure:
    """Returns a figure of exactly the size and the pixels of an RGB page (H, W, 3). Call it inside `rc_context(STYLE)`."""
    height, width = (side + 0.01 for side in page.shape[:2])  # a bit more, since the canvas rounds down
    figure = Figure((width / DPI, height / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    figure.figimage(page)
    return figure


def tile_images(
    rows: Sequence[Tensor],
    labels: Sequence[str] = (),
    headings: Sequence[str] = (),
    *,
    rows_per_group: int = 0,
    gap_colour: tuple[int, int, int] = WHITE,
    separate_first: bool = False,
) -> Figure:
    """Draws a grid of images.

    Arguments:
        rows: The images of each row from the left, with shape (n, C, H, W) and values in [0, 1]; n may vary.
        labels: The text to the left of each row, or nothing.
        headings: The text above each column, or nothing.
        rows_per_group: The number of rows after which a larger gap follows, or 0 for constant gaps.
        gap_colour: The colour (red, green, blue) of the gaps between images.
        separate_first: Whether a larger gap follows the first row and the first column.
    """
    columns = max(map(len, rows))
    target_width = PAGE_WIDTH_PIXELS / max(columns, 10) - GAP_PIXELS
    scale = max(1, round(target_width / rows[0].shape[-1]))
    blocks = [enlarge(row, scale) for row in rows]
    height, width = blocks[0].shape[1:3]
    left = math.ceil(max(map(_text_width, labels)) * DPI / 72) + 2 * MARGIN_PIXELS if labels else 0
    top = HEADING_PIXELS if headings else 0
    more = GROUP_GAP_PIXELS - GAP_PIXELS
    y_of_row = [top + i * (height + GAP_PIXELS) for i in range(len(rows))]
    x_of_column = [left + j * (width + GAP_PIXELS) for j in range(columns)]
    if rows_per_group:
        y_of_row = [y + i // rows_per_group * more for i, y in enumerate(y_of_row)]
    elif separate_first:
        y_of_row = [y + more * (i > 0) for i, y in enumerate(y_of_row)]
    if separate_first:
        x_of_column = [x + more * (j > 0) for j, x in enumerate(x_of_column)]
    page = np.full((y_of_row[-1] + height, x_of_column[-1] + width, 3), 255, np.uint8)
    for block, y in zip(blocks, y_of_row, strict=True):
        page[y : y + height + GAP_PIXELS, left : x_of_column[len(block) - 1] + width] = gap_colour
        for image, x in zip(block, x_of_column, strict=False):
            page[y : y + height, x : x + width] = image
    with rc_context(STYLE):
        figure = figure_of_pixels(page)
        page_width, page_height = figure.get_size_inches() * DPI
        for label, y in zip(labels, y_of_row, strict=True) if labels else ():
            place = (left - MARGIN_PIXELS) / page_width, 1 - (y + height / 2) / page_height
            figure.text(*place, label, ha="right", va="center_baseline")
        for heading, x in zip(headings, x_of_column, strict=False):
            place = (x + width / 2) / page_width, 1 - (top - MARGIN_PIXELS) / page_height
            figure.text(*place, heading, ha="center", va="baseline")
    return figure


def _text_width(label: str) -> float:
    """Returns the width of a text in points."""
    with rc_context(STYLE):
        return TextPath((0, 0), label, size=STYLE["font.size"]).get_extents().width if label else 0.0
