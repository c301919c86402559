"""The command line: `splitvae COMMAND --help` explains each."""

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from .commands import Encode, Figures, List, Reconstruct, Report, Sample
from .errors import UserError, nearest
from .evaluation_commands import Evaluate
from .probe_commands import Probe
from .reproduction_commands import Reproduce
from .study_commands import Categories, Means
from .sweep_commands import sweep

__all__ = ["main"]

# Heavy imports stand in the commands, so that --help and mistakes answer at once.


def train(arguments: Sequence[str]) -> None:
    """Train a preset, or a model chosen to fit your images, and write a report."""
    from .presets import Config, configure
    from .runs import Run

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

    from . import report, trials
    from .engine import first_process
    from .evaluate import diagnose
    from .training import train as run_training
    from .wording import table

    flags = {word.split("=")[0].replace("_", "-") for word in rest}
    fields = {f.name: f"-{f.name.replace('_', '-')}" for f in dataclasses.fields(Config)}
    typed = {name: getattr(asked.config, name) for name, f in fields.items() if {"-" + f, "--no" + f} & flags}
    if asked.seeds > 1:
        trials.train(asked.config, Path(asked.out), asked.seeds, asked.resume, asked.report, **typed)
        return
    run = run_training(asked.config, out=asked.out, resume=asked.resume, **typed)
    if asked.report and first_process():
        print(table(diagnose(run)))
        print(f"Report: {report.write([run])}")


COMMANDS: dict[str, Any] = {
    "train": train,
    "evaluate": Evaluate,
    "sample": Sample,
    "encode": Encode,
    "reconstruct": Reconstruct,
    "figures": Figures,
    "probe": Probe,
    "report": Report,
    "reproduce": Reproduce,
    "sweep": sweep,
    "categories": Categories,
    "means": Means,
    "list": List,
}


def option(arguments: Sequence[str], name: str) -> str | None:
    """The value of an option before the others are parsed."""
    for i, word in enumerate(arguments):
        if word == name and i + 1 < len(arguments):
            return arguments[i + 1]
        if word.startswith(name + "="):
            return word[len(name) + 1 :]
    return None


def parse(kind: Any, arguments: Sequence[str], prog: str, about: str | None, **default: Any) -> Any:
    return tyro.cli(kind, args=list(arguments), prog=prog, description=about, **default)


def usage() -> str:
    lines = ["usage: splitvae COMMAND [ARGUMENTS]   (splitvae COMMAND --help explains one)", ""]
    lines += [f"  {name:<12} {(command.__doc__ or '').splitlines()[0]}" for name, command in COMMANDS.items()]
    return "\n".join([*lines, "", "Begin with: splitvae train digits-svae", "or:         splitvae train --data MY_PHOTOS"])


def dispatch(arguments: Sequence[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        raise UserError(f"no command is called {name!r}; {nearest(name, COMMANDS)} `splitvae --help` shows them all.")
    if name in ("train", "sweep"):  # their options depend on the preset
        COMMANDS[name](rest)
    else:
        parse(COMMANDS[name], rest, f"splitvae {name}", COMMANDS[name].__doc__)()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0, 2 for a mistake, 130 for Ctrl-C."""
    from_shell = sys.argv[1:] if arguments is None else arguments
    try:
        dispatch(from_shell)
    except UserError as error:
        print(f"splitvae: {error}", file=sys.stderr)
        return error.status
    except OSError as error:
        print(f"splitvae: {error.filename or 'a file'} cannot be read or written: {error.strerror}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("splitvae: stopped.", file=sys.stderr)
        return 130
    return 0
