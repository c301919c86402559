"""The command line: `splitvae COMMAND --help` explains each."""

import sys
from collections.abc import Sequence
from typing import Any

from ..errors import UserError, nearest
from .categories import Categories
from .encode import Encode
from .evaluate import Evaluate
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

__all__ = ["main"]


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
