"""Introspective training: two players, exact resume, and alarms that speak before anything is lost."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import splitvae
from splitvae import presets
from splitvae.cli.app import main
from splitvae.errors import UserError
from splitvae.models.groups import Groups
from splitvae.objectives.elbo import ELBOLoss
from splitvae.objectives.introvae import Intro, IntroLoss, from_yukunchen
from splitvae.objectives.soft_introvae import SoftIntro
from splitvae.training import alarms, checkpoints
from splitvae.training.interrupts import Interrupted
from splitvae.training.monitor import Monitor
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
INTRO: dict[str, Any] = {**TINY, "loss": "intro", "alpha": 0.25, "beta": 5.0, "margin": 20.0, "precision": "32"}
STEPS = 6  # an epoch of these images


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Networks this small are faster on one thread than on two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every epoch is a window."""
    monkeypatch.setattr(alarms, "WINDOW_STEPS", STEPS)


@pytest.fixture(scope="module")
def healthy(images: splitvae.Images, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs, of which the second was judged and found good."""
    out = tmp_path_factory.mktemp("runs") / "healthy"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alarms, "WINDOW_STEPS", STEPS)
        train(images, out)
    assert good(out)["epoch"] == 2
    return out


def train(images: splitvae.Images, out: Path, **overrides: Any) -> splitvae.Run:
    objective = overrides.pop("objective", None)
    """Trains digits-svae with the weights of INTRO, or with another objective, which brings its own."""
    others = objective is not None or overrides.get("loss", "intro") != "intro"
    settings = {**INTRO, "epochs": 2, **overrides}
    own = {"alpha", "beta", "margin", "loss"} if others else set()
    settings = {k: v for k, v in settings.items() if k in overrides or k not in own}
    return splitvae.train("digits-svae", images, objective, out=out, progress=False, **settings)


def go_on(images: splitvae.Images, out: Path, **overrides: Any) -> splitvae.Run:
    return splitvae.train("digits-svae", images, out=out, progress=False, resume=True, **{"epochs": 8, **overrides})


def state(run: Path) -> dict[str, Any]:
    return torch.load(run / "state.ckpt", weights_only=True)


def good(run: Path) -> dict[str, Any]:
    return torch.load(run / "good.ckpt", weights_only=True)


def before_turns(monkeypatch: pytest.MonkeyPatch, act: Callable[[Trainer], None]) -> None:
    turn = Trainer.train_step

    def acted(self: Trainer, x: torch.Tensor, group: Groups | None = None) -> None:
        act(self)
        turn(self, x, group)

    monkeypatch.setattr(Trainer, "train_step", acted)


# ---------------------------------------------------------------- two players in one trainer


@pytest.mark.parametrize(
    "settings",
    [{"vae_epochs": 1, "mirror": True, "ema": 0.9}, {"loss": "soft-intro", "schedule": "cosine", "split": 1}],
    ids=["intro", "soft-intro"],
)
def test_resuming_within_an_epoch_is_the_uninterrupted_run_bit_for_bit(
    images: splitvae.Images,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    _short: None,
    same: Same,
) -> None:
    train(images, tmp_path / "whole", on_alarm="warn", epochs=3, **settings)
    with monkeypatch.context() as patch:
        before_turns(patch, lambda trainer: os.kill(os.getpid(), signal.SIGINT) if trainer.step == 8 else None)
        with pytest.raises(Interrupted, match="epoch 2, step 9"):
            train(images, tmp_path / "parts", on_alarm="warn", epochs=3, **settings)
    torch.manual_seed(99)  # whatever happened in between
    run = go_on(images, tmp_path / "parts", epochs=3)
    whole, parts = state(tmp_path / "whole"), state(tmp_path / "parts")
    assert list(parts["optimizers"]) == ["encoder", "decoder"]
    assert all(len(o["state"]) > 10 for o in parts["optimizers"].values())
    assert same(whole, parts)
    assert run.vae.fingerprint() == splitvae.Run(tmp_path / "whole").vae.fingerprint()


def test_the_first_epochs_train_a_plain_vae_and_schedules_are_asked_at_the_runs_step(
    images: splitvae.Images, tmp_path: Path
) -> None:
    asked: list[int] = []

    def alpha(step: int) -> float:
        asked.append(step)
        return 0.25

    objective = Intro(alpha, beta=5.0, margin=20.0)
    run = train(images, tmp_path / "run", objective=objective, vae_epochs=2, epochs=3)
    assert ["kl_fake" in row for row in run.history] == [False, False, True]
    assert [row["alpha"] for row in run.history] == [0, 0, 0.25]
    # In evaluation too, at the end of the second epoch and of the third.
    assert asked == [2 * STEPS, *range(2 * STEPS, 3 * STEPS), 3 * STEPS]


def test_each_term_is_the_mean_over_the_steps_that_had_it(
    images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs: list[dict[str, float]] = []
    add = Monitor.add_terms

    def noted(self: Monitor, terms: dict[str, Any]) -> None:
        logs.append({name: float(value) for name, value in terms.items()})
        add(self, terms)

    monkeypatch.setattr(Monitor, "add_terms", noted)
    objective = Intro(lambda step: 0.25 if step >= 4 else 0.0, beta=5.0, margin=20.0)
    (row,) = train(images, tmp_path / "run", objective=objective, epochs=1).history
    assert [("kl_fake" in terms) for terms in logs] == [False] * 4 + [True] * 2
    for name in ("kl_fake", "hinge_rec", "kl_real", "alpha", "loss_decoder"):
        had = [terms[name] for terms in logs if name in terms]
        assert row[name] == pytest.approx(sum(had) / len(had), rel=1e-5)


def test_players_have_gradient_norms_of_their_own() -> None:
    monitor = Monitor(torch.device("cpu"), 1)
    players = {name: nn.Parameter(torch.zeros(3)) for name in ("encoder", "decoder")}
    for step in range(0, 60, 10):
        for name, p in players.items():
            p.grad = torch.full((3,), 1e4 if name == "encoder" else 1.0) * (100 if (name, step) == ("decoder", 50) else 1)
            monitor.record_gradient(step, name, torch.zeros(()), [p])
    totals = monitor.totals(lambda value, reduce: value)
    assert totals["grad_norm_encoder"] == (pytest.approx(6e4 * 3**0.5), 6)
    assert totals["alarms"][0] == 1  # the decoder's jump, and nothing before


def test_held_out_images_weigh_the_plain_bound(healthy: Path) -> None:
    for row in splitvae.Run(healthy).history:
        assert row["v"] == pytest.approx(1 / 5.0)  # the likelihood that `evaluate` bounds
        assert row["val_loss"] == pytest.approx(row["val_kl"] + 5.0 / 2 * 256 * row["val_mse"], rel=1e-4)


def test_two_processes_hold_the_same_network(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(
        "import os, sys, torch, splitvae\n"
        "settings = dict(width=4, embedding=32, latent_dim=4, preview_every=0, batch_size=50, epochs=1, devices=2)\n"
        "found = splitvae.load('digits', side=16)\n"
        "images = splitvae.Images(found.pixels[:600], None, (), 'digits', 'train', ())\n"
        "vae = splitvae.create('digits-svae', **{k: settings[k] for k in ('width', 'embedding', 'latent_dim')})\n"
        "before = next(vae.encoder.parameters()).detach().clone()\n"
        "splitvae.train(vae, images, splitvae.Intro(beta=5., margin=20.), out=sys.argv[1], progress=False,\n"
        "               accelerator='cpu', precision='bf16', **{k: settings[k] for k in settings if k not in ('width',)})\n"
        "assert not torch.equal(before, next(vae.encoder.parameters()))\n"
        "torch.save(dict(vae.named_parameters()), sys.argv[1] + '/rank-' + os.environ.get('LOCAL_RANK', '0'))\n"
    )
    done = subprocess.run([sys.executable, str(script), str(tmp_path / "run")], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / "run" / f"rank-{i}", weights_only=True) for i in (0, 1))
    assert [name for name in first if not torch.equal(first[name], second[name])] == []
    (row,) = splitvae.Run(tmp_path / "run").history
    assert row["step"] == 5 and row["kl_fake"] > 0  # half the steps of one process: each has batches of its own


# ---------------------------------------------------------------- alarms, each driven through training

DEATHS: dict[str, tuple[dict[str, Any], str]] = {  # how a healthy run is killed, and the weight that is blamed
    "codes-empty": ({"beta": 1e-6, "alpha": 0.0, "lr": 1e-2}, "beta"),
    "one-picture": ({}, "alpha"),
    "reals-over-margin": ({"margin": 0.5}, "margin"),
    "fakes-under-reals": ({"beta": 300.0, "margin": 1e3, "alpha": 1e-6, "alpha_decoder": 0.3, "lr": 1e-2}, "alpha_decoder"),
    "hinges-idle": ({"margin": 6.0, "alpha": 0.5, "alpha_decoder": 1e-9}, "margin"),
    "hinges-full": ({"margin": 1e5, "alpha": 1e-9}, "margin"),
}


def paint_one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def constant(trainer: Trainer) -> None:
        with torch.no_grad():
            trainer.vae.decoder.head.weight.zero_()

    before_turns(monkeypatch, constant)


@pytest.mark.parametrize("name", DEATHS)
def test_a_dying_run_stops_at_its_last_good_checkpoint_and_names_the_weight(
    healthy: Path,
    images: splitvae.Images,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    _short: None,
    same: Same,
) -> None:
    out, (settings, weight) = tmp_path / "run", DEATHS[name]
    shutil.copytree(healthy, out)
    before = (out / "good.ckpt").read_bytes()
    if name == "one-picture":
        paint_one_picture(monkeypatch)
    with pytest.raises(UserError) as error:
        go_on(images, out, **settings)
    message = str(error.value)
    assert f"{name}: " in message and f"of epoch {good(out)['epoch']}" in message
    assert re.search(
        rf"splitvae train --resume --out {re.escape(str(out))}[^`]* --{weight.replace('_', '-')} [\d.e+-]+", message
    )
    kept, run = good(out), splitvae.Run(out)
    assert kept["epoch"] == len(run.history) == state(out)["epoch"]
    assert same(state(out)["vae"], kept["vae"]) and same(state(out)["optimizers"], kept["optimizers"])
    assert same(dict(run.vae.state_dict()), kept["vae"])
    if kept["epoch"] == 2:  # it died in the next epoch
        assert (out / "good.ckpt").read_bytes() == before
    assert state(out)["monitor"]["notes"][0].startswith("Stopped, and went back")


def poison(kind: str) -> Callable[..., Any]:
    forward = IntroLoss.forward

    def poisoned(self: IntroLoss, vae: Any, x: Any, group: Any = None, step: int = 0) -> Any:
        for player, loss in forward(self, vae, x, group, step):
            if step == 20 and player == "decoder":
                nothing = (0 * vae.decoder.head.bias.sum()).sqrt()  # 0, and its slope is no number
                loss = loss * float("nan") if kind == "the loss" else loss + nothing
            yield player, loss

    return poisoned


@pytest.mark.parametrize("kind", ["the loss", "the gradient", "a weight"])
@pytest.mark.parametrize("on_alarm", ["stop", "warn"])
def test_what_is_not_finite_stops_a_run_before_it_is_written(
    healthy: Path, images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, on_alarm: str
) -> None:
    out = tmp_path / "run"
    shutil.copytree(healthy, out)
    before = (out / "good.ckpt").read_bytes()
    if kind == "a weight":

        def overflow(trainer: Trainer) -> None:
            if trainer.step == 4 * STEPS - 1:
                # In the last player's turn of the epoch, after which nothing is computed with it.
                trainer.vae.decoder.head.bias.register_hook(lambda slope: slope.fill_(float("inf")))

        before_turns(monkeypatch, overflow)
    else:
        monkeypatch.setattr(IntroLoss, "forward", poison(kind))
    with pytest.raises(UserError, match=rf"non-finite: {kind} became non-finite at step 2\d.* --lr 0.0005`\.$"):
        go_on(images, out, on_alarm=on_alarm)
    assert (out / "good.ckpt").read_bytes() == before
    for values in (state(out)["vae"], dict(splitvae.Run(out).vae.state_dict())):
        assert all(v.isfinite().all() for v in values.values())


def test_a_rollback_is_the_run_gone_on_with_from_there_by_hand(
    healthy: Path, images: splitvae.Images, tmp_path: Path, _short: None
) -> None:
    for name in ("rolled", "by-hand"):
        shutil.copytree(healthy, tmp_path / name)
    rolled = go_on(images, tmp_path / "rolled", epochs=4, margin=0.5, on_alarm="rollback")
    config = splitvae.Run(tmp_path / "rolled").config
    assert config.objective.margin > 0.5 and config.monitoring.on_alarm == "rollback"
    by_hand = go_on(images, tmp_path / "by-hand", epochs=4, margin=config.objective.margin)
    assert rolled.vae.fingerprint() == by_hand.vae.fingerprint()
    assert [row["epoch"] for row in rolled.history] == [1, 2, 3, 4]
    notes = rolled.history[2]["notes"]
    assert notes[0].startswith("Went back (1 of 3 times) to the last good checkpoint, of epoch 2. reals-over-margin")
    assert "above the margin of 0.5" in notes[0] and "notes" not in rolled.history[3]
    assert len(notes) == state(tmp_path / "rolled")["monitor"]["rollbacks"]


def test_rollbacks_are_few_and_the_run_says_so(
    healthy: Path, images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _short: None
) -> None:
    out = tmp_path / "run"
    shutil.copytree(healthy, out)
    paint_one_picture(monkeypatch)
    with pytest.raises(UserError, match=r"one-picture.* It had gone back 3 times before\."):
        go_on(images, out, on_alarm="rollback")
    config = splitvae.Run(out).config
    assert config.objective.alpha == pytest.approx(0.25 / 8, rel=0.01)
    notes = state(out)["monitor"]["notes"]
    assert [n.split(" to ")[0] for n in notes] == [f"Went back ({i} of 3 times)" for i in (1, 2, 3)] + [
        "Stopped, and went back"
    ]


def test_a_loss_that_is_not_finite_rolls_back_with_half_the_rate_in_any_objective(
    images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward, poisoned = ELBOLoss.forward, []

    def once(self: ELBOLoss, vae: Any, x: Any, group: Any = None, step: int = 0) -> Any:
        for player, loss in forward(self, vae, x, group, step):
            bad = step == 9 and not poisoned
            poisoned.extend([step] * bad)
            yield player, loss * float("nan") if bad else loss

    monkeypatch.setattr(ELBOLoss, "forward", once)
    run = train(images, tmp_path / "run", loss="elbo", beta=1.0, epochs=3, on_alarm="rollback", schedule="cosine")
    # The cosine from half the height: of 3 epochs, 1, 3/4 and 1/4 of it.
    assert [row["lr"] for row in run.history] == pytest.approx([1e-3, 0.5 * 0.75e-3, 0.5 * 0.25e-3])
    assert splitvae.Run(run.path).config.training.lr == 5e-4
    assert "the loss became non-finite at step 9" in run.history[1]["notes"][0]
    assert json.loads((run.path / "config.json").read_text())["monitoring"]["on_alarm"] == "rollback"


def test_a_warning_is_given_once_an_epoch_and_the_good_checkpoint_stays(
    healthy: Path, images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _short: None
) -> None:
    out = tmp_path / "run"
    shutil.copytree(healthy, out)
    before = (out / "good.ckpt").read_bytes()
    said: list[str] = []
    monkeypatch.setattr(Monitor, "print", lambda self, text: said.append(text))
    run = go_on(images, out, epochs=4, margin=0.5, on_alarm="warn")
    warnings = [text for text in said if text.startswith("Warning: reals-over-margin")]
    assert len(warnings) == 2 and [row["notes"].count(w) for row, w in zip(run.history[2:], warnings, strict=True)] == [
        1,
        1,
    ]
    assert (out / "good.ckpt").read_bytes() == before
    assert state(out)["epoch"] == 4


def test_nothing_good_yet_goes_back_to_the_beginning(images: splitvae.Images, tmp_path: Path, _short: None) -> None:
    out = tmp_path / "run"
    with pytest.raises(UserError, match=r"alpha=0\.25.* is at its beginning"):
        train(images, out, alpha=1e5, margin=5.0, lr=1e-2, epochs=4)
    assert state(out)["step"] == 0 and splitvae.Run(out).history == []
    run = go_on(images, out, epochs=1, alpha=0.25)
    assert len(run.history) == 1 and run.history[0]["notes"][0].startswith("Stopped, and went back to its beginning")


def test_the_command_of_the_message_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(alarms, "WINDOW_STEPS", 15)
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


def test_a_good_checkpoint_costs_no_copy_and_survives_the_next(healthy: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(healthy, out)
    run = splitvae.Run(out)
    checkpoints.mark_good(run.path)
    assert (out / "good.ckpt").samefile(out / "state.ckpt")
    checkpoints.mark_good(run.path)  # again, from itself
    before = (out / "good.ckpt").read_bytes()
    (out / "next").write_bytes(b"the next state")
    os.replace(out / "next", out / "state.ckpt")
    assert (out / "good.ckpt").read_bytes() == before
    assert not [f for f in out.iterdir() if f.name.startswith(".")]


def test_other_losses_keep_no_second_checkpoint(images: splitvae.Images, tmp_path: Path) -> None:
    run = train(images, tmp_path / "run", loss="elbo", beta=1.0, epochs=1)
    assert not (run.path / "good.ckpt").exists()


# ---------------------------------------------------------------- settings


def test_weights_may_change_on_resume_where_the_loss_is_tuned_while_it_runs(
    healthy: Path, images: splitvae.Images, tmp_path: Path
) -> None:
    out = tmp_path / "intro"
    shutil.copytree(healthy, out)
    run = go_on(images, out, epochs=3, alpha=0.1, margin=30.0, alpha_decoder=0.2, beta=4.0, on_alarm="warn")
    row = run.history[-1]
    assert (row["alpha"], row["margin"], row["alpha_decoder"], row["beta"]) == pytest.approx((0.1, 30, 0.2, 4))
    with pytest.raises(UserError, match="beta_neg belongs to loss soft-intro"):
        go_on(images, out, beta_neg=128)
    train(images, tmp_path / "elbo", loss="elbo", epochs=1)
    with pytest.raises(UserError, match="alpha belongs to loss intro, and here loss is elbo"):
        go_on(images, tmp_path / "elbo", alpha=0.1)


@pytest.mark.parametrize(
    "objective",
    [
        Intro(0.3, 0.7, 33.0, 0.4, "sample", ambiguity=0.1, smoothness=0.2),
        Intro(),
        SoftIntro(0.9, 0.8, 77.0, 0.5, ambiguity=0.1, smoothness=0.2),
    ],
)
def test_an_objective_made_by_hand_is_the_one_its_config_describes(objective: Intro | SoftIntro) -> None:
    config = splitvae.Config(objective=objective)
    again = splitvae.Config.from_json(json.loads(json.dumps(config.to_json())))
    assert again == config and type(again.objective) is type(objective)
    assert again.objective.build(5).vae_steps == 0


def test_schedules_that_never_end_are_evaluated_at_the_step_of_the_run(images: splitvae.Images, tmp_path: Path) -> None:
    objective = Intro(0.25, beta=lambda step: 5.0 * (1 + step), margin=lambda step: 20.0 * 1.01**step)
    run = train(images, tmp_path / "run", objective=objective, epochs=1, vae_epochs=1)
    row = run.history[-1]
    assert row["val_loss"] == pytest.approx(row["val_kl"] + 5 * (1 + STEPS) / 2 * 256 * row["val_mse"], rel=1e-4)


def test_weights_that_are_functions_are_no_settings() -> None:
    values = Intro(alpha=lambda step: 0.1, beta=0.7).to_json()
    assert "alpha" not in values and values["beta"] == 0.7


@pytest.mark.parametrize(("name", "beta", "margin"), [("low", 0.05, 500), ("high", 0.75, 1000)])
def test_the_readmes_runs_are_presets(name: str, beta: float, margin: float) -> None:
    config = presets.find_preset(f"introvae-readme-{name}")
    theirs = Intro(**from_yukunchen(0.25, margin, beta))
    assert config.objective == theirs
    assert (config.model.shape, config.model.latent_dim) == ((3, 256, 256), 512)
    assert (config.training.batch_size, config.training.lr) == (32, 1e-4)
    vae = presets.create(f"introvae-readme-{name}", width=1, latent_dim=4)
    for _, loss in config.objective(vae, torch.rand(2, 3, 256, 256)):
        loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in vae.parameters())


@pytest.mark.parametrize("name", ["mnist-intro", "mnist-soft-intro", "celeba64-intro", "celeba64-soft-intro"])
def test_the_other_presets_are_built_and_have_no_doubts(name: str) -> None:
    config = presets.find_preset(name)
    assert config.objective.warnings(config.model.latent_dim, config.training.epochs) == [] and config.model.split == 1
    vae = presets.create(name, width=2)
    assert vae.decode(torch.zeros(1, config.model.latent_dim)).image.shape[1:] == config.model.shape


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"alpha": 0.0}, "plain VAE; alpha=0.25"),
        ({"alpha": 0.0, "alpha_decoder": 0.5}, "plain VAE but for its decoder, whose alpha_decoder=0.5"),
        ({"margin": 5000.0}, "more than 25 nats of each of 32 latent variables"),
        ({"loss": "soft-intro", "beta_neg": 0.0}, "beta_neg=256"),
        ({"vae_epochs": 100}, "all 100 epochs train a plain VAE"),
    ],
)
def test_settings_that_seldom_are_meant_are_told_before_training(fields: dict[str, Any], words: str) -> None:
    config = splitvae.Config().override(**{"loss": "intro", **fields})
    (warning,) = config.objective.warnings(config.model.latent_dim, config.training.epochs)
    assert words in warning


def test_weights_that_cannot_work_are_refused_before_anything_is_written(images: splitvae.Images, tmp_path: Path) -> None:
    for fields, words in (
        ({"margin": -1.0}, "never be active"),
        ({"beta": 0.0}, "must be positive"),
        ({"alpha": -1}, "alpha"),
    ):
        with pytest.raises(UserError, match=words):
            train(images, tmp_path / "run", **fields)
    with pytest.raises(UserError, match="did you mean 'sample'"):
        train(images, tmp_path / "run", hinge="samples")
    assert not (tmp_path / "run").exists()


def test_a_folder_of_large_images_gets_the_introspective_networks_side() -> None:
    config = splitvae.Config().override(net="intro", loss="intro")
    fields = presets.suggest_settings((3, 250, 250), 1000, False, config)
    assert fields["shape"] == (3, 256, 256) and fields["pad"] == 3
    assert presets.suggest_settings((3, 250, 250), 1000, False, splitvae.Config())["shape"] == (3, 128, 128)
    small = splitvae.Config().override(loss="intro", latent_dim=64)  # not typed, yet kept
    assert presets.suggest_settings((3, 64, 64), 1000, False, small)["margin"] == 128
    with pytest.raises(UserError, match="16, 32, 64, 128, 256, 512 or 1024, not 96"):
        splitvae.VAE((3, 96, 96), net="intro")


@pytest.mark.parametrize("name", ["mnist-intro", "mnist-soft-intro", "celeba64-intro", "celeba64-soft-intro"])
def test_images_without_a_preset_get_weights_like_those_that_were_measured(name: str) -> None:
    preset = presets.find_preset(name)
    shape, objective, options = preset.model.shape, preset.objective, preset.options()
    assert shape is not None
    told = splitvae.Config().override(loss=objective.name, latent_dim=preset.model.latent_dim)
    found = presets.suggest_settings(shape, 30_000, False, told, {"latent_dim"})
    weights = ("beta", "margin") if objective.name == "intro" else ("beta_rec", "beta_neg", "gamma")
    for key in (*weights, "vae_epochs", "lr"):
        assert found[key] == pytest.approx(options[key], rel=0.4)


def test_what_an_objective_says_is_not_replaced_by_what_images_suggest(images: splitvae.Images, tmp_path: Path) -> None:
    config = splitvae.Config().override(**{**TINY, "loss": "intro", "epochs": 1, "split": 1})
    run = splitvae.train(config, images, Intro(0.25, 1.0, 10.0), out=tmp_path / "run", progress=False)
    assert (run.config.objective.beta, run.config.objective.margin, run.config.model.latent_dim) == (1, 10, 4)
