"""The scripts in examples: short, and each does what its first line says."""

from __future__ import annotations

import importlib.util
import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SIZES = {"width": 4, "embedding": 16, "latent_dim": 4}


def load_example(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_three_examples_of_less_than_60_lines() -> None:
    files = sorted(EXAMPLES.glob("*.py"))
    assert [file.stem for file in files] == ["lightning_module", "own_images", "plain_loop"]
    assert all(len(file.read_text(encoding="utf-8").splitlines()) < 60 for file in files)


@pytest.mark.parametrize("objective", ["elbo", "intro"])
def test_a_plain_loop_trains_any_objective(objective: str, capsys: pytest.CaptureFixture[str]) -> None:
    vae = load_example("plain_loop").main(objective, epochs=2, width=4, count=400)
    errors = [float(found) for found in re.findall(r"mse ([\d.]+)", capsys.readouterr().out)]
    assert len(errors) == 2 and errors[1] < errors[0] + 0.01
    assert not vae.training and vae.sample(16).image.shape == (16, 1, 16, 16)


@pytest.mark.parametrize("objective", ["elbo", "intro"])
def test_a_lightning_module_trains_any_objective(objective: str, tmp_path: Path) -> None:
    example = load_example("lightning_module")
    quiet = {"logger": False, "enable_progress_bar": False, "enable_checkpointing": False, "enable_model_summary": False}
    quiet |= {"accelerator": "cpu", "default_root_dir": tmp_path, "max_epochs": 1}
    begun = example.main(objective, 4, limit_train_batches=1, **quiet)
    module = example.main(objective, 4, limit_train_batches=10, **quiet)
    assert (begun.steps, module.steps) == (1, 10) and math.isfinite(float(module.loss.logs["mse"]))
    for player, parameters in module.players.items():  # of whom each made its steps
        before = begun.players[player]
        assert all(not torch.equal(old, new) for old, new in zip(before, parameters, strict=True) if new.ndim > 1), player


def test_arrays_become_samples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = load_example("own_images").main(tmp_path, count=300, epochs=1, side=16, scales=2, **SIZES)
    assert Image.open(tmp_path / "samples.png").size == (768, 768)
    assert "codes (30, 4), error" in capsys.readouterr().out
    assert len(run.history) == 1 and run.vae.shape == (3, 16, 16)
