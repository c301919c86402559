"""The commands, and the function `main` that runs one of them; `splitvae COMMAND --help` explains each."""

import inspect
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from ..errors import UserError, messages_for_shell, nearest
from ..utils.processes import find_launcher, print_error
from .categories import Categories
from .completion import Completion
from .data import data
from .doctor import Doctor
from .encode import Encode
from .evaluate import Evaluate
from .explore import Explore
from .export import Export
from .figures import Figures
from .import_keras import ImportKeras
from .import_ml_vae import ImportMLVAE
from .interpolate import Interpolate
from .list import List
from .means import Means
from .options import in_columns, parse, run_command
from .probe import Probe
from .push import Push
from .reconstruct import Reconstruct
from .report import Report
from .reproduce import Reproduce
from .sample import Sample
from .sweep import sweep
from .train import train
from .traverse import Traverse

__all__ = ["COMMANDS", "EXIT_CODES", "main"]


# A dataclass of options that is called, or, where the options depend on a preset, a function of the arguments.
COMMANDS: dict[str, Any] = {
    "train": train,
    "evaluate": Evaluate,
    "sample": Sample,
    "encode": Encode,
    "reconstruct": Reconstruct,
    "interpolate": Interpolate,
    "traverse": Traverse,
    "figures": Figures,
    "probe": Probe,
    "report": Report,
    "push": Push,
    "explore": Explore,
    "export": Export,
    "reproduce": Reproduce,
    "sweep": sweep,
    "categories": Categories,
    "means": Means,
    "data": data,
    "import-keras": ImportKeras,
    "import-ml-vae": ImportMLVAE,
    "list": List,
    "doctor": Doctor,
    "completion": Completion,
}

Completion.commands.update(COMMANDS)

EXIT_CODES = {
    0: "The command is done.",
    1: "Another process of the training has ended, or splitvae itself failed, with a traceback.",
    2: "A mistake that you can mend, such as an unknown option, or a training that an alarm stopped.",
    130: "Ctrl-C; a training has written its checkpoint, and --resume continues it.",
    141: "The program that reads the output, such as head, closed it.",
}


@messages_for_shell()
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit status, as `EXIT_CODES` explains it.

    Arguments:
        arguments: The words after `splitvae`; None takes those of the shell.
    """
    try:
        dispatch(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except UserError as error:
        print_error(str(error), error.raised_by_all)
        return error.status
    except BrokenPipeError:  # the reader of the output, such as `head`, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would complain once more at its end
        return 141
    except OSError as error:
        print_error(f"{error.filename or 'a file'} cannot be read or written: {error.strerror}.")
        return 2
    except KeyboardInterrupt:
        print_error("stopped.", raised_by_all=True)
        return 130
    return 0


def dispatch(arguments: Sequence[str]) -> None:
    """Runs the command that the arguments name, or prints the list of commands."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(describe_commands())
        return
    if arguments[0] in ("-V", "--version", "version"):
        print(f"splitvae {version('splitvae')}")
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
        run_command(parse(command, rest, f"splitvae {name}", inspect.getdoc(command) or ""))
    else:
        command(rest)


def describe_commands() -> str:
    """Returns the help of `splitvae` itself: each command with the first line of its description, and the exit codes."""
    lines = ["usage: splitvae COMMAND [ARGUMENTS]", "(splitvae COMMAND --help explains one)", ""]
    lines += in_columns({name: (inspect.getdoc(command) or "").splitlines()[0] for name, command in COMMANDS.items()})
    lines += ["", "  --version    Print the version.", "", "Begin with: splitvae train digits-svae"]
    lines += ["or:         splitvae train --data MY_PHOTOS", "", "Exit codes:"]
    return "\n".join([*lines, *in_columns({str(code): text for code, text in EXIT_CODES.items()})])
