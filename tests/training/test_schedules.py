"""Schedules of the learning rate, also across a resume."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import splitvae
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
    run = train(images, tmp_path / "run", epochs=4, schedule="plateau", schedule_epochs=1)
    assert [row["lr"] for row in run.history] == [1e-3, 1e-3, 1e-3, 5e-4]


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
