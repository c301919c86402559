"""Digits, and functions that train small models on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import splitvae
from splitvae.models.groups import Groups
from splitvae.training import schedules, windows
from splitvae.training.trainer import Trainer

TINY: dict[str, Any] = {
    "width": 4,
    "embedding": 32,
    "latent_dim": 4,
    "preview_every": 0,
    "batch_size": 50,
    "validation": 50,
}
INTRO: dict[str, Any] = {**TINY, "loss": "intro", "alpha": 0.25, "beta": 5.0, "margin": 20.0, "precision": "32"}


@pytest.fixture
def tiny() -> dict[str, Any]:
    """Settings by flat name of a small model and training."""
    return dict(TINY)


@pytest.fixture(scope="session")
def images() -> splitvae.Images:
    """350 digits without labels, of which the settings above make 6 steps of an epoch."""
    digits = splitvae.load("digits", side=16)
    return splitvae.Images(digits.pixels[:350], None, (), "digits", "train", ())


@pytest.fixture(scope="session")
def train() -> Callable[..., splitvae.Run]:
    """A function that trains a small digits-svae, for two epochs by default, and returns the run."""

    def run(images: splitvae.Images, out: Path, **overrides: Any) -> splitvae.Run:
        return splitvae.train("digits-svae", images, out=out, progress=False, **{**TINY, "epochs": 2, **overrides})

    return run


@pytest.fixture(scope="session")
def train_intro() -> Callable[..., splitvae.Run]:
    """A function that trains a small digits-svae with the weights of INTRO, or with another objective."""

    def run(images: splitvae.Images, out: Path, **overrides: Any) -> splitvae.Run:
        objective = overrides.pop("objective", None)
        brings_weights = objective is not None or overrides.get("loss", "intro") != "intro"
        settings = {**INTRO, "epochs": 2}
        for name in ("alpha", "beta", "margin", "loss") if brings_weights else ():
            del settings[name]
        return splitvae.train("digits-svae", images, objective, out=out, progress=False, **settings | overrides)

    return run


@pytest.fixture(scope="session")
def resume() -> Callable[..., splitvae.Run]:
    """A function that resumes a run of digits-svae, to eight epochs unless other settings are given."""

    def run(images: splitvae.Images, out: Path, **overrides: Any) -> splitvae.Run:
        return splitvae.train("digits-svae", images, out=out, progress=False, resume=True, **{"epochs": 8, **overrides})

    return run


@pytest.fixture(scope="session")
def healthy(
    images: splitvae.Images, train_intro: Callable[..., splitvae.Run], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of an introspective run of two epochs, after the second of which alarms found nothing; copy it first."""
    out = tmp_path_factory.mktemp("runs") / "healthy"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "WINDOW_STEPS", 6)
        patch.setattr(schedules, "WARMUP_STEPS", 0)  # alarms sound within two epochs
        train_intro(images, out)
    assert torch.load(out / "good.ckpt", weights_only=True)["epoch"] == 2
    return out


@pytest.fixture(scope="session")
def same() -> Callable[[Any, Any], bool]:
    """A function that returns whether two nested states are equal bit for bit, except for clocks."""

    def are_same(a: Any, b: Any) -> bool:
        if isinstance(a, torch.Tensor):
            return torch.equal(a, b)
        if isinstance(a, dict):
            clocks = {"seconds", "images_per_second"}
            return a.keys() == b.keys() and all(are_same(a[k], b[k]) for k in a.keys() - clocks)
        if isinstance(a, list | tuple):
            return len(a) == len(b) and all(are_same(x, y) for x, y in zip(a, b, strict=True))
        return bool(a == b)

    return are_same


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Runs a file of tests on one thread, on which networks this small are faster than on two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def last_checkpoint() -> Callable[[Path], dict[str, Any]]:
    """A function that reads the last checkpoint of a run."""
    return lambda run: torch.load(run / "state.ckpt", weights_only=True)


@pytest.fixture(scope="session")
def before_each_step() -> Callable[[pytest.MonkeyPatch, Callable[[Trainer], None]], None]:
    """A function that calls another before each training step, as long as a patch lasts."""

    def watch(patch: pytest.MonkeyPatch, act: Callable[[Trainer], None]) -> None:
        train_step = Trainer.train_step

        def act_and_step(self: Trainer, x: torch.Tensor, group: Groups | None = None) -> None:
            act(self)
            train_step(self, x, group)

        patch.setattr(Trainer, "train_step", act_and_step)

    return watch
