"""All figures of a run: which there are, and of which model and seed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from splitvae.figures.io import read_fingerprint
from splitvae.figures.run import draw_run
from splitvae.figures.samples import draw_sheet
from splitvae.runs import Run

SPLIT_RUN_FIGURES = ["samples", "components", "maps", "curves", "components-reconstructed", "reconstructions"]
SPLIT_RUN_FIGURES += ["interpolations", "traversals", "latents"]


def test_draw_run_writes_every_figure_of_the_present_model(split_run: Run) -> None:
    files = list((split_run.path / "figures").iterdir())
    assert {file.name for file in files} == {f"{name}.png" for name in [*SPLIT_RUN_FIGURES, "samples-gmm"]}
    assert {read_fingerprint(file) for file in files} == {split_run.vae.fingerprint()}


def test_samples_and_images_follow_the_seed(
    split_run: Run, tmp_path: Path, figure_pixels: Callable[[Figure], np.ndarray]
) -> None:
    run = Run(shutil.copytree(split_run.path, tmp_path / "run"))
    draw_run(run, seed=1)
    page = np.asarray(Image.open(run.path / "figures" / "samples.png").convert("RGB"))
    assert np.array_equal(page, figure_pixels(draw_sheet(run.vae.sample(100, 1).image)))
    for name, same in (("samples", False), ("reconstructions", False), ("curves", True)):
        files = [each.path / "figures" / f"{name}.png" for each in (split_run, run)]
        assert (files[0].read_bytes() == files[1].read_bytes()) == same
