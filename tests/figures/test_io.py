"""Figure files: whole, and with the model that they show."""

from __future__ import annotations

from pathlib import Path

import torch

from splitvae.figures.io import read_fingerprint, save_figure, to_uint8
from splitvae.figures.samples import draw_sheet


def test_a_saved_figure_names_its_model(tmp_path: Path) -> None:
    path = save_figure(draw_sheet(torch.rand(2, 1, 16, 16)), tmp_path / "new" / "a.png", "abc")
    assert read_fingerprint(path) == "abc"
    assert read_fingerprint(tmp_path / "none.png") == ""
    assert [file.name for file in path.parent.iterdir()] == ["a.png"]


def test_every_byte_is_the_nearest_level() -> None:
    levels = torch.arange(256) / 255
    images = torch.stack((levels - 0.4 / 255, levels, levels + 0.4 / 255)).view(3, 1, 16, 16)
    for dtype in (torch.float32, torch.float64):
        expected = torch.arange(256).byte().view(1, 16, 16, 1).expand(3, -1, -1, -1)
        assert torch.equal(torch.from_numpy(to_uint8(images.to(dtype))), expected)
