"""What the page about one run calls its model, and which figures it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from splitvae.config import Config
from splitvae.presets.build import build_vae
from splitvae.report.captions import FIGURES
from splitvae.report.page import write_report
from splitvae.runs import Run

SMALL = Config().override(shape=(1, 16, 16), latent_dim=3, split=1, width=4, scales=2, embedding=8)


@pytest.mark.parametrize("loss", ["intro", "elbo"])
def test_reports_of_introspective_runs_alone_show_the_plane_and_the_deviations(tmp_path: Path, loss: str) -> None:
    data = tmp_path / "images.npz"
    rng = np.random.default_rng(0)
    np.savez(data, x_train=rng.integers(0, 256, (30, 16, 16), np.uint8), x_test=rng.integers(0, 256, (2, 16, 16), np.uint8))
    torch.manual_seed(0)
    config = SMALL.override(data=str(data), loss=loss)
    run = Run.begin(tmp_path / "run", config, {})
    run.save_model(build_vae(config).eval())
    page = write_report(run).read_text()
    drawn = {file.stem for file in (run.path / "figures").iterdir()}
    assert {"plane", "deviations"} & drawn == ({"plane", "deviations"} if loss == "intro" else set())
    for name in ("plane", "deviations"):
        assert (FIGURES[name].title in page) == (loss == "intro")


def test_every_figure_that_some_runs_have_has_a_caption() -> None:
    groups = {
        "swaps",
        "swaps-independent",
        "swaps-evidence",
        "style-interpolations",
        "content-interpolations",
        "probes",
        "code-maps",
    }
    others = {
        "plane",
        "deviations",
        "distances",
        "film.gif",
        "samples-flow",
        "samples-conditional-flow",
        "samples-gmm",
        "samples-second-stage",
    }
    assert {name for name, caption in FIGURES.items() if caption.runs == "some"} == groups | others


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"split": 2}, "This is a Split-VAE: "),
        ({"loss": "rae"}, "This is a regularized autoencoder: "),
        ({"loss": "intro", "margin": 60.0}, "α = 0.25, β = 0.5, a margin of 60 nats and seed 0"),
        ({"loss": "intro", "alpha": 0.0}, "This is a plain VAE: "),
        ({"loss": "intro", "split": 2, "alpha_decoder": 0.5}, "This is a Split-IntroVAE: "),
        ({"loss": "soft-intro", "split": 3}, "This is a Soft-IntroVAE split in 3: "),
    ],
)
def test_a_report_calls_a_system_by_its_name(tmp_path: Path, fields: dict[str, Any], words: str) -> None:
    config = SMALL.override(**fields)
    run = Run.begin(tmp_path / "run", config, {})
    run.save_model(build_vae(config))
    assert words in write_report([run]).read_text(encoding="utf-8")
