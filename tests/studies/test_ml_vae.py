"""The Multi-Level VAE's experiment: frozen heads stay frozen, and nothing is trained or measured twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from splitvae.cli.app import main
from splitvae.errors import UserError
from splitvae.models.posteriors import GaussianPosterior
from splitvae.runs import Run
from splitvae.studies import ml_vae
from splitvae.studies.ml_vae_public_code import WEIGHT_STD, fuse_by_label
from splitvae.studies.ml_vae_systems import SYSTEMS
from splitvae.studies.ml_vae_tables import ml_vae_table
from splitvae.training.interrupts import Interrupted


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Images of 28x28 pixels with a bright stripe for each of three classes."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 700)
    images = rng.integers(0, 60, (700, 28, 28), dtype=np.uint8)
    for i, label in enumerate(labels):
        images[i, 8 * label : 8 * label + 6] += 150
    file = tmp_path_factory.mktemp("data") / "stripes.npz"
    parts = {"images_train": images[:600], "labels_train": labels[:600]}
    np.savez(file, **parts, images_test=images[600:], labels_test=labels[600:])
    return str(file)


@pytest.fixture
def _few_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reduces the experiment to four systems, two of them with figures."""
    systems = {name: SYSTEMS[name] for name in ("readme-1", "readme-0.1", "corrected", "plain")}
    monkeypatch.setattr(ml_vae, "SYSTEMS", systems)
    monkeypatch.setattr(ml_vae, "SYSTEMS_WITH_FIGURES", ("readme-1", "corrected"))


@pytest.mark.usefixtures("_few_systems")
def test_the_experiment_trains_and_probes_each_system_once(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = ml_vae.reproduce_ml_vae(tmp_path, data, epochs=1, iterations=30, progress=False)

    readme = Run(tmp_path / "readme-0.1")
    latent = readme.vae.encoder.latent
    for head in (latent.content_mean, latent.content_logvar):  # never trained, as in public code
        assert not head.bias.any()
        assert abs(float(head.weight.detach().std()) - WEIGHT_STD) < 0.002
    assert latent.style_mean.bias.any()
    assert readme.config.options()["group_eps_std"] == 0.1
    assert readme.config.options()["scaling"] == "pixels"
    trained = Run(tmp_path / "plain").vae.encoder.latent
    assert trained.content_mean.bias.all()
    assert trained.content_logvar.bias.all()

    for name in ("readme-1", "readme-0.1"):
        accuracies = result["systems"][name]["readme"]
        for key in ("style", "content", "content, evidence", "style means", "content means"):
            assert 0 <= accuracies[key]["test"] <= 1
            assert 0 <= accuracies[f"untrained {key}"]["test"] <= 1
    assert [point["members"] for point in result["systems"]["plain"]["curve"]] == [1, 4]
    assert result["systems"]["corrected"]["epochs"] == 6
    for name, figure in (("readme-1", "code-maps"), ("corrected", "code-maps"), ("corrected", "probes")):
        assert (tmp_path / name / "figures" / f"{figure}.png").exists()
    table = (tmp_path / "ml-vae.txt").read_text()
    assert table == ml_vae_table(result) + "\n"
    assert "99.7" in table
    assert "untrained encoder" in table

    def never(*_: object, **__: object) -> None:
        raise AssertionError("was measured again")

    monkeypatch.setattr(ml_vae, "probe", never)
    monkeypatch.setattr(ml_vae, "probe_as_public_code", never)
    assert ml_vae.reproduce_ml_vae(tmp_path, data, epochs=1, iterations=30, progress=False)["systems"] == result["systems"]


@pytest.mark.usefixtures("_few_systems")
def test_ctrl_c_says_that_the_same_command_goes_on(data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise Interrupted(tmp_path, 0, 3)

    monkeypatch.setattr(ml_vae, "train", interrupt)
    with pytest.raises(UserError, match="the same command goes on") as stop:
        ml_vae.reproduce_ml_vae(tmp_path, data, progress=False)
    assert stop.value.status == 130


def test_without_learning_evidence_by_label_makes_codes_separable() -> None:
    """The finding behind the table: random projections of noisy images, fused by true label, tell the label."""
    torch.manual_seed(0)
    labels = torch.arange(2048) % 4
    codes = torch.randn(4, 5)[labels] * 0.5 + torch.randn(2048, 5)
    members = GaussianPosterior(codes, torch.zeros(2048, 5))
    alone, fused = [], []
    for rows in torch.randperm(2048).split(128):
        evidence = fuse_by_label(GaussianPosterior(members.mean[rows], members.logvar[rows]), labels[rows])
        centres = torch.stack([codes[labels == k].mean(0) for k in range(4)])
        fused.append((torch.cdist(evidence.mean, centres).argmin(1) == labels[rows]).float())
        alone.append((torch.cdist(codes[rows], centres).argmin(1) == labels[rows]).float())
    assert torch.cat(alone).mean() < 0.75
    assert torch.cat(fused).mean() > 0.99


def test_an_unknown_experiment_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "ml-va"]) == 2
    assert "ml-vae" in capsys.readouterr().err
    assert main(["reproduce", "ml-vae", "--epochs", "0"]) == 2
    assert "--epochs 0" in capsys.readouterr().err
