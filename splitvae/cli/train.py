"""The command that trains a model."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from ..errors import UserError
from .options import find_option

__all__ = ["train"]

# Heavy imports stand in the functions, so that --help and mistakes answer at once.


@dataclass
class TrainOptions:
    """The options of the command itself."""

    out: Annotated[str, arg(help="Folder of the run.")] = "runs/mine"
    resume: Annotated[bool, arg(help="Go on where the run stopped; a finished or missing one is reported.")] = False
    seeds: Annotated[int, arg(help="Train this many runs, seeds counting up, and write a summary with deviations.")] = 1
    report: Annotated[bool, arg(help="Measure the model on test images, draw figures and write report.html.")] = True


def train(arguments: Sequence[str]) -> None:
    """Train a preset, or a model chosen to fit your images, and write a report."""
    from ..config import Config
    from ..presets.registry import find_preset
    from ..runs import Run
    from .config_options import describe_all_choices, parse_config

    if "--help-all" in arguments:
        print("Every choice of `splitvae train` and its options; `splitvae train PRESET --help` shows those of a preset.")
        print(describe_all_choices())
        return
    name, rest = (arguments[0], arguments[1:]) if arguments and not arguments[0].startswith("-") else ("", arguments)
    folder = find_option(rest, "--out") or "runs/" + (name or "mine")
    stored = [Path(folder) / "config.json", *Path(folder).glob("seed-*/config.json")]
    begun = [file.parent for file in stored if file.exists()]
    resuming = "--resume" in rest and bool(begun)
    base = find_preset(name) if name else Config()
    if resuming:
        base = min((Run(folder).config for folder in begun), key=lambda config: config.training.seed)
    if resuming and name and name != base.preset:
        raise UserError(f"{folder} was begun as {base.preset or 'a model without preset'}, not {name}.")
    command = dataclasses.make_dataclass(
        "Train", [("out", TrainOptions.__annotations__["out"], folder)], bases=(TrainOptions,)
    )
    description = f"{train.__doc__} Options of other choices: splitvae train --help-all"
    config, explicit, options = parse_config(base, rest, command, f"splitvae train {name or '[PRESET]'}", description)
    if config.data.source is None and not name:
        raise UserError("say what to train on: a preset (`splitvae list` shows them) or your images with --data FOLDER.")
    if options.seeds < 1:
        raise UserError(f"--seeds {options.seeds} trains nothing; it is a number of runs, at least 1.")

    from ..evaluation.diagnostics import diagnose
    from ..evaluation.tables import evaluation_table
    from ..report.page import write_report
    from ..studies.seeds import train_seeds
    from ..training.loop import train as run_training
    from ..utils.machine import is_main_process

    if options.seeds > 1:
        train_seeds(config, Path(options.out), options.seeds, explicit, resume=options.resume, report=options.report)
        return
    run = run_training(config, out=options.out, resume=options.resume, **explicit)
    if options.report and is_main_process():
        print(evaluation_table(diagnose(run)))
        print(f"Report: {write_report([run])}")
