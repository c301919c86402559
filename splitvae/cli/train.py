"""TODO docstring of cli.train."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ..errors import UserError
from .options import option, parse

# Heavy imports stand in the commands, so that --help and mistakes answer at once.


def train(arguments: Sequence[str]) -> None:
    """Train a preset, or a model chosen to fit your images, and write a report."""
    from ..config import Config
    from ..presets.registry import configure
    from ..runs import Run

    name, rest = (arguments[0], arguments[1:]) if arguments and not arguments[0].startswith("-") else ("", arguments)
    folder = option(rest, "--out") or "runs/" + (name or "mine")
    begun = [f.parent for f in (Path(folder) / "config.json", *Path(folder).glob("seed-*/config.json")) if f.exists()]
    resuming = "--resume" in rest and bool(begun)
    base = min((Run(f).config for f in begun), key=lambda c: c.seed) if resuming else configure(name) if name else Config()
    if resuming and name and name != base.preset:
        raise UserError(f"{folder} was begun as {base.preset or 'a model without preset'}, not {name}.")

    @dataclass
    class Train:
        config: Annotated[Config, tyro.conf.OmitArgPrefixes]
        out: str = folder
        """Folder of the run."""
        resume: bool = False
        """Go on where the run stopped; a finished or missing one is said to be so."""
        seeds: int = 1
        """Train this many runs, seeds counting up, and write one summary with deviations."""
        report: bool = True
        """Measure the model on test images, draw figures and write report.html at the end."""

    shown = "[PRESET] " if not name else name + " "
    asked = parse(Train, rest, f"splitvae train {shown}", train.__doc__, default=Train(base))
    if asked.config.data is None and not name:
        raise UserError("say what to train on: a preset (`splitvae list` shows them) or your images with --data FOLDER.")
    if asked.seeds < 1:
        raise UserError(f"--seeds {asked.seeds} trains nothing; it is a number of runs, at least 1.")

    from ..evaluation.diagnostics import diagnose
    from ..evaluation.tables import table
    from ..report import page as report
    from ..studies import seeds as trials
    from ..training.loop import train as run_training
    from ..utils.machine import first_process

    flags = {word.split("=")[0].replace("_", "-") for word in rest}
    fields = {f.name: f"-{f.name.replace('_', '-')}" for f in dataclasses.fields(Config)}
    typed = {name: getattr(asked.config, name) for name, f in fields.items() if {"-" + f, "--no" + f} & flags}
    if asked.seeds > 1:
        trials.train_seeds(asked.config, Path(asked.out), asked.seeds, typed, resume=asked.resume, report=asked.report)
        return
    run = run_training(asked.config, out=asked.out, resume=asked.resume, **typed)
    if asked.report and first_process():
        print(table(diagnose(run)))
        print(f"Report: {report.write_report([run])}")
