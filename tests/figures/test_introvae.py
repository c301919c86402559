"""Planes of codes, deviations, curves of KLs: what stands where."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from splitvae import figures
from splitvae.config import Config
from splitvae.figures.introvae import deviations, plane
from splitvae.figures.training_curves import kl_chart
from splitvae.models.codes import Codes
from splitvae.models.vae import VAE
from splitvae.presets.build import build_vae
from splitvae.report.captions import LATER, SOMETIMES
from splitvae.report.page import write
from splitvae.runs import Run

SMALL = Config().override(shape=(1, 16, 16), latent_dim=3, split=1, width=4, scales=2, embedding=8)
TILE, STEP = 96, 100  # pixels of an image of side 16, and to the next


@pytest.fixture(scope="module")
def vae() -> VAE:
    torch.manual_seed(0)
    return build_vae(SMALL).eval()


def pixels(figure: figures.Figure) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(figures.png(figure))).convert("RGB")).astype(int)


@torch.no_grad()
def painted(vae: VAE, code: Tensor) -> np.ndarray:
    page = (vae.decode(code[None]).image[0] * 255).round().byte().expand(3, -1, -1).permute(1, 2, 0).numpy()
    return page.repeat(6, 0).repeat(6, 1).astype(int)


def alike(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.abs(a - b).max() <= 1)  # a batch of another size may round otherwise


def test_the_plane_has_its_three_codes_in_three_corners_and_their_sum_in_the_fourth(vae: VAE) -> None:
    codes = 3 * torch.randn(3, 3)
    page = pixels(plane(vae, codes, steps=5))
    assert page.shape == (5 * STEP - 4, 5 * STEP - 4, 3)
    assert alike(page[:TILE, :TILE], painted(vae, codes[0]))
    assert alike(page[-TILE:, :TILE], painted(vae, codes[1]))
    assert alike(page[:TILE, -TILE:], painted(vae, codes[2]))
    assert alike(page[-TILE:, -TILE:], painted(vae, codes[1] + codes[2] - codes[0]))
    assert alike(page[2 * STEP : 2 * STEP + TILE, :TILE], painted(vae, (codes[0] + codes[1]) / 2))


def test_deviations_move_the_most_used_latent_from_its_largest_value_to_its_smallest(vae: VAE) -> None:
    mean = torch.randn(50, 3) * torch.tensor([0.5, 3.0, 1.0])
    mean[:, 0] += 1  # far from 0, as public code would choose, but with less KL
    logvar = torch.tensor([0.2, -4.0, 0.4]).expand(50, 3)
    figure = deviations(vae, Codes(mean, logvar))
    texts = [text.get_text() for text in figure.texts]
    assert texts[0].startswith("$z_{1}$") and len(texts) == 13
    page = pixels(figure)
    left = page.shape[1] - 10 * STEP + 4
    for row in range(3):
        code = row * torch.exp(logvar[0] / 2)
        for column, value in ((0, mean[:, 1].max()), (9, mean[:, 1].min())):
            code[1] = value
            y, x = page.shape[0] - (3 - row) * STEP + 4, left + column * STEP
            assert alike(page[y : y + TILE, x : x + TILE], painted(vae, code))


def test_codes_without_noise_are_moved_by_their_own_deviations(vae: VAE) -> None:
    mean = 1 + torch.randn(50, 3) * torch.tensor([0.5, 3.0, 1.0])
    page = pixels(deviations(vae, Codes(mean, None)))
    code = mean.mean(0) + 2 * mean.std(0, correction=0)
    code[1] = mean[:, 1].min()
    assert alike(page[-TILE:, -TILE:], painted(vae, code))


def test_a_chart_has_a_line_for_each_kl_and_one_for_the_margin_which_may_move() -> None:
    rows = [{"epoch": e, "kl_real": 3.0 + e, "kl_rec": 8.0, "kl_fake": 0.0, "margin": 10.0} for e in range(1, 4)]
    (axes,) = kl_chart(rows, 10).axes
    assert [line.get_label() for line in axes.lines] == ["images", "reconstructions", "samples", "margin"]
    assert list(axes.lines[3].get_ydata()) == [10, 10]
    assert min(axes.lines[2].get_ydata()) > 0  # the axis is logarithmic
    rows[2]["margin"] = 15.0
    assert list(kl_chart(rows, 10).axes[0].lines[3].get_ydata()) == [10, 10, 15]
    plain = [{"epoch": e, "kl_real": 3.0} for e in range(1, 4)]  # epochs of a plain VAE
    assert len(kl_chart(plain, 20).axes[0].lines) == 2
    assert list(kl_chart([], 20).axes[0].lines[0].get_ydata()) == [20, 20]


@pytest.mark.parametrize("loss", ["intro", "elbo"])
def test_reports_of_introspective_runs_show_them_and_those_of_others_do_not(tmp_path: Path, loss: str) -> None:
    data = tmp_path / "images.npz"
    rng = np.random.default_rng(0)
    np.savez(data, x_train=rng.integers(0, 256, (30, 16, 16), np.uint8), x_test=rng.integers(0, 256, (2, 16, 16), np.uint8))
    torch.manual_seed(0)
    config = Config(**{**vars(SMALL), "data": str(data), "loss": loss})
    run = Run.begin(tmp_path / "run", config, {})
    run.save_model(build_vae(config).eval())
    page = write(run).read_text()
    drawn = {file.stem for file in (run.path / "figures").iterdir()}
    assert {"plane", "deviations"} & drawn == ({"plane", "deviations"} if loss == "intro" else set())
    for name in ("plane", "deviations"):
        assert (SOMETIMES[name][0] in page) == (loss == "intro")


def test_every_caption_of_a_later_figure_exists() -> None:
    assert set(LATER) == {name for name in SOMETIMES if not name.startswith("samples-")}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"split": 2}, "This is a Split-VAE: "),
        ({"loss": "rae"}, "This is a regularized autoencoder: "),
        ({"loss": "intro", "margin": 60.0}, "α = 0.25, β = 1, a margin of 60 nats and seed 0"),
        ({"loss": "intro", "alpha": 0.0}, "This is a plain VAE: "),
        ({"loss": "intro", "split": 2, "alpha_decoder": 0.5}, "This is a Split-IntroVAE: "),
        ({"loss": "soft-intro", "split": 3}, "This is a Soft-IntroVAE split in 3: "),
    ],
)
def test_a_report_calls_a_system_by_its_name(tmp_path: Path, fields: dict[str, Any], words: str) -> None:
    config = replace(SMALL, **fields)
    run = Run.begin(tmp_path / "run", config, {})
    run.save_model(build_vae(config))
    assert words in write([run]).read_text(encoding="utf-8")
