"""What a metric is, and its error from interleaved tenths of the images."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from splitvae import metrics
from splitvae.errors import UserError


def test_the_error_comes_from_interleaved_blocks() -> None:
    values = torch.arange(10.0, dtype=torch.float64).repeat(4)  # block i holds i only
    assert metrics.with_deviation(torch.mean, values) == {
        "value": 4.5,
        "deviation": pytest.approx(float(torch.arange(10.0).std()) / 10**0.5),
    }
    assert metrics.with_deviation(torch.mean, values[:19])["deviation"] is None


def test_the_error_is_that_of_the_mean_of_all_images() -> None:
    torch.manual_seed(0)
    draws = torch.randn(300, 200, dtype=torch.float64)  # 300 sets of 200 images
    errors = [metrics.with_deviation(torch.mean, values)["deviation"] for values in draws]
    assert sum(errors) / len(errors) == pytest.approx(float(draws.mean(1).std()), rel=0.1)  # 1 / sqrt(200)


def test_a_metric_cannot_be_changed_in_place() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        metrics.METRICS["mse"].title = "another"


@pytest.mark.parametrize("group", ["scores", "cautions"])
def test_a_group_that_would_replace_another_part_of_the_evaluation_is_refused(group: str) -> None:
    with pytest.raises(UserError, match=f"group='{group}'"):
        metrics.Metric(group, "a title", lambda outputs: 0.0)
