"""Mean images side by side."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from matplotlib.figure import Figure

from splitvae.figures.mean_images import draw_mean_images


def test_mean_images_are_shown_pixel_by_pixel(
    figure_pixels: Callable[[Figure], np.ndarray], enlarged: Callable[..., np.ndarray]
) -> None:
    means = [torch.rand(1, 3, 32, 32, dtype=torch.float64), torch.rand(1, 1, 64, 64, dtype=torch.float64)]
    page = figure_pixels(draw_mean_images(means, ["a", "b"]))
    assert np.array_equal(page[-384:, :384], enlarged(means[0][0], 12))
    assert np.array_equal(page[-384:, -384:], enlarged(means[1][0], 6))
