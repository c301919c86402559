"""The Multi-Level VAE's experiment: frozen heads stay frozen, and nothing is trained or measured twice."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from splitvae.cli.app import main
from splitvae.errors import UserError
from splitvae.figures import probes
from splitvae.figures.io import read_fingerprint
from splitvae.models.fusion import fuse
from splitvae.models.groups import as_groups
from splitvae.models.posteriors import GaussianPosterior
from splitvae.probes.classifiers import standard_error
from splitvae.reproductions.ml_vae_page import write_ml_vae_page
from splitvae.runs import Run
from splitvae.studies import ml_vae
from splitvae.studies.ml_vae_public_code import RELEASED_LAYERS, WEIGHT_STD, load_released
from splitvae.studies.ml_vae_public_probes import MODES, EncodedImages, GroupNoise, fit_public_probes
from splitvae.studies.ml_vae_systems import COMMON_CONFIG, README_FIELDS, SYSTEMS
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
    """Reduces the experiment to five systems, one of them with figures, and t-SNE (tests/probes has it) to a slice."""
    systems = {name: SYSTEMS[name] for name in ("readme-1", "readme-0.1", "readme-mean", "corrected", "plain")}
    monkeypatch.setattr(ml_vae, "SYSTEMS", systems)
    monkeypatch.setattr(ml_vae, "SYSTEMS_WITH_FIGURES", ("corrected",))
    monkeypatch.setattr(probes, "_project_tsne", lambda codes, _: codes[:, :2].numpy())


@pytest.mark.usefixtures("_few_systems")
def test_the_experiment_trains_and_probes_each_system_once(
    data: str, released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reproduce() -> dict[str, Any]:
        return ml_vae.reproduce_ml_vae(tmp_path, data, 1, 30, progress=False, checkpoints=released)

    result = reproduce()

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
            for mode in MODES:
                for prefix in ("", "untrained ", "released "):
                    assert 0 <= accuracies[prefix + key][mode]["test"] <= 1
        assert accuracies["content, evidence"]["groups"] == 3  # one batch of all test images, with a group for each label
    assert "released style" not in result["systems"]["readme-mean"]["readme"]
    assert [point["members"] for point in result["systems"]["plain"]["curve"]] == [1, 4]
    assert result["systems"]["corrected"]["epochs"] == 6
    for name, figure in (("corrected", "code-maps"), ("corrected", "probes")):
        assert (tmp_path / name / "figures" / f"{figure}.png").exists()
    models = [Run(tmp_path / name).vae for name in ("readme-1", "readme-0.1")]
    models += [load_released(released, name, COMMON_CONFIG.override(**README_FIELDS)) for name in ("1", "0.1")]
    for figure in ("readme-code-maps", "readme-curves"):  # of both models, ours and released
        shown = read_fingerprint(tmp_path / "figures" / f"{figure}.png").split()
        assert shown == [vae.fingerprint() for vae in models]
    for vae, std in zip(models[2:], ("1", "0.1"), strict=True):
        for kind in ("swaps", "swaps-evidence"):
            assert read_fingerprint(tmp_path / "figures" / f"released-{std}-{kind}.png") == vae.fingerprint()
    table = (tmp_path / "ml-vae.txt").read_text()
    assert table == ml_vae_table(result) + "\n"
    for words in ("99.7", "readme-mean  evaluation", "released", "untrained encoder", "no noise"):
        assert words in table
    assert "over distinct codes: 3 groups with evidence" in table
    assert "* Too few test images, so that" in table
    assert table.count("*  ") > 20  # beside the numbers

    page = write_ml_vae_page(result, tmp_path, tmp_path / "results").read_text()
    assert all(f"    {line}" in page for line in table.splitlines())
    for figure in re.findall(r"\]\((.*?)\)", page):
        assert (tmp_path / "results" / figure).exists()
    assert {
        "corrected-swaps.png",
        "readme-code-maps.png",
        "readme-curves.png",
        "curves.png",
        "released-0.1-swaps-evidence.png",
    } <= {file.name for file in (tmp_path / "results" / "ml-vae").iterdir()}
    for text in (page, (tmp_path / "results" / "ml-vae.json").read_text()):
        assert str(released) not in text and data not in text and "stripes" in text

    def never(*_: object, **__: object) -> None:
        raise AssertionError("was measured again")

    monkeypatch.setattr(ml_vae, "probe", never)
    monkeypatch.setattr(ml_vae, "probe_as_public_code", never)
    monkeypatch.setattr(ml_vae, "plot_model_maps", never)
    assert reproduce()["systems"] == result["systems"]
    file = tmp_path / "plain" / "probes.json"  # as `splitvae probe RUN --members 2` leaves it
    file.write_text(file.read_text().replace('"members": 4', '"members": 2'))
    with pytest.raises(AssertionError, match="measured again"):
        reproduce()


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
        groups = as_groups(labels[rows], len(rows), rows.device)
        means = fuse(GaussianPosterior(members.mean[rows], members.logvar[rows]), groups).mean[groups.member_of]
        centres = torch.stack([codes[labels == k].mean(0) for k in range(4)])
        fused.append((torch.cdist(means, centres).argmin(1) == labels[rows]).float())
        alone.append((torch.cdist(codes[rows], centres).argmin(1) == labels[rows]).float())
    assert torch.cat(alone).mean() < 0.75
    assert torch.cat(fused).mean() > 0.99


# ---------------------------------------------------------------- the public code's probes


def encoded(rows: int, seed: int, shift: float = 0.0) -> EncodedImages:
    """Posteriors of one network: four labels, which single styles tell fully and single contents hardly."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(4, (rows,), generator=generator)
    style = 6 * torch.eye(4)[labels] + torch.randn(rows, 4, generator=generator) + shift * torch.eye(4)[0]
    content = 0.5 * torch.eye(4)[labels] + torch.randn(rows, 4, generator=generator)
    narrow, wide = torch.full((1, rows, 4), -9.0), torch.zeros(1, rows, 4)
    return EncodedImages((style[None], narrow), (content[None], wide), labels)


def test_the_mode_of_batchnorm_decides_what_a_shift_of_test_codes_does() -> None:
    style, *_ = fit_public_probes(encoded(2000, 0), encoded(1280, 1, shift=9.0), GroupNoise("group", 1.0), 80, 0)
    assert style["training"]["test"] > 0.98  # the statistics of the test batch remove it
    assert style["evaluation"]["test"] < 0.8
    style, *_ = fit_public_probes(encoded(2000, 0), encoded(1280, 1), GroupNoise("group", 1.0), 80, 0)
    assert min(style[mode]["test"] for mode in MODES) > 0.98


def test_errors_of_codes_with_evidence_are_those_of_their_groups() -> None:
    """Ten batches of four groups of some 32 images: 40 codes, not 1,280."""
    single, fused = fit_public_probes(encoded(2000, 0), encoded(1280, 1), GroupNoise("group", 1.0), 80, 0)[3:]
    assert (single["groups"], fused["groups"]) == (1280, 40)
    assert single["evaluation"]["test"] < 0.6 < fused["evaluation"]["test"]  # the labels were given
    for mode in MODES:
        assert single[mode]["error"] == standard_error(single[mode]["test"], 1280)
        assert standard_error(fused[mode]["test"], 40) <= fused[mode]["error"] < standard_error(fused[mode]["test"], 35)


def test_draws_of_the_code_with_evidence_are_once_a_group_anew_for_each_image_or_not_at_all() -> None:
    from splitvae.studies.ml_vae_public_probes import _draw_codes

    images, rows = encoded(64, 0), torch.arange(64)
    distinct = {}
    for draw in ("group", "sample", "mean"):
        codes = _draw_codes(images, rows, GroupNoise(draw, 1.0))
        assert codes.shape == (5, 4, 64)
        assert torch.equal(codes[0].mT, images.style[0][0])
        distinct[draw] = len(codes[4].mT.unique(dim=0))
    assert distinct == {"group": 4, "sample": 64, "mean": 4}
    groups = as_groups(images.labels, 64, rows.device)
    mean = fuse(GaussianPosterior(images.content[0][0], images.content[1][0]), groups).mean[groups.member_of]
    assert torch.allclose(codes[4].mT, mean, atol=1e-6)


# ---------------------------------------------------------------- the weights that its authors released


def save_released(folder: Path, name: str) -> dict[str, dict[str, torch.Tensor]]:
    """Writes files of the public code's layers and sizes, with random weights."""
    sizes = {
        "encoder": dict.fromkeys(RELEASED_LAYERS["encoder"], (10, 500)) | {"linear_model.linear_1": (500, 784)},
        "decoder": {"linear_model.linear_1": (500, 20), "linear_model.linear_2": (784, 500)},
    }
    generator = torch.Generator().manual_seed(0)
    states = {
        part: {
            **{f"{layer}.weight": 0.05 * torch.randn(size, generator=generator) for layer, size in layers.items()},
            **{f"{layer}.bias": torch.randn(size[0], generator=generator) for layer, size in layers.items()},
        }
        for part, layers in sizes.items()
    }
    for part, state in states.items():
        torch.save(state, folder / f"{part}_{name}_var_reparam")
    return states


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("released")
    for name in ("1", "0.1"):
        save_released(folder, name)
    return folder


def test_released_weights_compute_what_the_public_code_computes(tmp_path: Path) -> None:
    states = save_released(tmp_path, "1")
    vae = load_released(tmp_path, "1", COMMON_CONFIG.override(**README_FIELDS))
    x = torch.rand(3, 1, 28, 28)

    def linear(part: str, layer: str, inputs: torch.Tensor) -> torch.Tensor:
        return inputs @ states[part][f"{layer}.weight"].mT + states[part][f"{layer}.bias"]

    hidden = torch.tanh(linear("encoder", "linear_model.linear_1", x.flatten(1)))
    z = torch.cat([linear("encoder", "style_mu", hidden), linear("encoder", "class_mu", hidden)], 1)
    logvar = torch.cat([linear("encoder", "style_logvar", hidden), linear("encoder", "class_logvar", hidden)], 1)
    hidden = torch.tanh(linear("decoder", "linear_model.linear_1", z))
    image = torch.sigmoid(linear("decoder", "linear_model.linear_2", hidden)).view_as(x)
    with torch.no_grad():
        posterior = vae.encode(x)
        assert torch.allclose(posterior.mean, z, atol=1e-5)
        assert torch.allclose(posterior.logvar, logvar, atol=1e-5)
        assert torch.allclose(vae.decode(z).image, image, atol=1e-5)


def test_released_files_that_are_missing_other_or_dangerous_are_refused_in_a_sentence(tmp_path: Path) -> None:
    config = COMMON_CONFIG.override(**README_FIELDS)
    with pytest.raises(
        UserError, match=r"encoder_1_var_reparam does not exist; give the folder of the public code's checkpoints"
    ):
        ml_vae.reproduce_ml_vae(tmp_path / "runs", progress=False, checkpoints=tmp_path)
    assert not (tmp_path / "runs").exists()  # before anything is trained
    save_released(tmp_path, "1")
    file = tmp_path / "decoder_1_var_reparam"
    torch.save({"weights": Path("a pickle of other things than tensors")}, file)
    with pytest.raises(UserError, match="does not hold the weights"):
        load_released(tmp_path, "1", config)
    torch.save({f"linear_model.linear_{k}.{kind}": torch.zeros(3) for k in (1, 2) for kind in ("weight", "bias")}, file)
    with pytest.raises(UserError, match="other sizes"):
        load_released(tmp_path, "1", config)


def test_an_unknown_experiment_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "ml-va"]) == 2
    assert "ml-vae" in capsys.readouterr().err
    assert main(["reproduce", "ml-vae", "--epochs", "0"]) == 2
    assert "--epochs 0" in capsys.readouterr().err


def test_released_checkpoints_become_runs(released: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import-ml-vae", str(released), "--out", str(tmp_path)]) == 0
    for name, std in (("readme-1", "1"), ("readme-0.1", "0.1")):
        run = Run(tmp_path / name)
        config = COMMON_CONFIG.override(**SYSTEMS[name].fields)
        assert run.vae.fingerprint() == load_released(released, std, config).fingerprint()
        assert run.vae.encoder.latent.settings.eps_std == float(std)  # type: ignore[union-attr]  # a grouped head
    assert main(["import-ml-vae", str(tmp_path / "nowhere"), "--out", str(tmp_path / "new")]) == 2
    assert "encoder_1_var_reparam does not exist" in capsys.readouterr().err and not (tmp_path / "new").exists()
