"""Responses to alarms: a training stops at its last good checkpoint, or goes on from it with changed settings."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import splitvae
from splitvae.cli.app import main
from splitvae.errors import UserError
from splitvae.evaluation.diagnostics import saved_epoch_row
from splitvae.objectives.elbo import ELBOLoss
from splitvae.objectives.introvae import IntroLoss
from splitvae.studies import seeds
from splitvae.training import schedules, windows
from splitvae.training.monitor import Monitor
from splitvae.training.trainer import Trainer

Train = Callable[..., splitvae.Run]  # the type of the fixtures that train
ReadCheckpoint = Callable[[Path], dict[str, Any]]
BeforeEachStep = Callable[[pytest.MonkeyPatch, Callable[[Trainer], None]], None]
STEPS = 6  # in an epoch of these images


@pytest.fixture
def short_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes each epoch a window."""
    monkeypatch.setattr(windows, "WINDOW_STEPS", STEPS)


@pytest.fixture(autouse=True)
def _whole_learning_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the first steps have all of the learning rate, so that runs of a few steps collapse."""
    monkeypatch.setattr(schedules, "WARMUP_STEPS", 0)


def good_checkpoint(run: Path) -> dict[str, Any]:
    return torch.load(run / "good.ckpt", weights_only=True)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_checkpoint(
    train: Train, images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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


COLLAPSES: dict[
    str, tuple[dict[str, Any], str]
] = {  # settings by which a healthy run collapses, and the weight of the remedy
    "codes-empty": ({"beta": 1e-6, "alpha": 0.0, "lr": 1e-2}, "beta"),
    "one-picture": ({}, "alpha"),
    "reals-over-margin": ({"margin": 0.5}, "margin"),
    "fakes-under-reals": ({"beta": 300.0, "margin": 1e3, "alpha": 1e-6, "alpha_decoder": 0.3, "lr": 1e-2}, "alpha_decoder"),
    "hinges-idle": ({"margin": 6.0, "alpha": 0.5, "alpha_decoder": 1e-9}, "margin"),
    "hinges-full": ({"margin": 1e5, "alpha": 1e-9}, "margin"),
}


@pytest.fixture
def decode_one_picture(before_each_step: BeforeEachStep) -> Callable[[pytest.MonkeyPatch], None]:
    """A function that makes decoders generate one picture from all codes."""

    def constant(trainer: Trainer) -> None:
        with torch.no_grad():
            trainer.vae.decoder.head.weight.zero_()

    return lambda patch: before_each_step(patch, constant)


@pytest.mark.parametrize("name", COLLAPSES)
def test_a_collapse_stops_the_run_at_its_last_good_checkpoint_and_names_the_weight(
    same: Callable[[Any, Any], bool],
    resume: Train,
    healthy: Path,
    images: splitvae.Images,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    short_windows: None,
    last_checkpoint: ReadCheckpoint,
    decode_one_picture: Callable[[pytest.MonkeyPatch], None],
) -> None:
    out, (settings, weight) = tmp_path / "run", COLLAPSES[name]
    shutil.copytree(healthy, out)
    before = (out / "good.ckpt").read_bytes()
    if name == "one-picture":
        decode_one_picture(monkeypatch)
    with pytest.raises(UserError) as error:
        resume(images, out, **settings)
    message = str(error.value)
    assert f"{name}: " in message and f"of epoch {good_checkpoint(out)['epoch']}" in message
    assert re.search(
        rf"splitvae train --resume --out {re.escape(str(out))}[^`]* --{weight.replace('_', '-')} [\d.e+-]+", message
    )
    good, run = good_checkpoint(out), splitvae.Run(out)
    assert good["epoch"] == len(run.history) == last_checkpoint(out)["epoch"]
    assert same(last_checkpoint(out)["vae"], good["vae"]) and same(last_checkpoint(out)["optimizers"], good["optimizers"])
    assert same(dict(run.vae.state_dict()), good["vae"])
    if good["epoch"] == 2:  # it collapsed in the next epoch
        assert (out / "good.ckpt").read_bytes() == before
    assert last_checkpoint(out)["monitor"]["notes"][0].startswith("Stopped, and went back")


def poison(kind: str) -> Callable[..., Any]:
    """Returns a method `forward` whose loss or gradient is not finite at step 20."""
    forward = IntroLoss.forward

    def poisoned(self: IntroLoss, vae: Any, x: Any, group: Any = None, step: int = 0) -> Any:
        for player, loss in forward(self, vae, x, group, step):
            if step == 20 and player == "decoder":
                zero = (0 * vae.decoder.head.bias.sum()).sqrt()  # 0, whose gradient is infinite
                loss = loss * float("nan") if kind == "the loss" else loss + zero
            yield player, loss

    return poisoned


@pytest.mark.parametrize("kind", ["the loss", "the gradient", "a weight"])
@pytest.mark.parametrize("on_alarm", ["stop", "warn"])
def test_values_that_are_not_finite_stop_a_run_before_they_are_written(
    resume: Train,
    healthy: Path,
    images: splitvae.Images,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    on_alarm: str,
    last_checkpoint: ReadCheckpoint,
    before_each_step: BeforeEachStep,
) -> None:
    out = tmp_path / "run"
    shutil.copytree(healthy, out)
    before = (out / "good.ckpt").read_bytes()
    if kind == "a weight":

        def overflow(trainer: Trainer) -> None:
            if trainer.step == 4 * STEPS - 1:
                # At the last optimizer step of the epoch, after which no loss is computed.
                trainer.vae.decoder.head.bias.register_hook(lambda slope: slope.fill_(float("inf")))

        before_each_step(monkeypatch, overflow)
    else:
        monkeypatch.setattr(IntroLoss, "forward", poison(kind))
    with pytest.raises(UserError, match=rf"non-finite: {kind} became non-finite at step 2\d.* --lr 0.0005`\.$"):
        resume(images, out, on_alarm=on_alarm)
    assert (out / "good.ckpt").read_bytes() == before
    for values in (last_checkpoint(out)["vae"], dict(splitvae.Run(out).vae.state_dict())):
        assert all(v.isfinite().all() for v in values.values())


def test_a_rollback_is_the_same_as_a_resume_with_its_settings(
    resume: Train,
    healthy: Path,
    images: splitvae.Images,
    tmp_path: Path,
    short_windows: None,
    last_checkpoint: ReadCheckpoint,
) -> None:
    for name in ("rolled", "by-hand"):
        shutil.copytree(healthy, tmp_path / name)
    rolled = resume(images, tmp_path / "rolled", epochs=4, margin=0.5, on_alarm="rollback")
    config = splitvae.Run(tmp_path / "rolled").config
    assert config.objective.margin > 0.5 and config.monitoring.on_alarm == "rollback"
    by_hand = resume(images, tmp_path / "by-hand", epochs=4, margin=config.objective.margin)
    assert rolled.vae.fingerprint() == by_hand.vae.fingerprint()
    assert [row["epoch"] for row in rolled.history] == [1, 2, 3, 4]
    notes = rolled.history[2]["notes"]
    assert notes[0].startswith("Went back (1 of 3 times) to the last good checkpoint, of epoch 2. reals-over-margin")
    assert "above the margin of 0.5" in notes[0] and "notes" not in rolled.history[3]
    assert len(notes) == last_checkpoint(tmp_path / "rolled")["monitor"]["rollbacks"]


def test_a_loss_that_is_not_finite_rolls_back_with_half_the_learning_rate(
    train_intro: Train, images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward, poisoned = ELBOLoss.forward, []

    def once(self: ELBOLoss, vae: Any, x: Any, group: Any = None, step: int = 0) -> Any:
        for player, loss in forward(self, vae, x, group, step):
            bad = step == 9 and not poisoned
            poisoned.extend([step] * bad)
            yield player, loss * float("nan") if bad else loss

    monkeypatch.setattr(ELBOLoss, "forward", once)
    run = train_intro(images, tmp_path / "run", loss="elbo", beta=1.0, epochs=3, on_alarm="rollback", schedule="cosine")
    # The cosine is 1, 3/4 and 1/4 in the 3 epochs, and from the second on that of half the learning rate.
    assert [row["lr"] for row in run.history] == pytest.approx([1e-3, 0.5 * 0.75e-3, 0.5 * 0.25e-3])
    assert splitvae.Run(run.path).config.training.lr == 5e-4
    assert "the loss became non-finite at step 9" in run.history[1]["notes"][0]
    assert json.loads((run.path / "config.json").read_text())["monitoring"]["on_alarm"] == "rollback"


def test_a_warning_is_printed_once_per_epoch_and_the_good_checkpoint_stays(
    resume: Train,
    healthy: Path,
    images: splitvae.Images,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    short_windows: None,
    last_checkpoint: ReadCheckpoint,
) -> None:
    out = tmp_path / "run"
    shutil.copytree(healthy, out)
    before = (out / "good.ckpt").read_bytes()
    printed: list[str] = []
    monkeypatch.setattr(Monitor, "print", lambda self, text: printed.append(text))
    run = resume(images, out, epochs=4, margin=0.5, on_alarm="warn")
    warnings = [text for text in printed if text.startswith("Warning: reals-over-margin")]
    assert len(warnings) == 2 and [row["notes"].count(w) for row, w in zip(run.history[2:], warnings, strict=True)] == [
        1,
        1,
    ]
    assert (out / "good.ckpt").read_bytes() == before
    assert last_checkpoint(out)["epoch"] == 4


def test_without_a_good_epoch_a_run_goes_back_to_its_beginning(
    resume: Train,
    train_intro: Train,
    images: splitvae.Images,
    tmp_path: Path,
    short_windows: None,
    last_checkpoint: ReadCheckpoint,
) -> None:
    out = tmp_path / "run"
    with pytest.raises(UserError, match=r"alpha=0\.25.* is at its beginning"):
        train_intro(images, out, alpha=1e5, margin=5.0, lr=1e-2, epochs=4)
    assert last_checkpoint(out)["step"] == 0 and splitvae.Run(out).history == []
    with pytest.raises(UserError, match="has no trained model"):  # rather than the one that collapsed
        _ = splitvae.Run(out).vae
    run = resume(images, out, epochs=1, alpha=0.25)
    assert len(run.history) == 1 and run.history[0]["notes"][0].startswith("Stopped, and went back to its beginning")


def test_the_command_in_the_message_resumes_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(windows, "WINDOW_STEPS", 15)
    monkeypatch.chdir(tmp_path)
    words = "--loss intro --beta 5 --margin 0.5 --width 4 --embedding 32 --latent-dim 4 --epochs 3"
    words += " --preview-every 0 --no-report"
    assert main(["train", "digits-svae", "--out", "run", *words.split()]) == 2
    message = capsys.readouterr().err
    assert "splitvae: stopped by an alarm. reals-over-margin" in message
    (command,) = re.findall(r"`splitvae (train --resume[^`]*)`", message)
    assert main([*shlex.split(command), "--no-report"]) == 0
    run = splitvae.Run(tmp_path / "run")
    assert len(run.history) == 3 and run.config.objective.margin > 1 and run.config.preset == "digits-svae"


def test_other_losses_keep_no_second_checkpoint(train_intro: Train, images: splitvae.Images, tmp_path: Path) -> None:
    run = train_intro(images, tmp_path / "run", loss="elbo", beta=1.0, epochs=1)
    assert not (run.path / "good.ckpt").exists()


def test_the_number_of_rollbacks_is_limited_and_the_folder_tells_one_history(
    resume: Train,
    healthy: Path,
    images: splitvae.Images,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    last_checkpoint: ReadCheckpoint,
    decode_one_picture: Callable[[pytest.MonkeyPatch], None],
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = tmp_path / "run"
    shutil.copytree(healthy, out)
    monkeypatch.setattr(windows, "WINDOW_STEPS", 2 * STEPS)  # an epoch is written before the alarm of the next one
    decode_one_picture(monkeypatch)
    with pytest.raises(UserError, match=r"one-picture.* It had gone back 3 times before\."):
        resume(images, out, on_alarm="rollback", preview_every=1)
    run = splitvae.Run(out)
    assert run.config.objective.alpha == pytest.approx(0.25 / 8, rel=0.01)
    assert [row["epoch"] for row in run.history] == [1, 2]
    assert not list((out / "figures").glob("epoch-*.png"))  # only the condemned epochs had pictures
    events = EventAccumulator(str(out / "tensorboard")).Reload()
    for name in ("loss", "kl_fake"):
        read = [(event.step, event.value) for event in events.Scalars(f"train/{name}")]
        assert read == [(row["step"], pytest.approx(row[name])) for row in run.history]
    # Each time one epoch was written after the last rollback, and the note on that was in its row.
    notes = last_checkpoint(out)["monitor"]["notes"]
    assert [note.split(" to ")[0] for note in notes] == [f"Went back ({i} of 3 times)" for i in (1, 2, 3)] + [
        "Stopped, and went back"
    ]


def test_a_best_model_of_an_epoch_that_is_taken_back_is_replaced(
    same: Callable[[Any, Any], bool],
    resume: Train,
    train_intro: Train,
    images: splitvae.Images,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    short_windows: None,
    last_checkpoint: ReadCheckpoint,
) -> None:
    out, losses = tmp_path / "run", iter([2.0, 3.0, 1.0])
    monkeypatch.setattr(Trainer, "validate", lambda self: {"val_loss": next(losses)})
    train_intro(images, out, best=True)
    monkeypatch.setattr(windows, "WINDOW_STEPS", 2 * STEPS)
    with pytest.raises(UserError, match="reals-over-margin"):
        resume(images, out, margin=0.5)
    good, run = good_checkpoint(out), splitvae.Run(out)
    assert good["epoch"] == 2 and same(dict(run.vae.state_dict()), good["vae"])
    assert last_checkpoint(out)["best"] == good["best"] == 3.0 and saved_epoch_row(run)["epoch"] == 2


def test_other_seeds_do_not_begin_with_what_an_alarm_changed(
    healthy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(healthy, tmp_path / "seed-0")
    for alpha, lr in ((0.125, 1e-3), (0.0625, 5e-4)):  # two rollbacks
        run = splitvae.Run(tmp_path / "seed-0")
        run.reconfigure(run.config.override(alpha=alpha, lr=lr), run.vae.counts(), ["alpha", "lr"])
    begun: list[splitvae.Config] = []
    monkeypatch.setattr(seeds, "train_seeds", lambda config, *_, **__: begun.append(config))
    words = ["train", "--resume", "--seeds", "2", "--out", str(tmp_path)]
    assert main(words) == 0
    assert (begun[0].objective.alpha, begun[0].training.lr) == (0.25, 1e-3)
    run = splitvae.Run(tmp_path / "seed-0")
    assert run.config.objective.alpha == 0.0625  # its own stay changed
    run.reconfigure(run.config.override(alpha=0.3), run.vae.counts())  # by hand
    assert main(words) == 0 and begun[1].objective.alpha == 0.3


def test_what_an_alarm_changed_stays_when_the_same_options_are_given_again(
    resume: Train, healthy: Path, images: splitvae.Images, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    shutil.copytree(healthy, out)
    run = splitvae.Run(out)
    begun = run.config.training.lr
    run.reconfigure(run.config.override(lr=begun / 2), run.vae.counts(), ["lr"])
    again = splitvae.train(run.config.preset, images, out=out, resume=True, epochs=2, lr=begun)
    assert again.config.training.lr == begun / 2
    assert f"an alarm changed lr from {begun:g} to {begun / 2:g}, which stays" in capsys.readouterr().out
    assert resume(images, out, epochs=3, lr=begun / 4).config.training.lr == begun / 4
    assert resume(images, out, epochs=4, lr=begun).config.training.lr == begun  # by hand, after another change by hand


@pytest.mark.parametrize("built", [False, True])
def test_what_an_alarm_changed_stays_when_the_same_functions_are_given_again(
    resume: Train, healthy: Path, images: splitvae.Images, tmp_path: Path, short_windows: None, built: bool
) -> None:
    out = tmp_path / "run"
    shutil.copytree(healthy, out)

    def objective() -> Any:
        settings = splitvae.Intro(lambda step: 0.25, beta=5.0, margin=0.5)
        return settings.build(STEPS) if built else settings

    margin = resume(images, out, objective=objective(), epochs=3, on_alarm="rollback").config.objective.margin
    assert margin > 0.5 and splitvae.Run(out).history[-1]["margin"] == pytest.approx(margin)
    run = resume(images, out, objective=objective(), epochs=4)
    assert splitvae.Run(out).config.objective.margin == margin
    assert run.history[-1]["margin"] == pytest.approx(margin)
