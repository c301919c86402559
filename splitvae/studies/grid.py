"""A sweep: one IntroVAE for each cell of a grid of alpha, beta and margin, with everything else equal.

Each cell is a run in the folder OUT/alpha-A_beta-B_margin-M. Cells that are finished are not trained again, so that the
same call continues after an interruption, or with a larger number of epochs. An alarm that stops a cell
(training/alarms.py) is a result like any other: it is written to the cell's alarm.json, and the sweep continues. The page
of a sweep is written by grid_report.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..config import Config
from ..errors import UserError, setting
from ..presets.registry import PRESETS, find_preset
from ..runs import Run
from ..training.interrupts import Interrupted
from ..utils.console import print_once
from ..utils.files import read_json, write_json

__all__ = ["INTROVAE_BASE", "Cell", "Outcome", "base_config", "build_cells", "train_grid"]


# The base called "introvae": the paper's network and learning rate. All else is chosen to fit the images.
INTROVAE_BASE = Config().override(loss="intro", net="intro", split=1, lr=2e-4, preview_every=0)


class Cell(NamedTuple):
    """The weights of one run.

    alpha: The weight of the hinges.
    beta: The weight of the reconstruction.
    margin: The margin of the hinges, in nats.
    """

    alpha: float
    beta: float
    margin: float

    @property
    def name(self) -> str:
        """The name of the cell's folder."""
        return "_".join(f"{field}-{value:g}" for field, value in self._asdict().items())


class Outcome(NamedTuple):
    """The result of a cell.

    cell: The cell.
    run: The run that was trained.
    alarm: The name of the alarm that stopped it, or "".
    text: The text of that alarm, or "".
    """

    cell: Cell
    run: Run
    alarm: str
    text: str


def base_config(name: str) -> Config:
    """Returns the config that the cells of a sweep share, by name: "introvae", or a preset of an IntroVAE.

    Raises:
        UserError: If the name is neither.
    """
    if name == "introvae":
        return INTROVAE_BASE
    config = find_preset(name)
    if config.objective.name != "intro":
        names = ", ".join(["introvae", *(preset for preset, c in PRESETS.items() if c.objective.name == "intro")])
        raise UserError(
            f"{name} has no alpha, beta and margin, the weights of an IntroVAE that a sweep varies; take one of {names}."
        )
    return config


def build_cells(alphas: Sequence[float], betas: Sequence[float], margins: Sequence[float]) -> list[Cell]:
    """Returns the cells of a grid, each one once.

    Raises:
        UserError: If no IntroVAE can have such a weight, or if two cells would have the same folder.
    """
    cells = list(dict.fromkeys(Cell(*weights) for weights in itertools.product(alphas, betas, margins)))
    for cell in cells:
        INTROVAE_BASE.override(**cell._asdict())
    names = [cell.name for cell in cells]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"several cells would have the folder {twice[0]}; give weights that differ in six digits.")
    return cells


def train_grid(
    config: Config,
    cells: Sequence[Cell],
    out: Path,
    explicit_fields: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> list[Outcome]:
    """Trains all cells that are not finished and returns the results of all.

    Arguments:
        config: The config that the cells share.
        cells: The cells of the grid.
        out: The folder of the cells' folders.
        explicit_fields: Fields of the config that replace what would be chosen to fit the images, and, where a run is
            resumed, what the run has.
        progress: Whether progress is printed.

    Raises:
        UserError: If settings or images cannot be used, if a folder holds a run of another base, or after Ctrl-C.
    """
    outcomes = []
    for i, cell in enumerate(cells):
        print_once(progress, f"[{i + 1} of {len(cells)}] {cell.name}")
        try:
            outcomes.append(_train_cell(config, cell, out / cell.name, dict(explicit_fields or {}), progress))
        except Interrupted as interrupt:
            error = UserError(
                f"stopped in {cell.name} at epoch {interrupt.epoch + 1}, nothing lost; the same command goes on."
            )
            error.status = interrupt.status
            raise error from None
    return outcomes


def _train_cell(config: Config, cell: Cell, folder: Path, explicit_fields: dict[str, Any], progress: bool) -> Outcome:
    """Trains one cell until its last epoch or an alarm, unless that has been done."""
    from ..training.loop import train  # imported here, so that mistakes in a grid are answered without it
    from ..training.recovery import TrainingStopped

    resume, alarm_file = (folder / "config.json").exists(), folder / "alarm.json"
    if resume:
        run_config = Run(folder).config
        if run_config.preset != config.preset:
            raise UserError(
                f"{folder} was begun as {run_config.preset or 'introvae'}; give another folder with {setting('out')}."
            )
        settings = run_config.override(**explicit_fields)
    else:
        explicit_fields = explicit_fields | cell._asdict()
        settings = config.override(**explicit_fields)
    target = {"epochs": settings.training.epochs, "on_alarm": settings.monitoring.on_alarm}
    if alarm_file.exists():
        alarm = read_json(alarm_file)
        if alarm["asked"] == target:
            print_once(
                progress,
                f"{folder} was stopped by an alarm, {alarm['alarm']}; {setting('on_alarm', 'rollback')} goes on gentler.",
            )
            return Outcome(cell, Run(folder), alarm["alarm"], alarm["text"])
    try:
        run = train(settings, out=folder, resume=resume, progress=progress, **({} if resume else explicit_fields))
    except TrainingStopped as stop:  # its message says how to continue this run alone
        name, text = stop.alarms[0].name, " ".join(map(str, stop.alarms))
        write_json(alarm_file, {"asked": target, "alarm": name, "text": text})
        print_once(progress, f"Stopped by an alarm. {text}")
        return Outcome(cell, Run(folder), name, text)
    alarm_file.unlink(missing_ok=True)
    return Outcome(cell, run, "", "")
