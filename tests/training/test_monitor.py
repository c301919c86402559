"""The monitor: means of terms, gradient norms, and spikes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import splitvae
from splitvae.evaluation.diagnostics import saved_epoch_row
from splitvae.objectives.elbo import ELBOLoss
from splitvae.objectives.introvae import Intro
from splitvae.training.monitor import Monitor, summarise_epoch

Train = Callable[..., splitvae.Run]  # the type of the fixtures that train


def test_the_history_has_every_term(train: Train, images: splitvae.Images, tmp_path: Path) -> None:
    (row,) = train(images, tmp_path / "run", epochs=1).history
    terms = {"loss", "mse", "rec", "kl", "beta", "v", "beta_v", "grad_norm", "lr", "val_loss", "val_mse", "val_kl"}
    assert terms <= set(row)
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    assert json.loads((tmp_path / "run" / "config.json").read_text())["parameters"]["trainable"] > 0


def test_the_history_has_the_variance_of_the_last_step_and_not_its_mean(
    train: Train, images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs: list[float] = []
    add = Monitor.add_terms
    monkeypatch.setattr(Monitor, "add_terms", lambda self, logged: logs.append(float(logged["v"])) or add(self, logged))
    (row,) = train(images, tmp_path / "run", epochs=1, variance="computed", v=1.0).history
    assert row["v"] == logs[-1] < sum(logs) / len(logs)
    outputs = splitvae.Run(tmp_path / "run")
    assert saved_epoch_row(outputs)["v"] == logs[-1]  # with which `evaluate` bounds the likelihood


def test_a_jump_of_the_gradient_is_counted(
    train: Train, images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = ELBOLoss.forward

    def jumping(self: ELBOLoss, vae: Any, x: Any, group: Any = None, step: int = 0) -> Any:
        for player, loss in forward(self, vae, x, group, step):
            yield player, loss * (1e6 if step == 10 else 1)

    monkeypatch.setattr(ELBOLoss, "forward", jumping)
    assert [row["alarms"] for row in train(images, tmp_path / "run").history] == [0, 1]


def test_each_term_is_the_mean_over_the_steps_that_logged_it(
    train_intro: Train, images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs: list[dict[str, float]] = []
    add = Monitor.add_terms

    def noted(self: Monitor, terms: dict[str, Any]) -> None:
        logs.append({name: float(value) for name, value in terms.items()})
        add(self, terms)

    monkeypatch.setattr(Monitor, "add_terms", noted)
    objective = Intro(lambda step: 0.25 if step >= 4 else 0.0, beta=5.0, margin=20.0)
    (row,) = train_intro(images, tmp_path / "run", objective=objective, epochs=1).history
    assert [("kl_fake" in terms) for terms in logs] == [False] * 4 + [True] * 2
    for name in ("kl_fake", "hinge_rec", "kl_real", "alpha", "loss_decoder"):
        values = [terms[name] for terms in logs if name in terms]
        assert row[name] == pytest.approx(sum(values) / len(values), rel=1e-5)


def test_each_player_has_its_own_gradient_norms() -> None:
    monitor = Monitor(torch.device("cpu"), 1)
    players = {name: nn.Parameter(torch.zeros(3)) for name in ("encoder", "decoder")}
    for step in range(0, 60, 10):
        for name, p in players.items():
            p.grad = torch.full((3,), 1e4 if name == "encoder" else 1.0) * (100 if (name, step) == ("decoder", 50) else 1)
            monitor.record_gradient(step, name, torch.zeros(()), [p])
    totals = monitor.totals()
    assert totals["grad_norm_encoder"] == (pytest.approx(6e4 * 3**0.5), 6)
    assert totals["alarms"][0] == 1  # the decoder's jump, and nothing before


def test_terms_per_group_are_in_the_history_per_image_and_in_windows_as_they_are() -> None:
    monitor = Monitor(torch.device("cpu"), 12)
    for groups in (3, 4):  # of 12 images
        logs: dict[str, Any] = {"kl": torch.tensor(24.0 / groups), "rec": torch.tensor(5.0)}
        monitor.add_terms(logs, {"kl", "kl_fake"}, groups / 12)
    totals = monitor.totals()
    assert totals["kl"] == (24 / 3 + 24 / 4, 2)
    monitor.close_epoch(1, 2, 1e-3, {}, totals)
    row = monitor.rows[0]
    assert (row["kl"], row["rec"]) == pytest.approx((2.0, 5.0))
    assert not any("image" in name for name in row.keys() - {"images_per_second"})


def test_a_printed_line_has_one_unit_which_it_names() -> None:
    row = {"epoch": 3, "loss": 60.0, "kl": 10.0, "rec": 12.5, "mse": 0.1, "v": 0.25, "images_per_second": 100.0}
    assert "epoch  3  rec 12.5, kl 10 nats  mse 0.10000" in summarise_epoch(row)
    introspective = summarise_epoch(row | {"kl_real": 10.0, "kl_fake": 30.0})  # rec is SSE / 2 and v is 1 / 4
    assert "rec 50, kl 10, kl of samples 30 nats" in introspective
    autoencoder = {name: value for name, value in row.items() if name != "v"} | {"code": 0.3}
    assert "epoch  3  loss 60  mse 0.10000" in summarise_epoch(autoencoder) and "kl" not in summarise_epoch(autoencoder)


def test_a_printed_line_fits_80_columns() -> None:
    row = {"epoch": 12, "loss": 1234.5, "kl": 12.345, "rec": 1234.5, "v": 0.01, "mse": 0.012346, "val_mse": 0.012346}
    line = summarise_epoch(row | {"images_per_second": 627.3})
    assert len(line) <= 80 and line.endswith("mse 0.01235, held out 0.01235  627 images/s")
