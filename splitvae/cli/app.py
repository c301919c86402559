"""The commands, and the function `main` that runs one of them; `splitvae COMMAND --help` explains each."""

import inspect
import sys
from collections.abc import Sequence
from typing import Any

from ..errors import UserError, nearest
from ..utils.processes import find_launcher, print_error
from .categories import Categories
from .data import data
from .encode import Encode
from .evaluate import Evaluate
from .explore import Explore
from .export import Export
from .figures import Figures
from .list import List
from .means import Means
from .options import parse
from .probe import Probe
from .reconstruct import Reconstruct
from .report import Report
from .reproduce import Reproduce
from .sample import Sample
from .sweep import sweep
from .train import train

__all__ = ["COMMANDS", "main"]


# A dataclass of options that is called, or, where the options depend on a preset, a function of the arguments.
COMMANDS: dict[str, Any] = {
    "train": train,
    "evaluate": Evaluate,
    "sample": Sample,
    "encode": Encode,
    "reconstruct": Reconstruct,
    "figures": Figures,
    "probe": Probe,
    "report": Report,
    "explore": Explore,
    "export": Export,
    "reproduce": Reproduce,
    "sweep": sweep,
    "categories": Categories,
    "means": Means,
    "data": data,
    "list": List,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit status: 0, 2 for a mistake, or 130 for Ctrl-C.

    Arguments:
        arguments: The words after `splitvae`; None takes those of the shell.
    """
    try:
        run_command(sys.argv[1:] if arguments is None else arguments)
    except UserError as error:
        print_error(str(error), error.raised_by_all)
        return error.status
    except OSError as error:
        print_error(f"{error.filename or 'a file'} cannot be read or written: {error.strerror}.")
        return 2
    except KeyboardInterrupt:
        print_error("stopped.", raised_by_all=True)
        return 130
    return 0


def run_command(arguments: Sequence[str]) -> None:
    """Runs the command that the arguments name, or prints the list of commands."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(describe_commands())
        return
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        raise UserError(f"no command is called {name!r}; {nearest(name, COMMANDS)} `splitvae --help` shows them all.")
    launcher = find_launcher()
    if launcher is not None and launcher.name != "splitvae" and launcher.devices * launcher.nodes > 1 and name != "train":
        raise UserError(
            f"{launcher}, and only `splitvae train` works in several; type `splitvae {name}` without {launcher.name}."
        )
    command = COMMANDS[name]
    if isinstance(command, type):
        parse(command, rest, f"splitvae {name}", inspect.getdoc(command) or "")()
    else:
        command(rest)


def describe_commands() -> str:
    """Returns the help of `splitvae` itself: each command with the first line of its description."""
    lines = ["usage: splitvae COMMAND [ARGUMENTS]   (splitvae COMMAND --help explains one)", ""]
    lines += [f"  {name:<12} {(inspect.getdoc(command) or '').splitlines()[0]}" for name, command in COMMANDS.items()]
    return "\n".join([*lines, "", "Begin with: splitvae train digits-svae", "or:         splitvae train --data MY_PHOTOS"])
