"""What tests of the page share: runs that were never trained, opened to be explored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from splitvae.explore.session import Session
from splitvae.runs import Run


@pytest.fixture(scope="session")
def split_folder(tmp_path_factory: pytest.TempPathFactory, make_run: Callable[..., Run], noise_file: Path) -> Path:
    """The folder of a split run on random images of 16 x 16 pixels."""
    return sharpen(make_run(tmp_path_factory.mktemp("explore") / "split & <b>", noise_file)).path


@pytest.fixture
def session(split_folder: Path) -> Session:
    """That run, opened."""
    return Session(Run(split_folder))


@pytest.fixture(scope="session")
def grouped_session(tmp_path_factory: pytest.TempPathFactory, make_run: Callable[..., Any], noise_file: Path) -> Session:
    """An opened run whose latent has two dimensions of style and two of content."""
    run = make_run(tmp_path_factory.mktemp("explore") / "grouped", noise_file, split=1, latent="grouped")
    return Session(sharpen(run))


def sharpen(run: Run) -> Run:
    """Returns a run with larger weights in its decoder, since those of an untrained one draw almost constant images."""
    vae = run.vae
    with torch.no_grad():
        for parameter in vae.decoder.parameters():
            parameter.mul_(3)
    run.save_model(vae)
    return run
