"""Whole trainings: exact resume, settings that are chosen, and mistakes that lose nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import splitvae
from splitvae.cli.app import main
from splitvae.errors import UserError
from splitvae.models.groups import Groups
from splitvae.objectives.elbo import ELBO
from splitvae.objectives.variance import Optimal
from splitvae.training.interrupts import Interrupted
from splitvae.training.trainer import Trainer

Train = Callable[..., splitvae.Run]  # the type of the fixtures that train
ReadCheckpoint = Callable[[Path], dict[str, Any]]


def interrupt_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Sends this process Ctrl-C during a step."""
    train_step = Trainer.train_step

    def interrupted(self: Trainer, x: torch.Tensor, group: Groups | None = None) -> None:
        train_step(self, x, group)
        if self.step == step:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Trainer, "train_step", interrupted)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"mirror": True, "ema": 0.9, "variance": "learned", "kl": "warmup", "kl_steps": 10},
        {"schedule": "plateau", "best": True, "variance": "ratchet", "precision": "32", "split": 3},
        {"schedule": "cosine", "variance": "optimal", "split": 1},
    ],
    ids=["paper", "averaged", "plateau", "cosine"],
)
def test_resuming_within_an_epoch_is_the_uninterrupted_run_bit_for_bit(
    same: Callable[[Any, Any], bool],
    train: Train,
    images: splitvae.Images,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    last_checkpoint: ReadCheckpoint,
) -> None:
    train(images, tmp_path / "whole", epochs=3, **settings)
    with monkeypatch.context() as patch:
        interrupt_at(patch, step=8)  # an epoch has six steps: in the second
        with pytest.raises(Interrupted, match="epoch 2, step 8"):
            train(images, tmp_path / "parts", epochs=3, **settings)
    torch.manual_seed(99)  # the state of the global stream does not matter
    run = train(images, tmp_path / "parts", epochs=3, resume=True, **settings)
    assert same(last_checkpoint(tmp_path / "whole"), last_checkpoint(tmp_path / "parts"))
    assert run.vae.fingerprint() == splitvae.Run(tmp_path / "whole").vae.fingerprint()
    assert [row["epoch"] for row in run.history] == [1, 2, 3]


@pytest.mark.parametrize("chosen", [{}, {"net": "mlp"}])
def test_a_training_whose_settings_were_chosen_for_its_images_is_resumed_by_the_same_call(
    chosen: dict[str, Any], tiny: dict[str, Any], images: splitvae.Images, tmp_path: Path
) -> None:
    call = {"images": images, "out": tmp_path / "run", "progress": False, **tiny, **chosen}
    for name in ("embedding", "width") if chosen else ():  # which an mlp lacks
        del call[name]
    splitvae.train(**call, epochs=1)
    run = splitvae.train(**call, epochs=2, resume=True)
    assert [row["epoch"] for row in run.history] == [1, 2]


def test_settings_of_a_model_that_is_given_are_its_own(images: splitvae.Images, tmp_path: Path) -> None:
    vae = splitvae.VAE((1, 16, 16), 4, width=4, embedding=16)
    with pytest.raises(UserError, match="split=3 is a setting of the model, and the given one has split=2"):
        splitvae.train(vae, images, out=tmp_path / "run", progress=False, split=3)
    short = {"batch_size": 50, "epochs": 1, "preview_every": 0, "latent_dim": 4}
    assert splitvae.train(vae, images, out=tmp_path / "run", progress=False, **short).vae is not None


def test_more_epochs_on_resume_are_the_same_as_from_the_beginning(
    same: Callable[[Any, Any], bool], train: Train, images: splitvae.Images, tmp_path: Path, last_checkpoint: ReadCheckpoint
) -> None:
    train(images, tmp_path / "whole", epochs=3)
    train(images, tmp_path / "parts", epochs=1)
    train(images, tmp_path / "parts", epochs=3, resume=True)
    whole, parts = last_checkpoint(tmp_path / "whole"), last_checkpoint(tmp_path / "parts")
    for part in ("optimizers", "objective", "random"):
        assert same(whole[part], parts[part])
    weights = [name for name in whole["vae"] if "running" not in name and "num_batches" not in name]
    assert same({n: whole["vae"][n] for n in weights}, {n: parts["vae"][n] for n in weights})


def test_a_killed_training_resumes_from_the_last_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [
        sys.executable,
        "-m",
        "splitvae",
        "train",
        "digits-svae",
        "--width",
        "4",
        "--epochs",
        "40",
        "--preview-every",
        "0",
    ]
    command += ["--out", str(tmp_path / "run"), "--no-report"]
    history = tmp_path / "run" / "history.jsonl"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not history.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    rows = len(history.read_text().splitlines())
    assert 1 <= rows < 40
    assert main(["train", "--resume", "--out", str(tmp_path / "run"), "--epochs", str(rows + 1), "--no-report"]) == 0
    assert f"Resuming {tmp_path / 'run'} at epoch" in capsys.readouterr().out
    assert len(splitvae.Run(tmp_path / "run").history) == rows + 1


def test_torchrun_starts_two_processes_that_train_one_run(tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
        "-m",
        "splitvae",
        "train",
        "digits-svae",
        "--width",
        "4",
        "--epochs",
        "2",
        "--preview-every",
        "0",
    ]
    command += ["--batch-size", "100", "--out", str(tmp_path / "run"), "--no-report", "--accelerator", "cpu"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("images/s") == 2  # a line for each epoch, of the first process
    assert splitvae.Run(tmp_path / "run").config.hardware.devices == 2
    rows = splitvae.Run(tmp_path / "run").history
    assert [row["step"] for row in rows] == [7, 14]  # half the steps of one process: each has its own batches
    assert rows[1]["mse"] < rows[0]["mse"]


def test_a_given_model_is_trained_in_place_and_described_in_the_config(images: splitvae.Images, tmp_path: Path) -> None:
    vae = splitvae.VAE((1, 16, 16), latent_dim=4, split=3, width=4, scales=3, embedding=32)
    before = vae.fingerprint()
    run = splitvae.train(
        vae, images, ELBO(beta=2, variance="optimal"), out=tmp_path / "run", progress=False, epochs=1, preview_every=0
    )
    assert vae.fingerprint() != before
    assert run.vae.fingerprint() == vae.fingerprint()
    config = splitvae.Run(tmp_path / "run").config
    assert (config.model.split, config.model.latent_dim, config.objective) == (3, 4, ELBO(2, Optimal()))


def test_images_without_a_preset_get_settings_that_fit_them(tmp_path: Path) -> None:
    pixels = torch.randint(0, 256, (60, 3, 24, 24), dtype=torch.uint8)
    images = splitvae.Images(pixels, None, (), "photos", "train", ())
    run = splitvae.train(
        splitvae.Config(), images, out=tmp_path / "run", progress=False, epochs=1, width=4, preview_every=0
    )
    assert run.config.model.shape == (3, 32, 32)
    assert run.config.data.mirror
    assert run.config.training.batch_size == 6
    assert run.config.options()["width"] == 4


def test_settings_of_the_user_are_not_replaced_by_suggestions(tmp_path: Path) -> None:
    pixels = torch.randint(0, 256, (60, 1, 16, 16), dtype=torch.uint8)
    images = splitvae.Images(pixels, None, (), "scans", "train", ())
    settings = {"beta": 1.0, "mirror": False, "epochs": 1, "latent_dim": 32, "width": 4, "preview_every": 0}
    run = splitvae.train(splitvae.Config(), images, out=tmp_path / "run", progress=False, **settings)
    assert {name: run.config.options()[name] for name in settings} == settings


def test_test_images_are_cropped_like_given_training_images(tiny: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "images.npz"
    np.savez(file, images=np.random.default_rng(0).integers(0, 256, (120, 24, 24), dtype=np.uint8))
    cropped = splitvae.load(file, crop=16)
    settings = tiny | {"epochs": 1, "validation": 0}
    run = splitvae.train("digits-svae", cropped, out=tmp_path / "run", progress=False, **settings)
    loaded = splitvae.Run(run.path)
    assert loaded.config.data.crop == 16
    torch.testing.assert_close(loaded.images("test").pixels, splitvae.load(file, "test", crop=16).pixels)


def test_resuming_a_folder_without_a_run_begins_one(
    tiny: dict[str, Any], images: splitvae.Images, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    splitvae.train("digits-svae", images, out=tmp_path / "run", resume=True, **tiny, epochs=1)
    assert "starting anew" in capsys.readouterr().out
    (tmp_path / "run" / "state.ckpt").unlink()
    (tmp_path / "run" / "history.jsonl").unlink()
    splitvae.train("digits-svae", images, out=tmp_path / "run", resume=True, epochs=1)
    assert "no checkpoint yet; starting anew" in capsys.readouterr().out
    splitvae.train("digits-svae", images, out=tmp_path / "run", resume=True, epochs=1)
    assert "is finished" in capsys.readouterr().out


def make_mistake(train: Train, images: splitvae.Images, tmp_path: Path, name: str) -> Callable[[], Any]:
    """Prepares files for a mistake, and returns a function that makes it."""
    folder, file, gray = (
        tmp_path / "used",
        tmp_path / "file",
        splitvae.Images(images.pixels[:20], None, (), "few", "train", ()),
    )
    if name == "existing run":
        train(images, folder, epochs=1)
        return lambda: train(images, folder)
    if name == "another width":
        train(images, folder, epochs=1)
        return lambda: train(images, folder, resume=True, width=8)
    if name == "folder of others":
        folder.mkdir()
        (folder / "thesis.txt").write_text("precious")
        return lambda: train(images, folder)
    if name == "file in the way":
        file.write_text("precious")
        return lambda: train(images, file / "run")
    if name == "few images":
        return lambda: train(gray, folder)
    if name == "damaged checkpoint":
        train(images, folder, epochs=1)
        (folder / "state.ckpt").write_bytes(b"not a checkpoint")
        return lambda: train(images, folder, epochs=2, resume=True)
    if name == "other images":
        train(images, folder, epochs=1)
        fewer = splitvae.Images(images.pixels[:200], None, (), "digits", "train", ())
        return lambda: train(fewer, folder, epochs=2, resume=True)
    if name == "nothing held out":
        return lambda: (
            train(gray, folder, schedule="plateau", validation=50, batch_size=2, epochs=1)
            and train(
                splitvae.Images(images.pixels[:8], None, (), "few", "train", ()), tmp_path / "b", best=True, batch_size=2
            )
        )
    if name == "colour":
        colour = splitvae.Images(torch.zeros(350, 3, 16, 16, dtype=torch.uint8), None, (), "colours", "train", ())
        return lambda: train(colour, folder)
    return {
        "preset": lambda: splitvae.train("digts-svae"),
        "field": lambda: train(images, folder, widht=4),
        "epochs": lambda: train(images, folder, epochs=-1),
        "schedule": lambda: train(images, folder, schedule="cosin"),
        "rate": lambda: train(images, folder, lr=float("nan")),
        "no images": lambda: splitvae.train(splitvae.Config(), out=folder, progress=False),
    }[name]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("existing run", "resume=True"),
        ("another width", "begun with width=4"),
        ("folder of others", "no run"),
        ("file in the way", "cannot be written"),
        ("few images", "fewer than a batch of 50"),
        ("damaged checkpoint", "damaged"),
        ("other images", "315 images"),
        ("nothing held out", "too few images to hold some out"),
        ("schedule", "'cosine'"),
        ("colour", "shape=(3, 16, 16)"),
        ("preset", "'digits-svae'"),
        ("field", "'width'"),
        ("epochs", "epochs=-1"),
        ("rate", "lr=nan"),
        ("no images", "data="),
    ],
)
def test_mistakes_get_one_sentence_and_change_no_file(
    train: Train, images: splitvae.Images, tmp_path: Path, name: str, words: str
) -> None:
    make = make_mistake(train, images, tmp_path, name)
    before = {f: f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()}
    with pytest.raises(UserError) as error:
        make()
    assert words in str(error.value)
    assert {f: f.read_bytes() for f in before} == before
