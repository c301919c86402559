"""The Multi-Level VAE's experiment: what is frozen stays frozen, what is done is not done again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from splitvae.cli.app import main
from splitvae.errors import UserError
from splitvae.probes import measure as probing
from splitvae.runs import Run
from splitvae.studies import ml_vae
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


@pytest.fixture(scope="module")
def few() -> dict[str, ml_vae.System]:
    return {name: ml_vae.SYSTEMS[name] for name in ("readme-1", "readme-0.1", "corrected", "plain")}


def test_the_experiment_trains_probes_and_goes_on(
    data: str, few: dict[str, ml_vae.System], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ml_vae, "SYSTEMS", few)
    result = ml_vae.reproduce(tmp_path, data, epochs=1, iterations=30, progress=False)

    readme = Run(tmp_path / "readme-0.1")
    latent = readme.vae.encoder.latent
    for head in (latent.content_mean, latent.content_logvar):  # never trained, as in public code
        assert not head.bias.any()
        assert abs(float(head.weight.detach().std()) - ml_vae.README_SPREAD) < 0.002
    assert latent.style_mean.bias.any()
    assert readme.config.eps_std == 0.1
    assert readme.config.scaling == "pixels"
    trained = Run(tmp_path / "plain").vae.encoder.latent
    assert trained.content_mean.bias.all()
    assert trained.content_logvar.bias.all()

    for name in ("readme-1", "readme-0.1"):
        found = result["systems"][name]["readme"]
        for key in ("style", "content", "content, evidence", "style means", "content means"):
            assert 0 <= found[key]["test"] <= 1
            assert 0 <= found[f"untrained {key}"]["test"] <= 1
    assert [point["members"] for point in result["systems"]["plain"]["curve"]] == [1, 4]
    assert result["systems"]["corrected"]["epochs"] == 6
    shown = (tmp_path / "ml-vae.txt").read_text()
    assert shown == ml_vae.table(result) + "\n"
    assert "99.7" in shown
    assert "untrained encoder" in shown

    def never(*_: object, **__: object) -> None:
        raise AssertionError("was measured again")

    monkeypatch.setattr(probing, "probe", never)
    monkeypatch.setattr(ml_vae, "_as_readme", never)
    assert ml_vae.reproduce(tmp_path, data, epochs=1, iterations=30, progress=False)["systems"] == result["systems"]


def test_ctrl_c_says_that_the_same_command_goes_on(
    data: str, few: dict[str, ml_vae.System], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise Interrupted(tmp_path, 0, 3)

    monkeypatch.setattr(ml_vae, "SYSTEMS", few)
    monkeypatch.setattr(ml_vae, "train", stopped)
    with pytest.raises(UserError, match="the same command goes on") as stop:
        ml_vae.reproduce(tmp_path, data, progress=False)
    assert stop.value.status == 130


def test_without_learning_evidence_by_label_makes_codes_separable() -> None:
    """The finding behind the table: random projections of noisy images, fused by true label, tell the label."""
    torch.manual_seed(0)
    labels = torch.arange(2048) % 4
    codes = torch.randn(4, 5)[labels] * 0.5 + torch.randn(2048, 5)
    members = ml_vae.Gaussian(codes, torch.zeros(2048, 5))
    alone, fused = [], []
    for rows in torch.randperm(2048).split(128):
        gathered = ml_vae._gathered(ml_vae.Gaussian(members.mean[rows], members.logvar[rows]), labels[rows])
        centres = torch.stack([codes[labels == k].mean(0) for k in range(4)])
        fused.append((torch.cdist(gathered.mean, centres).argmin(1) == labels[rows]).float())
        alone.append((torch.cdist(codes[rows], centres).argmin(1) == labels[rows]).float())
    assert torch.cat(alone).mean() < 0.75
    assert torch.cat(fused).mean() > 0.99


def test_an_unknown_experiment_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "ml-va"]) == 2
    assert "ml-vae" in capsys.readouterr().err
    assert main(["reproduce", "ml-vae", "--epochs", "0"]) == 2
    assert "--epochs 0" in capsys.readouterr().err
