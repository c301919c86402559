"""Training: exact resume, nothing lost, statistics that are true, errors that help."""

from __future__ import annotations

import copy
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import splitvae
from splitvae import presets
from splitvae.cli import main
from splitvae.errors import UserError
from splitvae.models.groups import Groups
from splitvae.objectives.elbo import ELBO, ELBOLoss
from splitvae.objectives.variance import Optimal
from splitvae.training.interrupts import Interrupted
from splitvae.training.trainer import Trainer

Same = Callable[[Any, Any], bool]  # the fixture that compares states

TINY: dict[str, Any] = {
    "width": 4,
    "embedding": 32,
    "latent_dim": 4,
    "preview_every": 0,
    "batch_size": 50,
    "validation": 50,
}


def train(images: splitvae.Images, out: Path, **overrides: Any) -> splitvae.Run:
    settings = {**TINY, "epochs": 2, **overrides}
    return splitvae.train("digits-svae", images, out=out, progress=False, **settings)


def checkpoint(run: Path) -> dict[str, Any]:
    return torch.load(run / "state.ckpt", weights_only=True)


def interrupt_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Sends this process Ctrl-C during a step."""
    turn = Trainer.train_step

    def interrupted(self: Trainer, x: torch.Tensor, group: Groups | None = None) -> None:
        turn(self, x, group)
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
    images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], same: Same
) -> None:
    train(images, tmp_path / "whole", epochs=3, **settings)
    with monkeypatch.context() as patch:
        interrupt_at(patch, step=8)  # six steps an epoch: within the second
        with pytest.raises(Interrupted, match="epoch 2, step 8"):
            train(images, tmp_path / "parts", epochs=3, **settings)
    torch.manual_seed(99)  # whatever happened in between
    run = train(images, tmp_path / "parts", epochs=3, resume=True, **settings)
    assert same(checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "parts"))
    assert run.vae.fingerprint() == splitvae.Run(tmp_path / "whole").vae.fingerprint()
    assert [row["epoch"] for row in run.history] == [1, 2, 3]


def test_more_epochs_go_on_as_if_asked_for_at_once(images: splitvae.Images, tmp_path: Path, same: Same) -> None:
    train(images, tmp_path / "whole", epochs=3)
    train(images, tmp_path / "parts", epochs=1)
    train(images, tmp_path / "parts", epochs=3, resume=True)
    whole, parts = checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "parts")
    for part in ("optimizers", "objective", "random"):
        assert same(whole[part], parts[part])
    weights = [name for name in whole["vae"] if "running" not in name and "num_batches" not in name]
    assert same({n: whole["vae"][n] for n in weights}, {n: parts["vae"][n] for n in weights})


def test_killed_without_warning_it_resumes_from_the_last_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
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


def test_two_processes_train_one_run(tmp_path: Path) -> None:
    command = [
        sys.executable,
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
    command += ["--out", str(tmp_path / "run"), "--no-report", "--devices", "2", "--accelerator", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    rows = splitvae.Run(tmp_path / "run").history
    assert [row["step"] for row in rows] == [7, 14]  # half the steps of one process: each has batches of its own
    assert rows[1]["mse"] < rows[0]["mse"]


def test_a_full_disk_leaves_the_last_checkpoint_whole(
    images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(images, tmp_path / "run", epochs=1)
    before = (tmp_path / "run" / "state.ckpt").read_bytes()

    def full(self: Path, content: Any) -> int:
        with open(self, "wb") as half:
            half.write(bytes(content)[:1000])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(UserError, match="No space left on device"):
            train(images, tmp_path / "run", epochs=2, resume=True)
    assert (tmp_path / "run" / "state.ckpt").read_bytes() == before
    assert not [f for f in (tmp_path / "run").iterdir() if f.name.startswith(".")]
    assert len(train(images, tmp_path / "run", epochs=2, resume=True).history) == 2


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_checkpoint(
    images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(images, tmp_path / "run", epochs=1)
    before, model = (tmp_path / "run" / "state.ckpt").read_bytes(), splitvae.Run(tmp_path / "run").vae.fingerprint()
    forward = ELBOLoss.forward

    def poisoned(self: ELBOLoss, vae: Any, x: Any, group: Any = None, step: int = 0) -> Any:
        for player, loss in forward(self, vae, x, group, step):
            yield player, loss * float("nan") if step == 9 else loss

    with monkeypatch.context() as patch:
        patch.setattr(ELBOLoss, "forward", poisoned)
        with pytest.raises(UserError, match=r"non-finite at step 9.*lower|non-finite at step 9.*third"):
            train(images, tmp_path / "run", epochs=3, resume=True)
    assert (tmp_path / "run" / "state.ckpt").read_bytes() == before
    assert splitvae.Run(tmp_path / "run").vae.fingerprint() == model


def test_evaluation_mode_reconstructs_as_well_as_training_mode(images: splitvae.Images, tmp_path: Path) -> None:
    run = train(images, tmp_path / "run", epochs=15, width=8, latent_dim=8, v=0.05)
    x = images.pixels.float() / 255
    error = {}
    for mode in (True, False):
        vae = run.vae.train(mode)
        with torch.no_grad():
            error[mode] = (vae.decode(vae.encode(x).mean).image - x).square().mean().item()
    assert error[False] == pytest.approx(error[True], rel=0.05)


def test_without_recomputing_the_statistics_it_would_not(
    images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "recompute_batchnorm", lambda self: None)
    run = train(images, tmp_path / "run", epochs=15, width=8, latent_dim=8, v=0.05)
    x = images.pixels.float() / 255
    with torch.no_grad():
        error = [(run.vae.train(m).decode(run.vae.encode(x).mean).image - x).square().mean().item() for m in (True, False)]
    assert abs(error[1] / error[0] - 1) > 0.05


def test_every_epoch_has_another_order_and_every_image_once(images: splitvae.Images) -> None:
    config = presets.find_preset("digits-svae", **{**TINY, "batch_size": 45}, precision="32")
    trainer = Trainer(presets.build_vae(config), config.objective, images, config)
    first = torch.cat([x for x, _ in trainer.batches()])
    trainer.epoch, trainer.step = 1, trainer.steps_per_epoch
    second = torch.cat([x for x, _ in trainer.batches()])
    assert not torch.equal(first, second)
    order = [x.flatten(1).sum(1).sort().values for x in (first, second)]
    assert len(first) == len(trainer.images) == 315
    torch.testing.assert_close(order[0], order[1])


def test_the_average_of_the_weights_is_what_is_kept(images: splitvae.Images, tmp_path: Path) -> None:
    run = train(images, tmp_path / "run", ema=0.9)
    state = checkpoint(tmp_path / "run")
    name = "decoder.head.weight"
    kept = run.vae.state_dict()[name]
    assert torch.equal(kept, state["average"][name])
    assert not torch.equal(kept, state["vae"][name])


def test_a_rate_given_on_resume_moves_the_schedule_and_keeps_the_place_in_it(
    images: splitvae.Images, tmp_path: Path
) -> None:
    train(images, tmp_path / "run", epochs=2, lr=1e-3, schedule="step", schedule_epochs=1)
    run = train(images, tmp_path / "run", epochs=4, lr=5e-4, schedule="step", schedule_epochs=1, resume=True)
    assert [row["lr"] for row in run.history] == pytest.approx([1e-3, 5e-4, 1.25e-4, 6.25e-5])


def test_the_average_soon_forgets_where_training_began(images: splitvae.Images) -> None:
    config = presets.find_preset("digits-svae", **TINY, precision="32", ema=0.999)
    trainer = Trainer(presets.build_vae(config), config.objective, images, config)
    assert trainer.ema_model is not None
    parameter, average = (next(model.decoder.parameters()) for model in (trainer.vae, trainer.ema_model))
    seen = [parameter.detach().clone()]
    for x, _ in trainer.batches():
        trainer.train_step(x)
        seen.append(parameter.detach().clone())
    expected = seen[0]
    for t, weight in enumerate(seen[1:]):
        expected = torch.lerp(expected, weight, 1 - min(0.999, (1 + t) / (10 + t)))
    torch.testing.assert_close(average, expected)


def test_the_best_weights_are_those_of_the_lowest_validation_loss(
    images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same: Same
) -> None:
    losses, weights = iter([3.0, 1.0, 2.0, 1.5]), []

    def validate(self: Trainer) -> dict[str, float]:
        weights.append(copy.deepcopy(self.vae.state_dict()))
        return {"val_loss": next(losses)}

    monkeypatch.setattr(Trainer, "validate", validate)
    run = train(images, tmp_path / "run", epochs=4, best=True)
    assert same(dict(run.vae.state_dict()), dict(weights[1]))  # of the second epoch
    assert not any(same(dict(run.vae.state_dict()), dict(other)) for other in (weights[0], *weights[2:]))


def test_plateau_halves_the_rate_where_the_validation_loss_stalls(
    images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "validate", lambda self: {"val_loss": 1.0})
    run = train(images, tmp_path / "run", epochs=4, schedule="plateau", schedule_epochs=1)
    assert [row["lr"] for row in run.history] == [1e-3, 1e-3, 1e-3, 5e-4]


@pytest.mark.parametrize(
    ("schedule", "rates"), [("step", [1e-3, 1e-3, 5e-4, 5e-4]), ("constant", [1e-3] * 4), ("cosine", None)]
)
def test_schedules_move_the_learning_rate(
    images: splitvae.Images, tmp_path: Path, schedule: str, rates: list[float] | None
) -> None:
    run = train(images, tmp_path / "run", epochs=4, schedule=schedule, schedule_epochs=2)
    expected = rates or [1e-3, 0.853553e-3, 0.5e-3, 0.146447e-3]
    assert [row["lr"] for row in run.history] == pytest.approx(expected, rel=1e-4)


def test_the_history_has_every_term(images: splitvae.Images, tmp_path: Path) -> None:
    (row,) = train(images, tmp_path / "run", epochs=1).history
    terms = {"loss", "mse", "rec", "kl", "beta", "v", "beta_v", "grad_norm", "lr", "val_loss", "val_mse", "val_kl"}
    assert terms <= set(row)
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    assert json.loads((tmp_path / "run" / "config.json").read_text())["parameters"]["trainable"] > 0


def test_a_jump_of_the_gradient_raises_the_alarm(
    images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = ELBOLoss.forward

    def jumping(self: ELBOLoss, vae: Any, x: Any, group: Any = None, step: int = 0) -> Any:
        for player, loss in forward(self, vae, x, group, step):
            yield player, loss * (1e6 if step == 10 else 1)

    monkeypatch.setattr(ELBOLoss, "forward", jumping)
    assert [row["alarms"] for row in train(images, tmp_path / "run").history] == [0, 1]


def test_mirroring_flips_some_images_and_no_others(images: splitvae.Images) -> None:
    config = presets.find_preset("digits-svae", **TINY, mirror=True, precision="32")
    trainer = Trainer(presets.build_vae(config), config.objective, images, config)
    order = trainer.images.epoch_order(0)
    x, _ = trainer.images.batch(order, 0)
    plain = trainer.images.pixels[order.rows[: len(x)]].float() / 255
    flipped = [torch.equal(a, b.flip(2)) for a, b in zip(x, plain, strict=True)]
    straight = [torch.equal(a, b) for a, b in zip(x, plain, strict=True)]
    assert all(f or s for f, s in zip(flipped, straight, strict=True))
    assert 10 < sum(flipped) < 40


def test_a_model_made_by_hand_trains_in_place_and_describes_itself(images: splitvae.Images, tmp_path: Path) -> None:
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


def test_settings_that_were_asked_for_are_not_chosen_anew(tmp_path: Path) -> None:
    pixels = torch.randint(0, 256, (60, 1, 16, 16), dtype=torch.uint8)
    images = splitvae.Images(pixels, None, (), "scans", "train", ())
    asked = {"beta": 1.0, "mirror": False, "epochs": 1, "latent_dim": 32, "width": 4, "preview_every": 0}
    run = splitvae.train(splitvae.Config(), images, out=tmp_path / "run", progress=False, **asked)
    assert {name: run.config.options()[name] for name in asked} == asked


def test_a_resumed_run_takes_another_learning_rate(images: splitvae.Images, tmp_path: Path) -> None:
    train(images, tmp_path / "run", epochs=1)
    run = train(images, tmp_path / "run", epochs=2, resume=True, lr=1e-4)
    assert [row["lr"] for row in run.history] == pytest.approx([1e-3, 1e-4])


def test_validation_weighs_the_kl_as_at_the_end_of_its_schedule(images: splitvae.Images) -> None:
    losses = []
    for kl in ("constant", "warmup", "cyclical"):
        config = presets.find_preset("digits-svae", **TINY, kl=kl, precision="32")
        torch.manual_seed(0)
        trainer = Trainer(presets.build_vae(config), config.objective, images, config)
        losses.append(trainer.validate()["val_loss"])
    assert losses[0] == losses[1] == losses[2]


def bad(images: splitvae.Images, tmp_path: Path, name: str) -> Any:
    """Each mistake, by name."""
    used, file, gray = (
        tmp_path / "used",
        tmp_path / "file",
        splitvae.Images(images.pixels[:20], None, (), "few", "train", ()),
    )
    if name == "existing run":
        train(images, used, epochs=1)
        return lambda: train(images, used)
    if name == "another width":
        train(images, used, epochs=1)
        return lambda: train(images, used, resume=True, width=8)
    if name == "folder of others":
        used.mkdir()
        (used / "thesis.txt").write_text("precious")
        return lambda: train(images, used)
    if name == "file in the way":
        file.write_text("precious")
        return lambda: train(images, file / "run")
    if name == "few images":
        return lambda: train(gray, used)
    if name == "damaged checkpoint":
        train(images, used, epochs=1)
        (used / "state.ckpt").write_bytes(b"not a checkpoint")
        return lambda: train(images, used, epochs=2, resume=True)
    if name == "other images":
        train(images, used, epochs=1)
        fewer = splitvae.Images(images.pixels[:200], None, (), "digits", "train", ())
        return lambda: train(fewer, used, epochs=2, resume=True)
    if name == "nothing held out":
        return lambda: (
            train(gray, used, schedule="plateau", validation=50, batch_size=2, epochs=1)
            and train(
                splitvae.Images(images.pixels[:8], None, (), "few", "train", ()), tmp_path / "b", best=True, batch_size=2
            )
        )
    if name == "colour":
        colour = splitvae.Images(torch.zeros(350, 3, 16, 16, dtype=torch.uint8), None, (), "colours", "train", ())
        return lambda: train(colour, used)
    return {
        "preset": lambda: splitvae.train("digts-svae"),
        "field": lambda: train(images, used, widht=4),
        "epochs": lambda: train(images, used, epochs=-1),
        "schedule": lambda: train(images, used, schedule="cosin"),
        "rate": lambda: train(images, used, lr=float("nan")),
        "no images": lambda: splitvae.train(splitvae.Config(), out=used, progress=False),
    }[name]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("existing run", "--resume"),
        ("another width", "begun with width=4"),
        ("folder of others", "no run"),
        ("file in the way", "cannot be written"),
        ("few images", "fewer than a batch of 50"),
        ("damaged checkpoint", "damaged"),
        ("other images", "315 images"),
        ("nothing held out", "too few images to hold some out"),
        ("schedule", "'cosine'"),
        ("colour", "--shape 3 16 16"),
        ("preset", "'digits-svae'"),
        ("field", "'width'"),
        ("epochs", "epochs=-1"),
        ("rate", "lr=nan"),
        ("no images", "--data"),
    ],
)
def test_mistakes_get_one_sentence_and_lose_nothing(images: splitvae.Images, tmp_path: Path, name: str, words: str) -> None:
    make = bad(images, tmp_path, name)
    before = {f: f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()}
    with pytest.raises(UserError) as error:
        make()
    assert words in str(error.value)
    assert {f: f.read_bytes() for f in before} == before


def test_resuming_where_nothing_was_begun_begins(
    images: splitvae.Images, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    splitvae.train("digits-svae", images, out=tmp_path / "run", resume=True, **TINY, epochs=1)
    assert "starting anew" in capsys.readouterr().out
    (tmp_path / "run" / "state.ckpt").unlink()
    (tmp_path / "run" / "history.jsonl").unlink()
    splitvae.train("digits-svae", images, out=tmp_path / "run", resume=True, epochs=1)
    assert "no checkpoint yet; starting anew" in capsys.readouterr().out
    splitvae.train("digits-svae", images, out=tmp_path / "run", resume=True, epochs=1)
    assert "is finished" in capsys.readouterr().out


def test_checkpoints_are_read_without_running_what_is_in_them(tmp_path: Path, images: splitvae.Images) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "sprung",))

    train(images, tmp_path / "run", epochs=1)
    torch.save(Trap(), tmp_path / "run" / "state.ckpt")
    with pytest.raises(UserError, match="damaged"):
        train(images, tmp_path / "run", epochs=2, resume=True)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("32", torch.float32)])
def test_a_step_computes_in_the_precision_asked_for_and_losses_in_float32(
    images: splitvae.Images, precision: str, dtype: torch.dtype
) -> None:
    config = presets.find_preset("digits-svae", **TINY, precision=precision)
    trainer = Trainer(presets.build_vae(config), config.objective, images, config)
    seen: dict[str, Any] = {}
    convolutions = [m for m in trainer.vae.modules() if isinstance(m, torch.nn.Conv2d)]
    for i, m in enumerate(convolutions):
        m.register_forward_hook(lambda _m, _i, out, i=i: seen.__setitem__(f"conv {i}", out.dtype))
    trainer.vae.encoder.register_forward_hook(lambda _m, _i, q: seen.update(mean=q.mean.dtype, logvar=q.logvar.dtype))
    trainer.train_step(*next(iter(trainer.batches())))
    assert seen.pop("mean") == seen.pop("logvar") == torch.float32
    assert len(seen) == len(convolutions)
    assert set(seen.values()) == {dtype}
    assert trainer.loss.logs["loss"].dtype == torch.float32


def test_images_cut_by_hand_are_tested_as_they_were_trained(tmp_path: Path) -> None:
    import numpy as np

    file = tmp_path / "images.npz"
    np.savez(file, images=np.random.default_rng(0).integers(0, 256, (120, 24, 24), dtype=np.uint8))
    cut = splitvae.load(file, crop=16)
    settings = TINY | {"epochs": 1, "validation": 0}
    run = splitvae.train("digits-svae", cut, out=tmp_path / "run", progress=False, **settings)
    again = splitvae.Run(run.path)
    assert again.config.data.crop == 16
    torch.testing.assert_close(again.images("test").pixels, splitvae.load(file, "test", crop=16).pixels)
