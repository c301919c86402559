"""A rehearsal times the steps of a training, not the compilation before them."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from splitvae.training import rehearsal

COMPILATION_SECONDS = 0.3


class SlowBegin:
    """A trainer whose first step compiles."""

    def __init__(self, seconds: float) -> None:
        self.steps, self.seconds = 0, seconds
        self.turns = SimpleNamespace(end=lambda: None)

    def batches(self) -> list[tuple[None, None]]:
        return [(None, None)] * 100

    def train_step(self, x: None, groups: None) -> None:
        time.sleep(self.seconds if self.steps else COMPILATION_SECONDS)
        self.steps += 1


def test_a_long_compilation_is_not_taken_for_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "MAX_SECONDS", COMPILATION_SECONDS / 3)
    trainer = SlowBegin(0.001)
    assert rehearsal.time_steps(trainer, count=6) < COMPILATION_SECONDS / 3  # type: ignore[arg-type]  # a stand-in
    assert trainer.steps == 8


def test_no_step_is_begun_after_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "MAX_SECONDS", 0.01)
    trainer = SlowBegin(0.02)
    assert rehearsal.time_steps(trainer, count=6) < COMPILATION_SECONDS / 3  # type: ignore[arg-type]  # a stand-in
    assert trainer.steps == 2
