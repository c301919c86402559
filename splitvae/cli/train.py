"""The command `train`: trains a model and writes its report."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from ..errors import UserError
from .options import OutputFolder, check_least, find_option, show_default

__all__ = ["train"]


@dataclass
class TrainOptions:
    """The options of the command itself."""

    out: Annotated[OutputFolder, show_default("runs/PRESET, or runs/mine without a preset")] = None
    resume: Annotated[
        bool, arg(help="Whether a run in the folder is continued where it stopped, with its own settings as the defaults.")
    ] = False
    seeds: Annotated[
        int, arg(help="Number of runs, with seeds that count up; several get a summary with standard deviations.")
    ] = 1
    report: Annotated[
        bool, arg(help="Whether the model is measured on test images, its figures are drawn, and report.html is written.")
    ] = True


def train(arguments: Sequence[str]) -> None:
    """Train a preset, or a model that is chosen to fit your images, and write a report.

    Without a preset, settings are chosen from the images of --data. The options below belong to the choices of the preset.
    To see those of another choice, type it too: `splitvae train mnist-svae --loss intro --help`. All choices with their
    options are listed by `splitvae train --help-all`.
    """
    from ..config import Config
    from ..presets.registry import find_preset
    from ..runs import Run
    from .choices import describe_all_choices
    from .config_options import parse_config

    if "--help-all" in arguments:
        print("Every choice and its options; `splitvae train PRESET --help` shows those of a preset.")
        print(describe_all_choices())
        return
    name, rest = (arguments[0], arguments[1:]) if arguments and not arguments[0].startswith("-") else ("", arguments)
    folder = Path(find_option(rest, "--out") or f"runs/{name or 'mine'}")
    base = find_preset(name) if name else Config()
    config_files = [folder / "config.json", *folder.glob("seed-*/config.json")]
    begun = [Run(file.parent) for file in config_files if file.exists()] if "--resume" in rest else []
    if begun:
        first = min(begun, key=lambda run: run.config.training.seed)
        # What alarms changed concerns the run that they stopped, and no other seed.
        base = first.config if first.path == folder else first.begun_config()
        if name and name != base.preset:
            raise UserError(f"{folder} was begun as {base.preset or 'a model without preset'}, not {name}.")
    prog = f"splitvae train {name or '[PRESET]'}"
    config, explicit_fields, options = parse_config(base, rest, TrainOptions, prog, inspect.getdoc(train) or "")
    if config.data.source is None and not name:
        raise UserError("say what to train on: a preset (`splitvae list` shows them) or your images with --data FOLDER.")
    check_least(1, "trains nothing", seeds=options.seeds)

    from ..evaluation.diagnostics import diagnose
    from ..evaluation.tables import evaluation_table
    from ..report.page import write_report
    from ..studies.seeds import train_seeds
    from ..training.loop import train as train_run
    from ..utils.processes import is_main_process

    if options.seeds > 1:
        train_seeds(config, folder, options.seeds, explicit_fields, resume=options.resume, report=options.report)
        return
    run = train_run(config, out=folder, resume=options.resume, **explicit_fields)
    if options.report and is_main_process():
        print(evaluation_table(diagnose(run)))
        print(f"Report: {write_report([run])}")
