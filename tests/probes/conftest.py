"""Runs on 300 digits, and what few iterations of probes measure of one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from splitvae.config import Config
from splitvae.presets.build import build_vae
from splitvae.probes.measure import probe
from splitvae.runs import Run


@pytest.fixture(scope="package")
def iterations() -> int:
    """Few: the accuracies themselves are tested elsewhere."""
    return 15


@pytest.fixture(scope="package")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 digits to train on, and 100 to test, the rarest of which has between 4 and 7 images."""
    digits = load_digits()
    file = tmp_path_factory.mktemp("data") / "digits.npz"
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    train, test = np.arange(300), np.arange(400, 500)
    test = test[(digits.target[test] != 3) | (np.arange(100) < 60)]
    x, y = pixels, digits.target
    np.savez(file, x_train=x[train], y_train=y[train], x_test=x[test], y_test=y[test])
    return file


@pytest.fixture(scope="package")
def make_run(data: Path) -> Callable[..., Run]:
    """Makes a run of the dense network with weights of `seed`; with seed 0 they are those that training begins with."""

    def make(path: Path, seed: int = 7, **fields: Any) -> Run:
        sizes = {"shape": (1, 8, 8), "latent_dim": 6, "split": 1, "net": "mlp", "embedding": 12, "latent": "grouped"}
        options = {**sizes, **fields}
        if options["latent"] == "grouped":
            options["content_dim"] = 4
        config = Config().override(data=str(data), **options)
        torch.manual_seed(seed)
        vae = build_vae(config)
        run = Run.begin(path, config, vae.counts())
        run.save_model(vae)
        return run

    return make


@pytest.fixture(scope="package")
def run(make_run: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_run(tmp_path_factory.mktemp("runs") / "grouped", group_eps_std=0.5)


@pytest.fixture(scope="package")
def result(run: Run, iterations: int) -> dict[str, Any]:
    return probe(run, iterations, progress=False)
