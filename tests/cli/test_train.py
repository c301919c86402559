"""`splitvae train`: what a run holds, how it is continued, and how mistakes are answered."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import splitvae
from splitvae.utils.text import format_number

SMALL = ["--width", "4", "--embedding", "32", "--epochs", "2", "--preview-every", "0"]

Command = Callable[..., Any]


def test_a_training_ends_with_a_table_and_a_report(command: Command, trained: Path) -> None:
    page = (trained / "report.html").read_text()
    assert "<html" in page
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", page.split("<body")[0])  # one page that fetches nothing
    evaluation = json.loads((trained / "evaluation.json").read_text())
    assert evaluation["reconstruction"]


def test_config_json_holds_nested_settings(trained: Path) -> None:
    config = json.loads((trained / "config.json").read_text())
    assert config["preset"] == "digits-svae"
    assert config["model"]["net"] == {
        "name": "resnet",
        "width": 4,
        "scales": 3,
        "blocks": 1,
        "depth": 2,
        "kernel": 3,
        "embedding": 32,
        "norm": "batch",
    }
    assert config["training"]["epochs"] == 2
    assert config["objective"]["variance"] == {"name": "computed", "v": 0.1}


def test_a_run_can_be_moved(command: Command, trained: Path, tmp_path: Path) -> None:
    moved = trained.rename(tmp_path / "elsewhere")
    status, out, _ = command("sample", moved, "-n", 4)
    assert status == 0
    assert str(moved) in out


def test_a_folder_of_photos_trains_without_a_preset(command: Command, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    random = np.random.default_rng(0)
    for i in range(40):
        Image.fromarray(random.integers(0, 256, (40 + i, 50, 3), dtype=np.uint8)).save(photos / f"{i}.jpg")
    (photos / "notes.txt").write_text("not a picture")
    sizes = ["--width", 4, "--epochs", 1]
    status, out, err = command("train", "--data", photos, "--out", tmp_path / "run", "--no-report", *sizes)
    assert status == 0, err
    assert "Chosen for these images: shape=(3, 32, 32)" in out
    assert "notes.txt" in out
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["model"]["net"]["width"] == 4
    assert config["model"]["shape"] == [3, 32, 32]


def test_several_seeds_get_one_summary_with_deviations(command: Command, tmp_path: Path) -> None:
    words = ["train", "digits-svae", *SMALL, "--out", tmp_path / "seeds", "--seeds", 2, "--no-report"]
    status, out, _ = command(*words)
    assert status == 0
    summary = json.loads((tmp_path / "seeds" / "summary.json").read_text())
    value = next(v for name, v in summary.items() if name.startswith("reconstruction"))
    assert len(value["values"]) == 2
    assert value["mean"] == pytest.approx(sum(value["values"]) / 2)
    kl = summary["latent.kl.value"]
    shown = f"{format_number(kl['mean'])} ± {format_number(kl['deviation'], 2)}"
    assert re.search(rf"  KL, nats an image +{re.escape(shown)}\n", out) and "latent.kl" not in out
    assert value["deviation"] == pytest.approx(abs(value["values"][0] - value["values"][1]) / 2**0.5)
    again = ["train", "--seeds", 3, "--resume", "--out", tmp_path / "seeds", "--no-report"]  # no preset
    assert command(*again, "--epochs", 3, "--lr", 5e-4).status == 0
    rows = [(tmp_path / "seeds" / f"seed-{i}" / "history.jsonl").read_text().splitlines() for i in range(3)]
    assert [(len(r), json.loads(r[-1])["lr"]) for r in rows] == [(3, 5e-4)] * 3
    status, _, err = command(*again, "--width", 8)
    assert (status, "begun with --width 4" in err) == (2, True)


def test_resuming_needs_no_settings_again(command: Command, trained: Path) -> None:
    status, out, _ = command("train", "digits-svae", "--out", trained, "--resume", "--no-report")
    assert (status, "is finished after 2 epochs" in out) == (0, True)
    status, _, err = command("train", "mnist-svae", "--out", trained, "--resume")
    assert (status, "begun as digits-svae" in err) == (2, True)
    status, _, err = command("train", "digits-svae", "--out", trained, "--resume", "--width", 8)
    assert (status, "begun with --width 4" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("mnst-svae", "'mnist-svae'"),
        ("mnist-svae --data /nonexistent", "/nonexistent"),
        ("digits-svae --epochs -1", "epochs"),
        ("", "--data FOLDER"),
        ("digits-svae --seeds 0 --out OUT", "--seeds 0"),
        ("--data digits digits-svae --out OUT", "the preset comes first: splitvae train digits-svae --data digits --out"),
        ("--resume --out OUT", "holds no run to resume"),
        ("digits-svae --accelerator abacus --out OUT", "abacus"),
    ],
)
def test_mistakes_are_answered_in_a_sentence_and_a_status(
    command: Command, tmp_path: Path, words: str, answer: str
) -> None:
    status, out, err = command("train", *words.replace("OUT", str(tmp_path / "out")).split())
    assert status != 0
    assert answer in out + err
    assert "Traceback" not in out + err


def test_models_are_in_the_format_of_the_hub(trained: Path, tmp_path: Path) -> None:
    vae = splitvae.Run(trained).vae
    vae.save_pretrained(tmp_path / "saved")
    again = splitvae.VAE.from_pretrained(tmp_path / "saved")
    z = torch.randn(3, 16)
    assert torch.equal(again.decode(z).image, vae.decode(z).image)
    assert {f.suffix for f in (tmp_path / "saved").iterdir()} <= {".json", ".safetensors", ".md"}
    straight = splitvae.VAE.from_pretrained(trained / "model")
    assert straight.fingerprint() == vae.fingerprint()
