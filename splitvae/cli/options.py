"""Options of the command line: those that several commands share, and how arguments are parsed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from ..errors import UserError

__all__ = [
    "Count",
    "DataSource",
    "OutputFile",
    "OutputFolder",
    "RunFolder",
    "RunFolders",
    "Seed",
    "Split",
    "check_least",
    "find_option",
    "parse",
    "print_notes",
]

RunFolder = tyro.conf.Positional[Annotated[Path, tyro.conf.arg(help="Folder of the run.")]]
RunFolders = tyro.conf.Positional[Annotated[tuple[Path, ...], tyro.conf.arg(help="Folders of runs.")]]
Seed = Annotated[int, tyro.conf.arg(help="Seed of all that is drawn at random.")]
Count = Annotated[int, tyro.conf.arg(aliases=["-n"], help="Number of images.")]
DataSource = Annotated[
    str | None,
    tyro.conf.arg(help="Images to use: a name, a folder, a file, or hf://org/name; by default those of the run."),
]
Split = Annotated[
    str,
    tyro.conf.arg(help="Part of the images: train, test or all; by default all of --data, or the test part of the run's."),
]
OutputFile = Annotated[Path | None, tyro.conf.arg(help="File that is written; by default one in the run's folder.")]
OutputFolder = Annotated[Path | None, tyro.conf.arg(help="Folder that is written; by default one in the run's folder.")]


def check_least(least: int, **options: int) -> None:
    """Raises UserError for an option below the least value that makes sense."""
    for name, value in options.items():
        if value < least:
            dashes = "-" if len(name) == 1 else "--"
            raise UserError(f"{dashes}{name.replace('_', '-')} {value} must be at least {least}.")


def find_option(arguments: Sequence[str], name: str) -> str | None:
    """Returns the value of an option before the others are parsed; None where it was not typed."""
    for i, word in enumerate(arguments):
        if word == name and i + 1 < len(arguments):
            return arguments[i + 1]
        if word.startswith(name + "="):
            return word[len(name) + 1 :]
    return None


def parse(kind: Any, arguments: Sequence[str], prog: str, description: str | None, **default: Any) -> Any:
    """Returns an object of a dataclass from arguments; prints help or a mistake and ends the program where there is one."""
    return tyro.cli(kind, args=list(arguments), prog=prog, description=description, **default)


def print_notes(images: Any) -> None:
    """Prints what is worth knowing about images that were read, such as files that were skipped."""
    for note in images.notes:
        print(f"Note: {note}")
