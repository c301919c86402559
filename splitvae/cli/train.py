"""The command `train`: trains a model and writes its report."""

import inspect
import itertools
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import FlagCreatePairsOff, arg

from ..errors import UserError, nearest
from ..utils.processes import find_launcher, is_main_process
from ..utils.text import count_noun, format_duration
from .checks import check_output_folder
from .options import PARTS, Json, OutputFolder, check_least, find_option, print_result, show_default
from .overwrite import holds_runs, run_moved_aside

__all__ = ["train"]


@dataclass
class TrainOptions:
    """The options of the command itself."""

    out: Annotated[OutputFolder, show_default("runs/PRESET, or runs/mine without a preset")] = None
    resume: Annotated[
        bool, arg(help="Whether a run in the folder is continued where it stopped, with its own settings as the defaults.")
    ] = False
    overwrite: Annotated[
        bool,
        FlagCreatePairsOff,
        arg(help="Replace a run in the folder by a new one: you are asked once, and the old one is moved aside."),
    ] = False
    yes: Annotated[bool, FlagCreatePairsOff, arg(help="Answer the question of --overwrite with yes.")] = False
    dry_run: Annotated[
        bool,
        FlagCreatePairsOff,
        arg(help="Make a few steps, show the parameters, the steps, the time and the memory to expect, and write nothing."),
    ] = False
    seeds: Annotated[
        int, arg(help="Number of runs, with seeds that count up; several get a summary with standard deviations.")
    ] = 1
    report: Annotated[
        bool, arg(help="Whether the model is measured on test images, its figures are drawn, and report.html is written.")
    ] = True
    json: Json = False


def train(arguments: Sequence[str]) -> None:
    """Train a preset, or a model that is chosen to fit your images, and write a report.

    Without a preset, settings are chosen from the images of --data. The options below belong to the choices of the preset.
    To see those of another choice, type it too: `splitvae train mnist-svae --loss intro --help`. All choices with their
    options are listed by `splitvae train --help-all`.
    """
    if "--help-all" in arguments:
        from .choices import describe_all_choices

        print("Every choice and its options; `splitvae train PRESET --help` shows those of a preset.")
        print(describe_all_choices())
        return
    name, rest = (arguments[0], arguments[1:]) if arguments and not arguments[0].startswith("-") else ("", arguments)
    if find_option(rest, "--split") in PARTS:
        raise UserError("--split is the number of components, such as --split 2; a training takes the train part.")
    folder = Path(find_option(rest, "--out") or f"runs/{name or 'mine'}")
    if not {"-h", "--help"} & set(rest):
        _check_folder(folder, rest)
    from ..config import Config
    from ..presets.registry import find_preset
    from ..runs import Run
    from .config_options import parse_config

    if not name:
        _check_preset_is_first(rest)
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
        if "--resume" in rest:
            raise UserError(f"{folder} holds no run to resume; {_name_runs(folder)}")
        raise UserError("say what to train on: a preset (`splitvae list` shows them) or your images with --data FOLDER.")
    check_least(1, "trains nothing", seeds=options.seeds)

    if config.data.source is not None:
        from ..data.sources import check_source

        check_source(config.data.source)
    from ..presets.build import check_buildable

    check_buildable(config)
    if options.dry_run:
        print_result(options.json, lambda: show_rehearsal(config, explicit_fields, options.seeds))
        return
    replaces = options.overwrite and is_main_process() and holds_runs(folder)
    with run_moved_aside(folder, options.yes) if replaces else nullcontext():
        print_result(options.json, lambda: _train(config, folder, options, explicit_fields))


def _train(config: Any, folder: Path, options: TrainOptions, explicit_fields: dict[str, Any]) -> dict[str, Any]:
    """Trains, and returns the measurements."""
    from ..evaluation.diagnostics import diagnose
    from ..evaluation.tables import evaluation_table
    from ..report.page import write_report
    from ..studies.seeds import train_seeds
    from ..training.loop import train as train_run

    if options.seeds > 1:
        return train_seeds(config, folder, options.seeds, explicit_fields, resume=options.resume, report=options.report)
    run = train_run(config, out=folder, resume=options.resume, **explicit_fields)
    if options.report and is_main_process():
        print(evaluation_table(diagnose(run)))
        print(f"Report: {write_report([run])}")
    return {"run": str(folder), "history": run.history, "evaluation": run.evaluation}


def show_rehearsal(config: Any, explicit_fields: dict[str, Any], seeds: int) -> dict[str, Any]:
    """Prints what a training would be, and returns it.

    Arguments:
        config: The settings.
        explicit_fields: The settings that were typed, by flat name.
        seeds: The number of runs.
    """
    from ..data.prepared import format_bytes
    from ..training.rehearsal import rehearse
    from ..utils.machine import describe_device

    plan = rehearse(config, **explicit_fields)
    training, model = plan.config.training, plan.config.model
    steps = plan.steps_per_epoch * training.epochs
    runs = "" if seeds == 1 else f", {format_duration(seeds * plan.seconds)} for {seeds} seeds"
    rows = {
        "images": f"{plan.images:,} to train on, {plan.held_out:,} held out, as {'x'.join(map(str, model.shape or ()))}",
        "parameters": f"{plan.parameters['trainable']:,}, network {model.net.name}, split in {model.split}",
        "steps": f"{steps:,}: {count_noun(training.epochs, 'epoch')} of {plan.steps_per_epoch:,}, each of "
        f"{count_noun(training.batch_size, 'image')}",
        "time": f"about {format_duration(plan.seconds)}{runs}; {1000 * plan.seconds_per_step:.0f} ms a step on "
        f"{describe_device(plan.config.hardware.accelerator)}",
        "memory": f"about {format_bytes(plan.peak_bytes)}, and at most 1.1 GB more for the measurements at the end",
    }
    for name, text in rows.items():
        print(f"{name:<12}{text}")
    print("Nothing was written: this was a dry run.")
    return {
        "settings": plan.config.to_json(),
        "parameters": plan.parameters,
        "images": plan.images,
        "held_out": plan.held_out,
        "steps": steps,
        "seconds_per_step": plan.seconds_per_step,
        "seconds": seeds * plan.seconds,
        "peak_bytes": plan.peak_bytes,
    }


def _check_preset_is_first(arguments: Sequence[str]) -> None:
    """Raises UserError for a preset that stands after options, where it is taken for a value."""
    from ..presets.registry import PRESETS

    for before, word in itertools.pairwise(arguments):
        if word in PRESETS and not before.startswith("-"):
            others = " ".join(each for each in arguments if each != word)
            raise UserError(f"the preset comes first: splitvae train {word} {others}")


def _name_runs(folder: Path) -> str:
    """Returns the end of a message on a run that does not exist: the runs beside it."""
    found = sorted(str(file.parent) for file in folder.parent.glob("*/config.json")) if folder.parent.is_dir() else []
    return nearest(str(folder), found) if found else "give a preset (`splitvae list` shows them) or --data to begin one."


def _check_folder(folder: Path, arguments: Sequence[str]) -> None:
    """Raises UserError where no run can be begun in a folder, before anything slow is imported."""
    resume, overwrite, dry_run = (option in arguments for option in ("--resume", "--overwrite", "--dry-run"))
    if resume and overwrite:
        raise UserError("--resume continues a run, and --overwrite replaces it; leave one of them out.")
    if dry_run:
        return
    launcher = find_launcher()
    if overwrite and launcher is not None and launcher.name != "splitvae":
        raise UserError(f"--overwrite asks at the keyboard, and {launcher}; give another folder with --out.")
    if is_main_process() and holds_runs(folder) and not (resume or overwrite):
        raise UserError(
            f"{folder} already holds a run; continue it with --resume, replace it with --overwrite, or give another folder "
            "with --out."
        )
    check_output_folder(folder)
