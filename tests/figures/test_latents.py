"""The chart of the latents."""

from __future__ import annotations

import torch

from splitvae.figures.latents import plot_latent_spectrum
from splitvae.models.codes import Codes


def test_the_spectrum_has_a_bar_for_each_latent_sorted_by_kl() -> None:
    codes = Codes(torch.randn(100, 7) * torch.arange(7), torch.zeros(100, 7))
    heights = [bar.get_height() for bar in plot_latent_spectrum(codes).axes[0].patches]
    assert len(heights) == 7
    assert heights == sorted(heights, reverse=True)
