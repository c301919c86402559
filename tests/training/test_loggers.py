"""Tests of the loggers: what reaches them, that a resume continues the same log, and that none can end a training."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import splitvae
from splitvae import UserError

Train = Callable[..., splitvae.Run]  # the type of the fixtures that train


class Server:
    """What a stand-in for Weights & Biases or MLflow has received."""

    def __init__(self) -> None:
        self.begun: list[str] = []  # the ids of runs, each time that one was opened
        self.rows: list[dict[str, Any]] = []
        self.settings: dict[str, Any] = {}
        self.ends: list[Any] = []
        self.is_down = False

    def receive(self, row: dict[str, Any]) -> None:
        if self.is_down:
            raise ConnectionError("no route to host")
        self.rows.append(row)

    def column(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows if name in row]


def fake_wandb(server: Server) -> ModuleType:
    module = ModuleType("wandb")

    class FakeRun:
        config = SimpleNamespace(update=lambda values, allow_val_change: server.settings.update(values))

        def define_metric(self, pattern: str, step_metric: str) -> None:
            assert (pattern, step_metric) == ("*", "step")

        def log(self, row: dict[str, Any]) -> None:
            server.receive(row)

        def finish(self, exit_code: int) -> None:
            server.ends.append(exit_code)

    def init(*, project: str, name: str, id: str, resume: str, dir: str) -> FakeRun:
        assert (project, name, resume) == ("splitvae", "run", "allow")
        server.begun.append(id)
        return FakeRun()

    module.init = init  # type: ignore[attr-defined]  # a module that is made here
    return module


def fake_mlflow(server: Server) -> ModuleType:
    module = ModuleType("mlflow")

    class MlflowClient:
        def get_experiment_by_name(self, name: str) -> None:
            return None

        def create_experiment(self, name: str) -> str:
            assert name == "splitvae"
            return "7"

        def create_run(self, experiment: str, run_name: str) -> Any:
            assert (experiment, run_name) == ("7", "run")
            server.begun.append("abcd")
            return SimpleNamespace(info=SimpleNamespace(run_id="abcd"))

        def update_run(self, run_id: str, status: str) -> None:
            server.begun.append(run_id)

        def set_tag(self, run_id: str, name: str, value: str) -> None:
            server.settings[name] = value

        def log_metric(self, run_id: str, name: str, value: float, step: int) -> None:
            assert run_id == "abcd"
            server.receive({"step": step, name: value})

        def set_terminated(self, run_id: str, status: str) -> None:
            server.ends.append(status)

    module.MlflowClient = MlflowClient  # type: ignore[attr-defined]  # a module that is made here
    return module


@pytest.fixture(params=[fake_wandb, fake_mlflow], ids=["wandb", "mlflow"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server of a stand-in, which is installed for the test."""
    server = Server()
    module = request.param(server)
    module.__spec__ = ModuleSpec(module.__name__, None)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for name in ("WANDB_PROJECT", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    server.name = module.__name__  # type: ignore[attr-defined]  # a module that is made here
    return server


def test_each_epoch_reaches_the_server_once_also_after_a_resume_and_an_outage(
    server: Any, train: Train, resume: Train, images: splitvae.Images, tmp_path: Path
) -> None:
    run = train(images, tmp_path / "run", epochs=1, logger=server.name)
    assert server.column("epoch") == [1] and len(server.begun) == 1
    assert str(server.settings["width"]) == "4" and server.ends in ([0], ["FINISHED"])
    assert not (run.path / "tensorboard").exists()

    run = resume(images, tmp_path / "run", epochs=2)
    server.is_down = True
    run = resume(images, tmp_path / "run", epochs=3)
    assert server.column("epoch") == [1, 2] and [row["epoch"] for row in run.history] == [1, 2, 3]
    server.is_down = False
    run = resume(images, tmp_path / "run", epochs=4)
    assert server.column("epoch") == [1, 2, 3, 4]
    assert len(set(server.begun)) == 1  # always the same run
    assert server.column("train/loss") == [row["loss"] for row in run.history]
    assert json.loads((run.path / "logger.json").read_text())["step"] == run.history[-1]["step"]


def test_a_csv_file_has_a_line_for_each_epoch_also_after_a_resume(
    train: Train, resume: Train, images: splitvae.Images, tmp_path: Path
) -> None:
    train(images, tmp_path / "run", epochs=1, logger="csv")
    run = resume(images, tmp_path / "run", epochs=2)
    with (run.path / "csv" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2]
    for column in ("train/loss", "held out/val_loss"):
        expected = [row[column.partition("/")[2]] for row in run.history]
        assert [float(row[column]) for row in rows] == pytest.approx(expected)
    run = resume(images, tmp_path / "run", epochs=3, logger="none")
    assert len(run.history) == 3 and run.config.monitoring.logger == "none"


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_logger_that_is_not_installed_is_answered_before_the_training(
    name: str, train: Train, images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=rf"needs the package {name}, .*type `pip install {name}`, or logger='csv'"):
        train(images, tmp_path / "run", logger=name)
    assert not (tmp_path / "run" / "config.json").exists()
    with pytest.raises(UserError, match="logger='wand' is unknown; did you mean 'wandb'"):
        train(images, tmp_path / "run", logger="wand")
