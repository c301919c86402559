"""Schedules of the learning rate, also across a resume."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import splitvae
from splitvae.config import Training
from splitvae.training import schedules
from splitvae.training.schedules import build_learning_rate_schedule
from splitvae.training.trainer import Trainer

Train = Callable[..., splitvae.Run]  # the type of the fixtures that train


@pytest.mark.parametrize(
    ("schedule", "rates"), [("step", [1e-3, 1e-3, 5e-4, 5e-4]), ("constant", [1e-3] * 4), ("cosine", None)]
)
def test_schedules_move_the_learning_rate(
    train: Train, images: splitvae.Images, tmp_path: Path, schedule: str, rates: list[float] | None
) -> None:
    run = train(images, tmp_path / "run", epochs=4, schedule=schedule, schedule_epochs=2)
    expected = rates or [1e-3, 0.853553e-3, 0.5e-3, 0.146447e-3]
    assert [row["lr"] for row in run.history] == pytest.approx(expected, rel=1e-4)


def test_plateau_halves_the_rate_where_the_validation_loss_stalls(
    train: Train, images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "validate", lambda self: {"val_loss": 1.0})
    run = train(images, tmp_path / "run", epochs=4, schedule="plateau", schedule_epochs=2)
    assert [row["lr"] for row in run.history] == [1e-3, 1e-3, 1e-3, 5e-4]


@pytest.mark.parametrize("warmup", [0, 1, 4, 100])
def test_the_rate_rises_linearly_over_the_first_steps_and_the_schedule_is_as_without(
    train: Train, images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warmup: int
) -> None:
    rates, real = [], torch.optim.Adam.step

    def step(self: torch.optim.Adam, *arguments: object) -> object:
        rates.append(self.param_groups[0]["lr"])
        return real(self, *arguments)  # type: ignore[arg-type]  # passed on as given

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    monkeypatch.setattr(schedules, "WARMUP_STEPS", warmup)
    run = train(images, tmp_path / "run", epochs=2, lr=1e-2, schedule="step", schedule_epochs=1)
    per_epoch = len(rates) // 2
    scheduled = [1e-2] * per_epoch + [5e-3] * per_epoch
    assert rates == pytest.approx([rate * min(1, (i + 1) / max(1, warmup)) for i, rate in enumerate(scheduled)])
    assert [row["lr"] for row in run.history] == [1e-2, 5e-3]


def keras_rates(losses: list[float], rate: float, patience: int) -> list[float]:
    """The rates of Keras's ReduceLROnPlateau(factor=.5, patience) after each epoch: the epoch number `patience` in a row
    that is not better than the best by min_delta = 1e-4 halves the rate."""
    best, waited, rates = float("inf"), 0, []
    for loss in losses:
        if loss < best - 1e-4:
            best, waited = loss, 0
        else:
            waited += 1
            if waited >= patience:
                rate, waited = rate / 2, 0
        rates.append(rate)
    return rates


def test_the_plateau_rule_is_keras() -> None:
    noise = torch.rand(80, generator=torch.Generator().manual_seed(0)) * 2e-4
    losses = (0.02 * 0.8 ** torch.arange(80) + noise).tolist()  # small losses: a relative threshold would act otherwise
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = build_learning_rate_schedule(optimizer, Training(schedule="plateau", schedule_epochs=5))
    rates = []
    for loss in losses:
        schedule.step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == keras_rates(losses, 1.0, 5)
    assert rates[-1] < 0.1


def test_a_new_rate_on_resume_scales_the_schedule_and_keeps_the_position_in_it(
    train: Train, images: splitvae.Images, tmp_path: Path
) -> None:
    train(images, tmp_path / "run", epochs=2, lr=1e-3, schedule="step", schedule_epochs=1)
    run = train(images, tmp_path / "run", epochs=4, lr=5e-4, schedule="step", schedule_epochs=1, resume=True)
    assert [row["lr"] for row in run.history] == pytest.approx([1e-3, 5e-4, 1.25e-4, 6.25e-5])


def test_a_resumed_run_takes_another_learning_rate(train: Train, images: splitvae.Images, tmp_path: Path) -> None:
    train(images, tmp_path / "run", epochs=1)
    run = train(images, tmp_path / "run", epochs=2, resume=True, lr=1e-4)
    assert [row["lr"] for row in run.history] == pytest.approx([1e-3, 1e-4])
