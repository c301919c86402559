"""A sweep: one IntroVAE for each cell of a grid of alpha, beta and margin, everything else being equal.

Each cell is a run of its own in OUT/NAME-OF-THE-CELL. What is there is kept, so that the same call goes on after an
interruption, and a larger number of epochs too. An alarm that stops a cell (alarms.py) is a result like any other: it is
kept in the cell's alarm.json, and the sweep goes on. sweep_page.py shows the grid.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..config import Config
from ..errors import UserError
from ..presets.registry import PRESETS, find_preset
from ..runs import Run
from ..training.interrupts import Interrupted
from ..training.loop import train
from ..training.recovery import TrainingStopped
from ..utils.console import print_once
from ..utils.files import read_json, write_json

__all__ = ["BASE", "Cell", "Outcome", "base_named", "cells_of", "train_grid"]


# What `introvae` stands for: the paper's network and learning rate, for images that say the rest (presets.suggest).
BASE = Config().override(loss="intro", net="intro", split=1, lr=2e-4, preview_every=0)


class Cell(NamedTuple):
    """The weights of one run: of the hinges, of the reconstruction, and the margin in nats."""

    alpha: float
    beta: float
    margin: float

    @property
    def name(self) -> str:
        """The folder's name."""
        return "_".join(f"{field}-{value:g}" for field, value in self._asdict().items())


class Outcome(NamedTuple):
    """A cell with its run, and what the alarm that stopped it said: its name and its text, or nothing."""

    cell: Cell
    run: Run
    alarm: str
    text: str


def base_named(name: str) -> Config:
    """What `introvae` stands for, or the preset of an IntroVAE; raises UserError for any other."""
    if name == "introvae":
        return BASE
    config = find_preset(name)
    if config.objective.name != "intro":
        known = ", ".join(["introvae", *(other for other, c in PRESETS.items() if c.objective.name == "intro")])
        raise UserError(f"{name} has no alpha, beta and margin of an IntroVAE to sweep over; take one of {known}.")
    return config


def cells_of(alphas: Sequence[float], betas: Sequence[float], margins: Sequence[float]) -> list[Cell]:
    """The grid, each cell once; raises UserError where a weight is one that nothing can be trained with."""
    cells = list(dict.fromkeys(Cell(*weights) for weights in itertools.product(alphas, betas, margins)))
    for cell in cells:
        BASE.override(**cell._asdict())
    names = [cell.name for cell in cells]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"several cells would be called {twice[0]}; give weights that differ in six digits.")
    return cells


def train_grid(
    config: Config, cells: Sequence[Cell], out: Path, typed: dict[str, Any] | None = None, progress: bool = True
) -> list[Outcome]:
    """Trains the cells that are not finished, in folders of their own in `out`, and returns them all.

    Arguments:
        config: what the cells share.
        typed: fields of it that are meant to be so, whatever would be chosen for the images, and whatever a run that goes
            on has.

    Raises UserError for unusable settings or images, for a folder that was begun otherwise, and after Ctrl-C.
    """
    found = []
    for i, cell in enumerate(cells):
        print_once(progress, f"[{i + 1} of {len(cells)}] {cell.name}")
        try:
            found.append(_trained(config, cell, out / cell.name, typed or {}, progress))
        except Interrupted as stop:
            told = UserError(f"stopped in {cell.name} at epoch {stop.epoch + 1}, nothing lost; the same command goes on.")
            told.status = stop.status
            raise told from None
    return found


def _trained(config: Config, cell: Cell, folder: Path, typed: dict[str, Any], progress: bool) -> Outcome:
    """Trains one cell to the end or to an alarm, unless that has been done."""
    begun, file = (folder / "config.json").exists(), folder / "alarm.json"
    if begun:
        kept = Run(folder).config
        if kept.preset != config.preset:
            raise UserError(f"{folder} was begun as {kept.preset or 'introvae'}; give another folder with --out.")
        settings = kept.override(**typed)
    else:
        settings = config.override(**typed, **cell._asdict())
    asked = {"epochs": settings.training.epochs, "on_alarm": settings.monitoring.on_alarm}
    if file.exists():
        known = read_json(file)
        if known["asked"] == asked:
            print_once(
                progress, f"{folder} was stopped by an alarm, {known['alarm']}; --on-alarm rollback goes on gentler."
            )
            return Outcome(cell, Run(folder), known["alarm"], known["text"])
    try:
        run = train(settings, out=folder, resume=begun, progress=progress, **({} if begun else typed | cell._asdict()))
    except TrainingStopped as stopped:  # its message says how to go on with this run alone
        alarm, text = stopped.alarms[0].name, " ".join(map(str, stopped.alarms))
        write_json(file, {"asked": asked, "alarm": alarm, "text": text})
        print_once(progress, f"Stopped by an alarm. {text}")
        return Outcome(cell, Run(folder), alarm, text)
    file.unlink(missing_ok=True)
    return Outcome(cell, run, "", "")
