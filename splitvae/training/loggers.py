"""Logs of a training elsewhere than in history.jsonl: for TensorBoard, as CSV, for Weights & Biases or MLflow.

| logger        | where                                        | after a resume or a rollback                             |
| ------------- | -------------------------------------------- | -------------------------------------------------------- |
| "tensorboard" | RUN/tensorboard                              | written again from the history                           |
| "csv"         | RUN/csv/metrics.csv, by Fabric's CSVLogger   | written again from the history                           |
| "wandb"       | the run of WANDB_PROJECT, or of "splitvae"   | the same run goes on, which RUN/logger.json names        |
| "mlflow"      | the run of MLFLOW_EXPERIMENT_NAME, or of     | the same                                                 |
|               | "splitvae", at MLFLOW_TRACKING_URI           |                                                          |
| "none"        | nowhere                                      |                                                          |

wandb and mlflow are imported only where they are chosen; whoever wants them installs them. Each has a logger of Fabric's
kind here. A server that cannot be reached ends no training: what it missed is sent with a later epoch or after a resume.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Any

from lightning_fabric.loggers import CSVLogger, Logger

from ..errors import UserError, setting
from ..runs import Run
from ..utils.files import read_json, write_json

__all__ = ["TrainingLog", "check_logger", "open_log"]

PROJECT = "splitvae"
NO_METRICS = ("epoch", "step", "notes", "restored")  # of a row of the history
Row = Mapping[str, Any]  # of the history


def check_logger(name: str) -> None:
    """Raises UserError if a logger needs a package that is not installed."""
    if name in ("wandb", "mlflow") and importlib.util.find_spec(name) is None:
        raise UserError(
            f"{setting('logger', name)} needs the package {name}, which is not installed; type `pip install {name}`, or "
            f"{setting('logger', 'csv')}, which needs nothing."
        )


def open_log(name: str, run: Run) -> TrainingLog:
    """Returns the log of a run by the name of the logger, one of `splitvae.config.LOGGERS`."""
    kinds: dict[str, type[TrainingLog]] = {"tensorboard": TensorBoardLog, "csv": CSVLog}
    if name in ("wandb", "mlflow"):
        return RemoteLog(run, name)
    return kinds.get(name, TrainingLog)(run)


class TrainingLog:
    """A log that writes nothing, and the base of the others.

    Arguments:
        run: The run.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    def rewrite(self, rows: Sequence[Row]) -> None:
        """Makes the log agree with a history, at the beginning and after a rollback."""

    def add(self, rows: Sequence[Row]) -> str | None:
        """Writes the last row of a history; returns a note if that failed."""

    def close(self, is_complete: bool) -> None:
        """Ends the log.

        Arguments:
            is_complete: Whether the training reached its last epoch.
        """


class TensorBoardLog(TrainingLog):
    """The files of TensorBoard."""

    writer: Any = None

    def rewrite(self, rows: Sequence[Row]) -> None:
        """Replaces the files by one of the rows of the history, to which further epochs are added.

        A file that says from which step earlier ones do not count would be shorter, but not every viewer heeds that.
        """
        from torch.utils.tensorboard import SummaryWriter  # takes a second to import, and only training needs it

        folder = self.run.path / "tensorboard"
        if self.writer is not None:
            self.writer.close()
        for file in folder.glob("events.out.tfevents.*"):
            file.unlink(missing_ok=True)
        self.writer = SummaryWriter(str(folder))
        times = accumulate((-row["seconds"] for row in reversed(rows)), initial=time.time())
        for row, ended in zip(rows, list(times)[-2::-1], strict=True):
            self._write(row, ended)
        self.writer.flush()

    def add(self, rows: Sequence[Row]) -> str | None:
        """Writes the last row."""
        self._write(rows[-1], time.time())
        self.writer.flush()
        return None

    def close(self, is_complete: bool) -> None:
        """Closes the file."""
        if self.writer is not None:
            with suppress(OSError):
                self.writer.close()

    def _write(self, row: Row, ended: float) -> None:
        """Writes a row, whose epoch ended at a time in seconds as `time.time` counts them."""
        for name, value in metrics_of(row).items():
            self.writer.add_scalar(name, value, row["step"], ended)


class CSVLog(TrainingLog):
    """The file csv/metrics.csv, by Fabric's logger."""

    def rewrite(self, rows: Sequence[Row]) -> None:
        """Writes the file anew."""
        shutil.rmtree(self.run.path / "csv", ignore_errors=True)
        self.logger = CSVLogger(self.run.path, name=None, version="csv")
        for number in range(1, len(rows) + 1):
            self.add(rows[:number])

    def add(self, rows: Sequence[Row]) -> str | None:
        """Writes the last row."""
        self.logger.log_metrics({"epoch": rows[-1]["epoch"], **metrics_of(rows[-1])}, rows[-1]["step"])
        self.logger.save()
        return None


class RemoteLog(TrainingLog):
    """A run of Weights & Biases or MLflow, which logger.json in the run's folder names, so that a resume continues it.

    Arguments:
        run: The run.
        name: "wandb" or "mlflow".
    """

    def __init__(self, run: Run, name: str) -> None:
        super().__init__(run)
        self.name, self.file = name, run.path / "logger.json"
        state: dict[str, Any] = read_json(self.file) if self.file.exists() else {}
        if state.get("logger") != name:
            state = {"logger": name, "step": 0}
        self.state = state
        self.logger: Logger | None = None

    def rewrite(self, rows: Sequence[Row]) -> None:
        """Goes back to the last step of a history, so that later steps are sent again."""
        self.state["step"] = min(self.state["step"], rows[-1]["step"] if rows else 0)

    def add(self, rows: Sequence[Row]) -> str | None:
        """Sends all rows that were not yet sent; returns a note if that failed."""
        try:
            if self.logger is None:
                self.logger = (WandbLogger if self.name == "wandb" else MLflowLogger)(self.run, self.state.get("id"))
                self.state["id"] = self.logger.version
                self.logger.log_hyperparams(self.run.config.options())
            for row in rows:
                if row["step"] > self.state["step"]:
                    self.logger.log_metrics({"epoch": row["epoch"], **metrics_of(row)}, row["step"])
                    self.state["step"] = row["step"]
            write_json(self.file, self.state)
        except Exception as error:  # a server or its client can raise anything, and no training should end for it
            return f"Warning: {self.name} did not take this epoch ({error}); it is sent again after the next one."
        return None

    def close(self, is_complete: bool) -> None:
        """Ends the run there; a resume opens it again."""
        if self.logger is not None:
            with suppress(Exception):  # as above
                self.logger.finalize("success" if is_complete else "failed")


class WandbLogger(Logger):
    """A run of Weights & Biases as a logger of Fabric.

    Arguments:
        run: The run.
        version: The id of a run there that goes on; None begins one.
    """

    def __init__(self, run: Run, version: str | None = None) -> None:
        wandb = importlib.import_module("wandb")
        project = os.environ.get("WANDB_PROJECT", PROJECT)
        self._version = version or secrets.token_hex(4)
        self.experiment = wandb.init(
            project=project, name=run.name, id=self._version, resume="allow", dir=str(Path(run.path))
        )
        # The axis of all curves is a metric, since Weights & Biases drops what comes for an earlier step of its own count.
        self.experiment.define_metric("*", step_metric="step")

    @property
    def name(self) -> str:
        """The name of the logger."""
        return "wandb"

    @property
    def version(self) -> str:
        """The id of the run."""
        return self._version

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Sends the settings."""
        self.experiment.config.update(params, allow_val_change=True)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Sends metrics of a step."""
        self.experiment.log({**metrics, "step": step})

    def finalize(self, status: str) -> None:
        """Ends the run."""
        self.experiment.finish(exit_code=int(status != "success"))


class MLflowLogger(Logger):
    """A run of MLflow as a logger of Fabric.

    Arguments:
        run: The run.
        version: The id of a run there that goes on; None begins one.
    """

    def __init__(self, run: Run, version: str | None = None) -> None:
        self.client = importlib.import_module("mlflow").MlflowClient()
        if version is None:
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
            known = self.client.get_experiment_by_name(name)
            experiment = known.experiment_id if known is not None else self.client.create_experiment(name)
            version = str(self.client.create_run(experiment, run_name=run.name).info.run_id)
        else:
            self.client.update_run(version, status="RUNNING")
        self._version = version

    @property
    def name(self) -> str:
        """The name of the logger."""
        return "mlflow"

    @property
    def version(self) -> str:
        """The id of the run."""
        return self._version

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Sends the settings as tags, which a resumed run may change, where parameters are fixed."""
        for name, value in params.items():
            self.client.set_tag(self._version, name, str(value))

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Sends metrics of a step."""
        for name, value in metrics.items():
            self.client.log_metric(self._version, name.replace(" ", "_"), float(value), step=step)

    def finalize(self, status: str) -> None:
        """Ends the run."""
        self.client.set_terminated(self._version, "FINISHED" if status == "success" else "KILLED")


def metrics_of(row: Row) -> dict[str, float]:
    """Returns the numbers of a row of the history, by the names that the logs have for them."""
    return {
        f"{'held out' if name.startswith('val_') else 'train'}/{name}": value
        for name, value in row.items()
        if name not in NO_METRICS
    }
