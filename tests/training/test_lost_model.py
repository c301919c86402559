"""Runs whose files were lost, cut or are in use: resuming says what it does, and writes the model again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import splitvae
from splitvae.errors import UserError
from splitvae.evaluation.diagnostics import saved_epoch_row
from splitvae.training.trainer import Trainer
from splitvae.utils.lock import lock_folder

Train = Callable[..., splitvae.Run]  # the type of the fixtures that train


@pytest.mark.parametrize("resume", [True, False])
def test_a_folder_in_which_a_training_runs_is_refused(
    train: Train, images: splitvae.Images, tmp_path: Path, resume: bool
) -> None:
    train(images, tmp_path / "run", epochs=1) if resume else None
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with lock_folder(tmp_path / "run"), pytest.raises(UserError, match="being trained by another process"):
        train(images, tmp_path / "run", epochs=2, resume=resume)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("damage", ["lost", "cut"])
def test_a_finished_run_gets_its_model_again_with_the_averaged_weights(
    train: Train, images: splitvae.Images, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    run = train(images, tmp_path / "run", epochs=1, ema=0.9)
    file = run.path / "model" / "model.safetensors"
    before = file.read_bytes()
    if damage == "lost":
        shutil.rmtree(file.parent)
    else:
        file.write_bytes(before[:1000])
    with pytest.raises(UserError, match=r"`splitvae train --resume --out .*run` .*writes it again"):
        _ = splitvae.Run(run.path).vae
    splitvae.train("digits-svae", images, out=run.path, resume=True, epochs=1)
    printed = capsys.readouterr().out
    assert "written again from state.ckpt: the weights at step 6." in printed and "is finished" in printed
    assert file.read_bytes() == before


def test_of_a_best_model_that_is_lost_the_last_weights_are_written_and_described(
    train: Train,
    images: splitvae.Images,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    losses = iter([2.0, 1.0, 3.0, 2.5])
    monkeypatch.setattr(Trainer, "validate", lambda self: {"val_loss": next(losses)})
    out = tmp_path / "run"
    train(images, out, epochs=2, best=True)
    shutil.rmtree(out / "model")
    best = splitvae.train("digits-svae", images, out=out, resume=True, epochs=2)  # the last epoch is the best
    assert "are lost" not in capsys.readouterr().out and saved_epoch_row(best)["epoch"] == 2
    train(images, out, epochs=3, best=True, resume=True)
    assert saved_epoch_row(splitvae.Run(out))["epoch"] == 2
    shutil.rmtree(out / "model")
    run = splitvae.train("digits-svae", images, out=out, resume=True, epochs=3)
    assert "since those of the best epoch are lost" in capsys.readouterr().out
    state = torch.load(out / "state.ckpt", weights_only=True)
    assert saved_epoch_row(run)["epoch"] == 3 and state["best"] == 3.0
    assert torch.equal(run.vae.state_dict()["decoder.head.weight"].cpu(), state["vae"]["decoder.head.weight"])
    train(images, out, epochs=4, best=True, resume=True)
    assert saved_epoch_row(splitvae.Run(out))["epoch"] == 4  # better than what was left


def test_a_run_without_model_and_checkpoint_begins_anew(
    train: Train, images: splitvae.Images, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(images, tmp_path / "run", epochs=1)
    shutil.rmtree(run.path / "model")
    (run.path / "state.ckpt").unlink()
    splitvae.train("digits-svae", images, out=run.path, resume=True, epochs=1)
    assert "starting anew" in capsys.readouterr().out
    assert splitvae.Run(run.path).vae.fingerprint() == run.vae.fingerprint()


def test_a_last_row_that_is_cut_is_left_out_and_written_again(
    train: Train, images: splitvae.Images, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(images, tmp_path / "run")
    file = run.path / "history.jsonl"
    whole = file.read_text()
    file.write_text(whole[:-30])
    assert [row["epoch"] for row in splitvae.Run(run.path).history] == [1]
    assert f"the last row of {file} is cut" in capsys.readouterr().err
    train(images, run.path, resume=True)
    assert file.read_text() == whole
    file.write_text(whole.replace("{", "", 1))
    with pytest.raises(UserError, match=r"history\.jsonl is damaged in line 1; delete it, and `splitvae train --resume"):
        _ = splitvae.Run(run.path).history


def test_other_processes_take_a_model_that_the_first_restores_for_there(
    train: Train, images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(images, tmp_path / "run", epochs=1).remove_model()
    monkeypatch.setattr("splitvae.training.lost_model.is_main_process", lambda: False)
    monkeypatch.setattr("splitvae.training.loop.Trainer", lambda *_: pytest.fail("the run is trained again"))
    assert len(train(images, tmp_path / "run", epochs=1, resume=True).history) == 1
