"""TODO docstring of figures.mean_images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from ..utils.text import format_number
from .categories import COLUMN, FOOT, GAP, HEAD, LARGEST, LETTERS, MEANS
from .style import DPI, STYLE

__all__ = ["mean_captions", "mean_sheet"]


def mean_captions(result: Mapping[str, Any]) -> list[str]:
    """What `mean_study` says of each set, in three lines for `mean_sheet`."""
    found = []
    for s in result["sets"]:
        share = "" if s["share_left"] is None else f"\nvariance around it: {100 * s['share_left']:.1f} %"
        found.append(f"{s['images']:,} images\ncontrast: {format_number(s['contrast'])}{share}")
    return found


def mean_sheet(means: Sequence[Tensor], names: Sequence[str], captions: Sequence[str] = ()) -> Figure:
    """Mean images (1, C, H, W) in [0, 1] side by side, enlarged by whole numbers to about one height, below their names.

    `captions`, of at most three short lines each, stand below them.
    """
    height = min(LARGEST, MEANS // len(means))
    tiles = [_enlarged(mean, height) for mean in means]
    wide = [max(tile.shape[1], COLUMN) for tile in tiles]
    tall = max(len(tile) for tile in tiles)
    page = np.full((HEAD + tall + (FOOT if captions else 0), sum(wide) + GAP * (len(tiles) - 1), 3), 255, np.uint8)
    with rc_context(STYLE):
        size = (page.shape[1] + 0.01, page.shape[0] + 0.01)  # a hair more, since the canvas rounds down
        figure = Figure((size[0] / DPI, size[1] / DPI), dpi=DPI)
        FigureCanvasAgg(figure)
        left = 0
        for i, tile in enumerate(tiles):
            page[HEAD : HEAD + len(tile), left : left + tile.shape[1]] = tile
            name = names[i] if len(names[i]) <= LETTERS else names[i][: LETTERS - 1] + "…"
            figure.text(left / size[0], 1 - (HEAD - 12) / size[1], name, va="baseline")
            if captions:
                below = left / size[0], 1 - (HEAD + tall + 10) / size[1]
                figure.text(*below, captions[i], va="top", fontsize=STYLE["legend.fontsize"])
            left += wide[i] + GAP
        figure.figimage(page)
    return figure


def _enlarged(image: Tensor, height: int) -> np.ndarray:
    """An image (1, C, H, W) in [0, 1] as uint8 (H', W', 3), at most `height` tall or as it is, each pixel a square."""
    pixels = (image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    scale = max(1, height // len(pixels))
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3)).repeat(scale, 0).repeat(scale, 1)
