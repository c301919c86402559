"""Tests of `train(..., callback=)`: what it sees, that it changes nothing, and that its exceptions lose nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import splitvae
from splitvae.errors import UserError

Train = Callable[..., splitvae.Run]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, train: Train, images: splitvae.Images) -> splitvae.Run:
    """A run of three epochs without a callback."""
    return train(images, tmp_path_factory.mktemp("runs") / "plain", epochs=3)


def test_a_callback_sees_each_epoch_when_its_files_are_complete(
    plain: splitvae.Run, train: Train, images: splitvae.Images, tmp_path: Path
) -> None:
    seen: list[Any] = []

    def callback(row: dict[str, Any], run: splitvae.Run) -> None:
        assert run.history[-1] == row and not run.vae.training
        seen.append((row["epoch"], run.vae.fingerprint(), torch.randn(3)))  # which draws random numbers, too

    run = train(images, tmp_path / "run", epochs=3, callback=callback)
    assert [epoch for epoch, _, _ in seen] == [1, 2, 3]
    assert len({fingerprint for _, fingerprint, _ in seen}) == 3
    # The training is that without a callback, bit for bit.
    assert seen[-1][1] == run.vae.fingerprint() == plain.vae.fingerprint()


def test_what_is_no_function_is_refused_before_the_training(train: Train, images: splitvae.Images, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="callback=3 is no function; give one that takes the epoch's row and the run"):
        train(images, tmp_path / "run", epochs=1, callback=3)
    with pytest.raises(UserError, match=r"callback takes \(row\); give a function of two arguments"):
        train(images, tmp_path / "run", epochs=1, callback=lambda row: None)
    assert not (tmp_path / "run").exists()


def test_an_exception_in_a_callback_ends_the_training_with_the_checkpoint_of_its_epoch(
    plain: splitvae.Run, train: Train, images: splitvae.Images, tmp_path: Path
) -> None:
    def stop(row: dict[str, Any], run: splitvae.Run) -> None:
        if row["epoch"] == 2:
            raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        train(images, tmp_path / "run", epochs=3, callback=stop)
    stopped = splitvae.open_run(tmp_path / "run")
    assert [row["epoch"] for row in stopped.history] == [1, 2]
    epochs: list[int] = []
    run = train(images, tmp_path / "run", epochs=3, resume=True, callback=lambda row, run: epochs.append(row["epoch"]))
    assert epochs == [3]
    assert run.vae.fingerprint() == plain.vae.fingerprint()
