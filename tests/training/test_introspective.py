"""Introspective training: two players in one loop, exact resume, and weights that are functions."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import splitvae
from splitvae import presets
from splitvae.errors import UserError
from splitvae.objectives.introvae import Intro
from splitvae.training import windows
from splitvae.training.interrupts import Interrupted
from splitvae.training.trainer import Trainer

Train = Callable[..., splitvae.Run]  # the type of the fixtures that train
ReadCheckpoint = Callable[[Path], dict[str, Any]]
BeforeEachStep = Callable[[pytest.MonkeyPatch, Callable[[Trainer], None]], None]
STEPS = 6  # in an epoch of these images


@pytest.fixture
def short_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every epoch is a window."""
    monkeypatch.setattr(windows, "WINDOW_STEPS", STEPS)


@pytest.mark.parametrize(
    "settings",
    [
        {"vae_epochs": 1, "mirror": True, "ema": 0.9},
        {"vae_epochs": 2, "margin": 10.0, "margin_ratio": 1.5},  # the interruption is within the measured epoch
        {"loss": "soft-intro", "schedule": "cosine", "split": 1},
    ],
    ids=["intro", "margin-ratio", "soft-intro"],
)
def test_resuming_within_an_epoch_is_the_uninterrupted_run_bit_for_bit(
    same: Callable[[Any, Any], bool],
    resume: Train,
    train_intro: Train,
    images: splitvae.Images,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    short_windows: None,
    last_checkpoint: ReadCheckpoint,
    before_each_step: BeforeEachStep,
) -> None:
    train_intro(images, tmp_path / "whole", on_alarm="warn", epochs=3, **settings)
    with monkeypatch.context() as patch:
        before_each_step(patch, lambda trainer: os.kill(os.getpid(), signal.SIGINT) if trainer.step == 8 else None)
        with pytest.raises(Interrupted, match="epoch 2, step 9"):
            train_intro(images, tmp_path / "parts", on_alarm="warn", epochs=3, **settings)
    torch.manual_seed(99)  # the state of the global stream does not matter
    run = resume(images, tmp_path / "parts", epochs=3)
    whole, parts = last_checkpoint(tmp_path / "whole"), last_checkpoint(tmp_path / "parts")
    assert list(parts["optimizers"]) == ["encoder", "decoder"]
    assert all(len(o["state"]) > 10 for o in parts["optimizers"].values())
    assert same(whole, parts)
    assert run.vae.fingerprint() == splitvae.Run(tmp_path / "whole").vae.fingerprint()


def test_the_first_epochs_train_a_plain_vae_and_schedules_get_the_step_of_the_run(
    train_intro: Train, images: splitvae.Images, tmp_path: Path
) -> None:
    steps: list[int] = []

    def alpha(step: int) -> float:
        steps.append(step)
        return 0.25

    objective = Intro(alpha, beta=5.0, margin=20.0)
    run = train_intro(images, tmp_path / "run", objective=objective, vae_epochs=2, epochs=3)
    assert ["kl_fake" in row for row in run.history] == [False, False, True]
    assert [row["alpha"] for row in run.history] == [0, 0, 0.25]
    # In evaluation too, at the end of the second epoch and of the third, and for the statistics of BatchNorm in between.
    assert list(dict.fromkeys(steps)) == [*range(2 * STEPS, 3 * STEPS), 3 * STEPS]


def test_the_validation_loss_is_the_plain_bound(healthy: Path) -> None:
    for row in splitvae.Run(healthy).history:
        assert row["v"] == pytest.approx(1 / 5.0)  # the likelihood that `evaluate` bounds
        assert row["val_loss"] == pytest.approx(row["val_kl"] + 5.0 / 2 * 256 * row["val_mse"], rel=1e-4)


def test_two_processes_on_two_machines_of_slurm_have_the_same_network(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(
        "import os, sys, torch, splitvae\n"
        "settings = dict(width=4, embedding=32, latent_dim=4, preview_every=0, batch_size=50, epochs=1, nodes=2)\n"
        "found = splitvae.load('digits', side=16)\n"
        "images = splitvae.Images(found.pixels[:600], None, (), 'digits', 'train', ())\n"
        "vae = splitvae.create('digits-svae', **{k: settings[k] for k in ('width', 'embedding', 'latent_dim')})\n"
        "before = next(vae.encoder.parameters()).detach().clone()\n"
        "splitvae.train(vae, images, splitvae.Intro(beta=5., margin=20.), out=sys.argv[1], progress=False,\n"
        "               accelerator='cpu', precision='bf16', **{k: settings[k] for k in settings if k not in ('width',)})\n"
        "assert not torch.equal(before, next(vae.encoder.parameters()))\n"
        "torch.save(dict(vae.named_parameters()), sys.argv[1] + '/rank-' + os.environ['SLURM_PROCID'])\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "SLURM_STEP_ID": "0"}
    shared |= {"SLURM_NTASKS": "2", "SLURM_NNODES": "2", "SLURM_STEP_TASKS_PER_NODE": "1(x2)", "SLURM_LOCALID": "0"}
    command = [sys.executable, str(script), str(tmp_path / "run")]
    environments = [os.environ | shared | {"SLURM_PROCID": str(i), "SLURM_NODEID": str(i)} for i in (0, 1)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=own) for own in environments]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=240)
            assert process.returncode == 0, errors
    finally:
        for process in processes:
            process.kill()
    first, second = (torch.load(tmp_path / "run" / f"rank-{i}", weights_only=True) for i in (0, 1))
    assert [name for name in first if not torch.equal(first[name], second[name])] == []
    (row,) = splitvae.Run(tmp_path / "run").history
    assert row["step"] == 5 and row["kl_fake"] > 0  # half the steps of one process: each has batches of its own


def test_weights_of_introspective_losses_may_change_on_resume(
    resume: Train, train_intro: Train, healthy: Path, images: splitvae.Images, tmp_path: Path
) -> None:
    out = tmp_path / "intro"
    shutil.copytree(healthy, out)
    run = resume(images, out, epochs=3, alpha=0.1, margin=30.0, alpha_decoder=0.2, beta=4.0, on_alarm="warn")
    row = run.history[-1]
    assert (row["alpha"], row["margin"], row["alpha_decoder"], row["beta"]) == pytest.approx((0.1, 30, 0.2, 4))
    with pytest.raises(UserError, match="beta_neg belongs to loss soft-intro"):
        resume(images, out, beta_neg=128)
    train_intro(images, tmp_path / "elbo", loss="elbo", epochs=1)
    with pytest.raises(UserError, match="alpha belongs to loss intro, and here loss is elbo"):
        resume(images, tmp_path / "elbo", alpha=0.1)


def test_schedules_that_never_end_are_evaluated_at_the_step_of_the_run(
    train_intro: Train, images: splitvae.Images, tmp_path: Path
) -> None:
    objective = Intro(0.25, beta=lambda step: 5.0 * (1 + step), margin=lambda step: 20.0 * 1.01**step)
    run = train_intro(images, tmp_path / "run", objective=objective, epochs=1, vae_epochs=1)
    row = run.history[-1]
    assert row["val_loss"] == pytest.approx(row["val_kl"] + 5 * (1 + STEPS) / 2 * 256 * row["val_mse"], rel=1e-4)


def test_weights_that_cannot_work_are_refused_before_anything_is_written(
    train_intro: Train, images: splitvae.Images, tmp_path: Path
) -> None:
    for fields, words in (
        ({"margin": -1.0}, "never be active"),
        ({"beta": 0.0}, "must be positive"),
        ({"alpha": -1}, "alpha"),
    ):
        with pytest.raises(UserError, match=words):
            train_intro(images, tmp_path / "run", **fields)
    with pytest.raises(UserError, match="did you mean 'sample'"):
        train_intro(images, tmp_path / "run", hinge="samples")
    assert not (tmp_path / "run").exists()


def test_weights_of_a_given_objective_are_not_replaced_by_suggestions(
    tiny: dict[str, Any], images: splitvae.Images, tmp_path: Path
) -> None:
    config = splitvae.Config().override(**{**tiny, "loss": "intro", "epochs": 1, "split": 1})
    run = splitvae.train(config, images, Intro(0.25, 1.0, 10.0), out=tmp_path / "run", progress=False)
    assert (run.config.objective.beta, run.config.objective.margin, run.config.model.latent_dim) == (1, 10, 4)


def test_statistics_for_evaluation_are_of_all_that_the_decoder_is_trained_on(
    tiny: dict[str, Any], images: splitvae.Images
) -> None:
    config = presets.find_preset("digits-svae", **tiny, loss="intro", vae_epochs=1, precision="32")
    trainer = Trainer(presets.build_vae(config), config.objective, images, config)
    with torch.no_grad():
        trainer.vae.encoder.latent.mean.bias.fill_(5.0)  # codes of images are far from draws of the prior
    decoded: list[torch.Tensor] = []
    trainer.vae.decoder.register_forward_pre_hook(lambda _, arguments: decoded.append(arguments[0]))

    def recompute(step: int) -> tuple[list[bool], torch.Tensor]:
        decoded.clear()
        trainer.step = step
        trainer.recompute_batchnorm()
        norm = next(m for m in trainer.vae.decoder.modules() if isinstance(m, torch.nn.BatchNorm2d))
        return [bool(z.mean() > 2) for z in decoded], norm.running_mean.clone()

    kinds, of_codes = recompute(step=STEPS)  # the plain VAE has ended: no fake was drawn yet
    assert kinds == [True] * len(kinds)
    kinds, of_both = recompute(step=STEPS + 1)
    assert kinds == [True, False] * (len(kinds) // 2)
    assert not torch.allclose(of_codes, of_both, rtol=0.1)
