"""What is measured of a run, and when an evaluation is used again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from splitvae import metrics
from splitvae.config import Config
from splitvae.data.images import evenly_spaced
from splitvae.errors import UserError
from splitvae.evaluation.diagnostics import cached_or_diagnose, diagnose
from splitvae.evaluation.tables import evaluation_table
from splitvae.models.posteriors import GaussianPosterior
from splitvae.presets.build import build_vae
from splitvae.runs import Run
from splitvae.utils.text import format_number, shorten_path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Run]:
    """Untrained runs, plain and split, on 60 random images."""
    folder = tmp_path_factory.mktemp("runs")
    rng = np.random.default_rng(0)
    images = {f"x_{part}": rng.integers(0, 256, (n, 16, 16), dtype=np.uint8) for part, n in (("train", 30), ("test", 60))}
    np.savez(folder / "images.npz", **images)
    return {split: make(folder / f"split{split}", folder / "images.npz", split) for split in (1, 2)}


def make(path: Path, data: Path, split: int) -> Run:
    torch.manual_seed(split)
    config = Config().override(data=str(data), shape=(1, 16, 16), latent_dim=5, split=split, width=4, scales=2, embedding=8)
    vae = build_vae(config).eval()
    run = Run.begin(path, config, vae.counts())
    run.save_model(vae)
    return run


def test_the_numbers_written_are_those_of_the_functions(runs: dict[int, Run]) -> None:
    run = runs[2]
    result = diagnose(run)
    assert result == run.evaluation
    x = run.images("test").pixels.float() / 255
    canvas, codes = run.vae.reconstruct(x), run.codes("test")
    assert result["reconstruction"]["mse"]["value"] == pytest.approx(float((canvas.image - x).square().mean()), rel=1e-5)
    assert result["latent"]["kl"]["value"] == pytest.approx(
        float(GaussianPosterior(codes.mean, codes.logvar).kl().mean()), rel=1e-5
    )
    assert result["latent"]["inactive_by_mean"] == metrics.inactive_by_mean(codes.mean)
    split = result["split"]
    assert split["high_frequency_share"]["value"] == pytest.approx(metrics.high_frequency_share(canvas.masks), rel=1e-4)
    assert split["edge_overlap"]["value"] == pytest.approx(metrics.edge_overlap(canvas.masks, x), rel=1e-4)
    assert split["map_contrast"]["value"] == pytest.approx(metrics.map_contrast(canvas.masks), rel=1e-4)
    assert split["mean_ambiguity"]["value"] == pytest.approx(metrics.mean_ambiguity(canvas), rel=1e-4)
    assert result["model"]["fingerprint"] == run.vae.fingerprint()
    assert result["model"]["parameters"] == run.vae.counts()


def test_an_unsplit_model_has_no_split_in_its_evaluation(runs: dict[int, Run]) -> None:
    assert diagnose(runs[1])["split"] is None


def test_measuring_is_repeatable_and_does_not_change_the_random_state(runs: dict[int, Run]) -> None:
    runs[2].vae.train()
    state = torch.get_rng_state()
    first, second = diagnose(runs[2]), diagnose(runs[2])
    assert first == second
    assert torch.equal(state, torch.get_rng_state())
    assert not runs[2].vae.training
    assert first["reconstruction"]["mse_sampled"] != diagnose(runs[2], seed=1)["reconstruction"]["mse_sampled"]


def test_an_evaluation_is_used_again_until_the_model_changes(runs: dict[int, Run]) -> None:
    diagnose(runs[1], limit=7)
    assert cached_or_diagnose(runs[1])["data"]["images"] == 7
    with torch.no_grad():
        runs[1].vae.encoder.latent.mean.bias.add_(1)
    assert cached_or_diagnose(runs[1])["data"]["images"] == 60


def test_metrics_are_kept_for_the_same_images_whatever_was_noted_of_them(runs: dict[int, Run]) -> None:
    run = runs[1]
    file, saved = run.path / "evaluation.json", diagnose(run)
    file.write_text(json.dumps(saved | {"data": saved["data"] | {"notes": ["downloaded from somewhere"]}}))
    assert diagnose(run, metrics=["mse"])["latent"] == saved["latent"]
    others = {key: value for key, value in saved.items() if key != "latent"}
    file.write_text(json.dumps(others | {"data": saved["data"] | {"sha256": "of other images"}}))
    assert cached_or_diagnose(run)["reconstruction"] == saved["reconstruction"]


def test_a_limit_chooses_evenly_spaced_images_and_must_be_at_least_one(runs: dict[int, Run]) -> None:
    assert evenly_spaced(10, 4).tolist() == [0, 2, 5, 7]
    assert evenly_spaced(3, 10).tolist() == [0, 1, 2]
    with pytest.raises(UserError, match="limit=0"):
        diagnose(runs[1], limit=0)


def test_a_table_has_one_line_per_number(runs: dict[int, Run]) -> None:
    result = diagnose(runs[2])
    text = evaluation_table(result)
    assert text.startswith(f"Measured on 60 test images of {shorten_path(result['data']['source'])}:")
    assert f"{format_number(result['latent']['kl']['value'])} ± " in text
    assert result["split"]["verdict"] in text
    assert evaluation_table(diagnose(runs[1])).count("not applicable") == 5
