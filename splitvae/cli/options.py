"""What several commands share: the definitions of their common options, checks of values, the parser, and JSON."""

import dataclasses
import io
import itertools
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tyro.conf import FlagCreatePairsOff, Positional, arg

from ..errors import UserError
from ..utils.files import to_json

__all__ = [
    "PARTS",
    "SAMPLER_NAMES",
    "Components",
    "Count",
    "Features",
    "ImageSource",
    "ImageSources",
    "InceptionWeights",
    "Json",
    "OtherImages",
    "OutputFile",
    "OutputFolder",
    "Part",
    "ProbeIterations",
    "Resize",
    "RunFolder",
    "RunFolders",
    "SamplerName",
    "Seed",
    "check_least",
    "check_not_empty",
    "find_option",
    "in_columns",
    "option_of",
    "parse",
    "print_notes",
    "print_result",
    "run_command",
    "show_default",
    "wants_colour",
]


def show_default(text: str) -> Any:
    """Returns an annotation that changes the default in an option's help: `Annotated[Seed, show_default("the run's")]`."""
    return arg(help_behavior_hint=f"(default: {text})")


RunFolder = Positional[Annotated[Path, arg(metavar="RUN", help="Folder of the run.")]]
RunFolders = Positional[
    Annotated[tuple[Path, ...], arg(metavar="RUN ...", help="Folders of runs.", help_behavior_hint="(required)")]
]

_IMAGES = "Images: a name, a folder, a file, or hf://org/name[/config][:split]."
ImageSource = Annotated[str, arg(metavar="SOURCE", help=_IMAGES)]
ImageSources = Positional[
    Annotated[tuple[str, ...], arg(metavar="SOURCE ...", help=_IMAGES, help_behavior_hint="(required)")]
]
OtherImages = Annotated[str | None, arg(metavar="SOURCE", help=_IMAGES), show_default("those of the run")]
PARTS = ("train", "test", "validation", "all")
Part = Annotated[
    str,
    arg(metavar="PART", help=f"Part of the images: {', '.join(PARTS[:-1])} or {PARTS[-1]}."),
    show_default("test; all of a --data without parts"),
]
Json = Annotated[
    bool,
    FlagCreatePairsOff,
    arg(help="Print the numbers as JSON, and everything else to the error output."),
]
Count = Annotated[int, arg(aliases=["-n"])]  # each command says of what
Seed = Annotated[int, arg(help="Seed of everything that is drawn at random.")]
OutputFile = Annotated[Path | None, arg(metavar="FILE", help="File to write.")]
OutputFolder = Annotated[Path | None, arg(metavar="FOLDER", help="Folder to write to.")]
Features = Annotated[
    str,
    arg(
        metavar="NAME",
        help="Features in which images are compared: inception, inception-keras, the shipped mnist, cifar10 and celeba, "
        "classifier, rotation, or a TorchScript file; auto is the shipped one of the data set, else a classifier where "
        "there are labels, and rotation elsewhere.",
    ),
]
InceptionWeights = Annotated[
    Path | None,
    arg(metavar="FILE", help="File with the weights of inception or inception-keras."),
    show_default("downloaded once"),
]
Resize = Annotated[
    Literal["tf1", "pytorch-fid", "clean"] | None,
    arg(help="How --features inception resizes images, as the published tool whose distances are to be compared does."),
    show_default("tf1"),
]
# The names of SAMPLERS, without its import.
SAMPLER_NAMES = ("prior", "gmm", "second-stage", "second-stage-noiseless", "flow", "conditional-flow")
SamplerName = Annotated[
    str,
    arg(
        metavar="NAME",
        help="Density from which latents are drawn: the prior, or one that is fitted to codes, which is "
        f"{', '.join(SAMPLER_NAMES[1:-1])} or {SAMPLER_NAMES[-1]}.",
    ),
]
Components = Annotated[
    int,
    arg(help="Number of components of --sampler gmm."),
    show_default("0, which chooses it by the likelihood of held-out codes"),
]
ProbeIterations = Annotated[int, arg(help="Number of training steps of each probe.")]


def option_of(name: str) -> str:
    """Returns the option of a field as it is typed: "--split-decoder", or "-n"."""
    return f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}"


def check_least(least: int, why: str = "", **options: int) -> None:
    """Raises UserError for an option below its least value.

    Arguments:
        least: The least value.
        why: What is wrong with a smaller value, such as "leaves nothing to compare".
        options: The values by the names of the options.
    """
    for name, value in options.items():
        if value < least:
            raise UserError(f"{option_of(name)} {value} {why + '; it ' if why else ''}must be at least {least}.")


def check_not_empty(values: Sequence[Any], noun: str, example: str) -> None:
    """Raises UserError where a command is given nothing to work on; the message shows an example of a command."""
    if not values:
        raise UserError(f"say of which {noun}, such as `{example}`.")


def find_option(arguments: Sequence[str], option: str) -> str | None:
    """Returns the last value of an option, before all options are parsed; None where it has no value.

    Arguments:
        arguments: The words of the command line.
        option: The option as it is typed, such as "--net".
    """
    value = None
    for word, following in itertools.pairwise([*arguments, "-"]):
        if word == option and not following.startswith("-"):
            value = following
        elif word.startswith(option + "="):
            value = word.removeprefix(option + "=")
    return value


def parse(kind: type, arguments: Sequence[str], prog: str, description: str, **settings: Any) -> Any:
    """Returns an object of a dataclass whose fields are options; prints the help, or a mistake, and ends the program.

    Arguments:
        kind: The dataclass.
        arguments: The words that are parsed.
        prog: The command as it is typed, for the help.
        description: The text at the head of the help.
        settings: Further arguments of `tyro.cli`.
    """
    if any(word.partition("=")[0] == "--split" for word in arguments) and "part" in _names_of_fields(kind):
        raise UserError(
            f"--split is --part in `{prog}`: type --part test; --split is the number of components in training."
        )
    paragraphs = description.split("\n\n")
    # Indented, since the parser joins lines that begin with a letter into one long line.
    wrap = textwrap.TextWrapper(shutil.get_terminal_size().columns, initial_indent="  ", subsequent_indent="  ")
    text = "\n".join(wrap.fill(paragraph) for paragraph in paragraphs)
    with _colour_where_it_is_wanted():
        return tyro.cli(kind, args=list(arguments), prog=prog, description=text, **settings)


def _names_of_fields(kind: type) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def wants_colour() -> bool:
    """Returns whether the output may have colours: on terminals, unless NO_COLOR is set (https://no-color.org)."""
    are_terminals = sys.stdout.isatty() and sys.stderr.isatty()
    return are_terminals and not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in (None, "dumb")


@contextmanager
def _colour_where_it_is_wanted() -> Iterator[None]:
    """Hides the terminal's abilities from the parser for the block, which knows no NO_COLOR, where no colour is wanted."""
    before = os.environ.get("TERM")
    try:
        if not wants_colour():
            os.environ["TERM"] = "dumb"
        yield
    finally:
        os.environ.pop("TERM", None)
        if before is not None:
            os.environ["TERM"] = before


def in_columns(texts: Mapping[str, str]) -> list[str]:
    """Returns the lines of names and of what they are, as wide as the terminal."""
    width = max(40, shutil.get_terminal_size().columns)
    lines: list[str] = []
    for name, text in texts.items():
        lines += textwrap.wrap(text, width, initial_indent=f"  {name:<13} ", subsequent_indent=" " * 16)
    return lines


def run_command(command: Any) -> None:
    """Calls a parsed command; with its option --json, what it returns is printed as JSON, and nothing else.

    Arguments:
        command: The object of options, whose call returns a value of JSON where it has the option. What it prints is not
            printed as well if it `is_a_table`.
    """
    print_result(getattr(command, "json", False), command, only_json=getattr(command, "is_a_table", False))


def print_result(as_json: bool, work: Callable[[], Any], *, only_json: bool = False) -> None:
    """Calls a function; where `as_json`, prints what it returns as JSON.

    Arguments:
        as_json: Whether JSON is printed.
        work: The function.
        only_json: Whether what the function prints is left out; else it goes to the error output.
    """
    if not as_json:
        work()
        return
    with redirect_stdout(io.StringIO() if only_json else sys.stderr):
        result = work()
    print(to_json(result, indent=2, default=str))


def print_notes(images: Any) -> None:
    """Prints the notes on images that were read, such as the names of files that were skipped."""
    for note in images.notes:
        print(f"Note: {note}")
