"""The command `sweep`: trains a grid of IntroVAEs and writes one page about them."""

import inspect
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from ..errors import UserError
from ..utils.text import count_noun, shorten_path
from .checks import check_output_folder
from .options import Json, OutputFolder, print_result, show_default

__all__ = ["sweep"]

GRID = ("alpha", "beta", "margin")  # options with several values each

BETA_HELP = "Weights of the reconstruction: the opposite of the beta of a VAE, which weighs the KL."
_GridValues = Annotated[tuple[float, ...], arg(metavar="FLOAT ..."), show_default("that of the preset")]


@dataclass
class SweepOptions:
    """The options of the command itself. Those of the grid stand here for the help alone: `parse_grid` reads them."""

    alpha: Annotated[_GridValues, arg(help="Weights of the hinges.")] = ()
    beta: Annotated[_GridValues, arg(help=BETA_HELP)] = ()
    margin: Annotated[_GridValues, arg(help="Margins of the hinges, in nats.")] = ()
    out: Annotated[OutputFolder, show_default("runs/sweep-PRESET")] = None
    json: Json = False


def sweep(arguments: Sequence[str]) -> None:
    """Train an IntroVAE for each cell of a grid of --alpha, --beta and --margin, and write one page about them.

    The preset is one of an IntroVAE, such as mnist-intro, or introvae, which is the paper's network for your images and
    needs values of all three. Cells that are finished are not trained again, so that the same command continues after an
    interruption. A cell that an alarm stops is part of the page.
    """
    rest, values = parse_grid(arguments)
    from ..studies.grid import INTROVAE_BASE, base_config, build_cells, train_grid
    from .config_options import parse_config

    name, rest = (rest[0], rest[1:]) if rest and not rest[0].startswith("-") else ("introvae", rest)
    base = base_config(name)
    prog = f"splitvae sweep {name}"
    config, explicit_fields, options = parse_config(base, rest, SweepOptions, prog, inspect.getdoc(sweep) or "")
    if config.data.source is None:
        raise UserError("say what to train on: your images with --data FOLDER, or a preset such as mnist-intro.")
    if missing := [field for field in GRID if base is INTROVAE_BASE and not values[field]]:
        raise UserError(
            f"introvae has no {missing[0]} of its own; give all three, such as --alpha 0.1 0.25 --beta 8 --margin 60, or "
            "take a preset such as mnist-intro."
        )
    cells = build_cells(*(values[field] or [getattr(base.objective, field)] for field in GRID))

    out = options.out or Path(f"runs/sweep-{name}")
    check_output_folder(out)

    def train_cells() -> dict[str, Any]:
        from ..studies.grid_report import write_sweep_page
        from ..utils.processes import is_main_process

        outcomes = train_grid(base, cells, out, explicit_fields)
        if not is_main_process():
            return {}
        stopped = [outcome.cell.name for outcome in outcomes if outcome.alarm]
        if stopped:
            which = ", ".join(stopped)
            print(f"An alarm stopped {len(stopped)} of {count_noun(len(cells), 'cell')}: {which}.")
        command = shlex.join(["splitvae", "sweep", *map(shorten_path, arguments)])  # the page is sent to others
        page = write_sweep_page(outcomes, out / "sweep.html", command)
        print(f"Page: {page}")
        return {
            "page": str(page),
            "cells": [
                {
                    "run": str(each.run.path),
                    **each.cell._asdict(),
                    "alarm": each.alarm or None,
                    "evaluation": each.run.evaluation,
                }
                for each in outcomes
            ],
        }

    print_result(options.json, train_cells)


def parse_grid(arguments: Sequence[str]) -> tuple[list[str], dict[str, list[float]]]:
    """Returns the words that do not belong to the grid, and the values of each option of the grid.

    Raises:
        UserError: For a value that is no number, and for an option without a value.
    """
    rest: list[str] = []
    values: dict[str, list[float]] = {option: [] for option in GRID}
    current = ""  # the option of the grid whose values follow
    for word in arguments:
        option, _, value = word.removeprefix("--").partition("=")
        if word.startswith("--"):
            current = option if option in GRID else ""
        if not current:
            rest.append(word)
            continue
        text = value if word.startswith("--") else word
        try:
            values[current] += [float(text)] if text else []
        except ValueError:
            raise UserError(
                f"--{current} {text} is no number; it takes one or several, such as --{current} 1 2, and the preset comes "
                "before all options."
            ) from None
    if empty := [option for option in GRID if not values[option] and f"--{option}" in arguments]:
        raise UserError(f"--{empty[0]} has no value; it takes one or several, such as --{empty[0]} 1 2.")
    return rest, values
