"""Sheets: rows of images as one `Figure`, pixel by pixel.

All images are enlarged by a whole number, such that ten fill about the width of a page, and separated by a constant gap;
nothing is interpolated.
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

from .style import DPI, STYLE

__all__ = ["tiles"]


PAGE, GAP, BREAK, MARGIN = 1000, 4, 20, 12  # pixels: width of ten images or more, and spaces between them


WHITE = (255, 255, 255)


def _enlarged(images: Tensor, width: float) -> np.ndarray:
    """Images (N, C, H, W) in [0, 1] as uint8 (N, H', W', 3), about `width` wide, each pixel a square of whole size."""
    pixels = (images.detach().cpu().float().clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    scale = max(1, round(width / pixels.shape[2]))
    return np.broadcast_to(pixels, (*pixels.shape[:3], 3)).repeat(scale, 1).repeat(scale, 2)


def tiles(
    rows: Sequence[Tensor],
    labels: Sequence[str] = (),
    headings: Sequence[str] = (),
    group: int = 0,
    gap: tuple[int, int, int] = WHITE,
    first_apart: bool = False,
) -> Figure:
    """Rows of images, each (n, C, H, W), with labels to the left, headings above, a break after each `group` of rows.

    `first_apart` sets the first row and the first column apart from the others.
    """
    columns = max(map(len, rows))
    blocks = [_enlarged(row, PAGE / max(columns, 10) - GAP) for row in rows]
    height, width = blocks[0].shape[1:3]
    left = math.ceil(max(map(_points, labels)) * DPI / 72) + 2 * MARGIN if labels else 0
    top = 34 if headings else 0
    apart = BREAK - GAP if first_apart else 0
    tops = [top + i * (height + GAP) + (i // group * (BREAK - GAP) if group else apart * (i > 0)) for i in range(len(rows))]
    lefts = [left + j * (width + GAP) + apart * (j > 0) for j in range(columns)]
    page = np.full((tops[-1] + height, lefts[-1] + width, 3), 255, np.uint8)
    for block, y in zip(blocks, tops, strict=True):
        page[y : y + height + GAP, left : lefts[len(block) - 1] + width] = gap
        for image, x in zip(block, lefts, strict=False):
            page[y : y + height, x : x + width] = image
    with rc_context(STYLE):
        size = (page.shape[1] + 0.01, page.shape[0] + 0.01)  # a hair more, since the canvas rounds down
        figure = Figure((size[0] / DPI, size[1] / DPI), dpi=DPI)
        FigureCanvasAgg(figure)
        figure.figimage(page)
        for label, y in zip(labels, tops, strict=True) if labels else ():
            place = (left - MARGIN) / size[0], 1 - (y + height / 2) / size[1]
            figure.text(*place, label, ha="right", va="center_baseline")
        for heading, x in zip(headings, lefts, strict=False):
            figure.text((x + width / 2) / size[0], 1 - (top - MARGIN) / size[1], heading, ha="center", va="baseline")
    return figure


def _points(label: str) -> float:
    with rc_context(STYLE):
        return TextPath((0, 0), label, size=STYLE["font.size"]).get_extents().width if label else 0.0
