"""The command line as a person meets it: what works, and what mistakes are answered with."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from splitvae.cli.app import COMMANDS, main

SMALL = ["--width", "4", "--embedding", "32", "--epochs", "2", "--preview-every", "0"]


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    try:
        status = main([str(w) for w in words])
    except SystemExit as end:  # tyro's own, after --help or a mistyped option
        status = int(end.code or 0)
    out, err = capsys.readouterr()
    return status, out, err


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs land in ./runs unless told otherwise."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "first"
    assert main(["train", "digits-svae", *SMALL, "--out", str(folder)]) == 0
    return folder


def test_training_ends_with_a_table_and_a_report(trained: Path) -> None:
    page = (trained / "report.html").read_text()
    assert "<html" in page
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", page.split("<body")[0])  # one page, nothing fetched
    evaluation = json.loads((trained / "evaluation.json").read_text())
    assert evaluation["reconstruction"]
    assert json.loads((trained / "config.json").read_text())["preset"] == "digits-svae"


def test_a_run_can_be_moved(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moved = tmp_path / "elsewhere"
    for file in trained.rglob("*"):
        if file.is_file():
            target = moved / file.relative_to(trained)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    status, out, _ = run(capsys, "sample", moved, "-n", 4)
    assert status == 0
    assert str(moved) in out


def test_samples_are_a_sheet_arrays_or_files_and_repeat(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.npz", "b.npz", "sheet.png", "folder"):
        assert (
            run(capsys, "sample", trained, "-n", 6, "--sampler", "gmm", "--components", 3, "--out", tmp_path / name)[0] == 0
        )
    a, b = np.load(tmp_path / "a.npz"), np.load(tmp_path / "b.npz")
    assert a["image"].shape == (6, 1, 16, 16)
    assert a["images"].shape == (6, 2, 1, 16, 16)
    np.testing.assert_array_equal(a["image"], b["image"])
    np.testing.assert_allclose((a["masks"] * a["images"]).sum(1), a["image"], atol=1e-6)
    assert Image.open(tmp_path / "sheet.png").size[0] > 16
    assert len(list((tmp_path / "folder").glob("*.png"))) == 6


def test_fitted_samplers_are_kept_and_used_again(
    trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from splitvae.samplers.gaussian_mixture import GaussianMixture

    assert run(capsys, "sample", trained, "--sampler", "gmm", "--components", 5)[0] == 0
    monkeypatch.setattr(GaussianMixture, "fit", lambda *_: pytest.fail("fitted again"))
    assert run(capsys, "sample", trained, "--sampler", "gmm", "--components", 5)[0] == 0


def test_codes_are_arrays_of_means_and_log_variances(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "encode", trained)[0] == 0
    codes = np.load(trained / "codes-test.npz")
    assert codes["mean"].shape == codes["logvar"].shape == (179, 16)
    assert codes["labels"].shape == (179,)


def test_reconstructions_of_other_images(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    for i in range(20):
        Image.fromarray(np.full((20, 20), 10 * i, np.uint8)).save(tmp_path / "mine" / f"{i}.png")
    status, out, _ = run(
        capsys,
        "reconstruct",
        trained,
        "--data",
        tmp_path / "mine",
        "--split",
        "train",
        "-n",
        5,
        "--out",
        tmp_path / "r.npz",
    )
    assert status == 0
    assert "5 reconstructions" in out
    assert run(capsys, "encode", trained, "--data", tmp_path / "mine", "--out", tmp_path / "c.npz")[0] == 0
    assert np.load(tmp_path / "c.npz")["mean"].shape == (20, 16)
    assert np.load(tmp_path / "r.npz")["image"].shape == (5, 1, 16, 16)


def test_a_folder_of_photos_trains_without_a_preset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    random = np.random.default_rng(0)
    for i in range(40):
        Image.fromarray(random.integers(0, 256, (40 + i, 50, 3), dtype=np.uint8)).save(photos / f"{i}.jpg")
    (photos / "notes.txt").write_text("not a picture")
    status, out, err = run(
        capsys, "train", "--data", photos, "--out", tmp_path / "run", "--no-report", "--width", 4, "--epochs", 1
    )
    assert status == 0, err
    assert "Chosen for these images: shape=(3, 32, 32)" in out
    assert "notes.txt" in out
    assert json.loads((tmp_path / "run" / "config.json").read_text())["model"]["net"]["width"] == 4


def test_several_seeds_give_one_summary_with_deviations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "digits-svae", *SMALL, "--out", tmp_path / "seeds", "--seeds", 2, "--no-report"]
    assert run(capsys, *words)[0] == 0
    summary = json.loads((tmp_path / "seeds" / "summary.json").read_text())
    value = next(v for name, v in summary.items() if name.startswith("reconstruction"))
    assert len(value["values"]) == 2
    assert value["mean"] == pytest.approx(sum(value["values"]) / 2)
    assert value["deviation"] == pytest.approx(abs(value["values"][0] - value["values"][1]) / 2**0.5)
    again = ["train", "--seeds", 3, "--resume", "--out", tmp_path / "seeds", "--no-report"]  # no preset
    assert run(capsys, *again, "--epochs", 3, "--lr", 5e-4)[0] == 0
    rows = [(tmp_path / "seeds" / f"seed-{i}" / "history.jsonl").read_text().splitlines() for i in range(3)]
    assert [(len(r), json.loads(r[-1])["lr"]) for r in rows] == [(3, 5e-4)] * 3
    status, _, err = run(capsys, *again, "--width", 8)
    assert (status, "begun with width=4" in err) == (2, True)


def test_resuming_needs_no_settings_again(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "train", "digits-svae", "--out", trained, "--resume", "--no-report")
    assert (status, "is finished after 2 epochs" in out) == (0, True)
    status, _, err = run(capsys, "train", "mnist-svae", "--out", trained, "--resume")
    assert (status, "begun as digits-svae" in err) == (2, True)
    status, _, err = run(capsys, "train", "digits-svae", "--out", trained, "--resume", "--width", 8)
    assert (status, "begun with width=4" in err) == (2, True)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, *([command] if command else []), "--help")
    assert status == 0
    assert "usage: splitvae" in out
    assert len(out) > 100


def test_the_list_names_every_preset(capsys: pytest.CaptureFixture[str]) -> None:
    from splitvae.presets.registry import PRESETS

    out = run(capsys, "list")[1]
    assert [name for name in PRESETS if name not in out] == []


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("train mnst-svae", "'mnist-svae'"),
        ("train mnist-svae --data /nonexistent", "/nonexistent"),
        ("train digits-svae --epochs -1", "epochs"),
        ("train digits-svae --widht 4", "--width"),
        ("train", "--data FOLDER"),
        ("train digits-svae --seeds 0 --out OUT", "--seeds 0"),
        ("train digits-svae --accelerator abacus --out OUT", "abacus"),
        ("sample nowhere", "holds no run"),
        ("sample RUN -n 0", "-n 0"),
        ("sample RUN --sampler gnm", "'gmm'"),
        ("sample RUN --sampler gmm --components 3 --seed -1", "--seed -1"),
        ("sample RUN --sampler gmm --components 5000", "too few"),
        ("sample RUN --out x.gif", "neither .png nor .npz"),
        ("encode RUN --data /nonexistent", "/nonexistent"),
        ("encode RUN --split tset", "tset"),
        ("report nowhere", "holds no run"),
        ("figures", "runs/"),
        ("frobnicate", "splitvae --help"),
    ],
)
def test_mistakes_are_answered_in_a_sentence_and_a_status(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, answer: str
) -> None:
    filled = [str(trained) if w == "RUN" else str(tmp_path / "out") if w == "OUT" else w for w in words.split()]
    status, out, err = run(capsys, *filled)
    assert status != 0
    assert answer in out + err
    assert "Traceback" not in out + err


def test_a_damaged_model_is_named(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy"
    (copy / "model").mkdir(parents=True)
    for name in ("config.json", "model/config.json", "model/model.safetensors"):
        (copy / name).write_bytes((trained / name).read_bytes())
    with open(copy / "model" / "model.safetensors", "r+b") as file:
        file.truncate(5000)
    status, _, err = run(capsys, "sample", copy)
    assert status == 2
    assert "damaged" in err
    (copy / "config.json").write_text("{")
    assert "damaged" in run(capsys, "sample", copy)[2]


def test_models_go_through_the_hub_s_own_format(trained: Path, tmp_path: Path) -> None:
    import splitvae

    vae = splitvae.Run(trained).vae
    vae.save_pretrained(tmp_path / "saved")
    again = splitvae.VAE.from_pretrained(tmp_path / "saved")
    z = torch.randn(3, 16)
    assert torch.equal(again.decode(z).image, vae.decode(z).image)
    assert {f.suffix for f in (tmp_path / "saved").iterdir()} <= {".json", ".safetensors", ".md"}
    straight = splitvae.VAE.from_pretrained(trained / "model")
    assert straight.fingerprint() == vae.fingerprint()
