"""What a metric is, and its deviation over interleaved tenths of the images."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from splitvae import metrics
from splitvae.errors import UserError


def test_the_deviation_is_taken_over_interleaved_blocks() -> None:
    values = torch.arange(10.0, dtype=torch.float64).repeat(4)  # block i holds i only
    assert metrics.with_deviation(torch.mean, values) == {
        "value": 4.5,
        "deviation": pytest.approx(float(torch.arange(10.0).std())),
    }
    assert metrics.with_deviation(torch.mean, values[:19])["deviation"] is None


def test_a_metric_cannot_be_changed_in_place() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        metrics.METRICS["mse"].title = "another"


def test_a_group_that_would_replace_another_part_of_the_evaluation_is_refused() -> None:
    with pytest.raises(UserError, match="group='scores'"):
        metrics.Metric("scores", "a title", lambda outputs: 0.0)
