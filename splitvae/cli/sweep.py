"""The command that trains a grid of IntroVAEs and shows them on one page."""

import dataclasses
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from ..errors import UserError

__all__ = ["sweep"]


# Heavy imports stand in the commands, so that --help and mistakes answer at once.

GRID = ("alpha", "beta", "margin")


@dataclass
class SweepOptions:
    """The options of the command itself."""

    out: Annotated[str, arg(help="Folder of the cells and of sweep.html.")] = "runs/sweep"


def sweep(arguments: Sequence[str]) -> None:
    """Train IntroVAEs on a grid of weights, and write one page: --alpha, --beta and --margin take several values each.

    `introvae` is the paper's network on your images; presets of IntroVAEs, such as mnist-intro, bring theirs. Finished
    cells are kept, so that the same command goes on; a cell that an alarm stops is shown as it was.
    """
    from ..studies.grid import INTROVAE_BASE, base_config, build_cells
    from ..studies.grid import train_grid as train_all
    from .config_options import parse_config

    rest, values = several(arguments)
    name, rest = (rest[0], rest[1:]) if rest and not rest[0].startswith("-") else ("introvae", rest)
    folder = f"runs/sweep-{name}"
    command = dataclasses.make_dataclass("Sweep", [("out", SweepOptions.__annotations__["out"], folder)])
    base = base_config(name)
    description = (sweep.__doc__ or "").replace("\n    ", "\n")
    config, explicit, options = parse_config(base, rest, command, f"splitvae sweep {name}", description)
    if config.data.source is None:
        raise UserError("say what to train on: your images with --data FOLDER, or a preset such as mnist-intro.")
    if missing := [field for field in GRID if base is INTROVAE_BASE and not values[field]]:
        raise UserError(
            f"introvae has no {missing[0]} of its own; say all three, such as --alpha 0.1 0.25 --beta 8 --margin 60, or "
            "take a preset such as mnist-intro."
        )
    cells = build_cells(*(values[field] or [getattr(base.objective, field)] for field in GRID))

    from ..studies.grid_report import write_sweep_page

    outcomes = train_all(base, cells, Path(options.out), explicit)
    stopped = [outcome.cell.name for outcome in outcomes if outcome.alarm]
    if stopped:
        print(f"{len(stopped)} of {len(cells)} cells were stopped by an alarm: {', '.join(stopped)}.")
    print(
        f"Page: {write_sweep_page(outcomes, Path(options.out) / 'sweep.html', shlex.join(['splitvae', 'sweep', *arguments]))}"
    )


def several(arguments: Sequence[str]) -> tuple[list[str], dict[str, list[float]]]:
    """The words that are not of the grid, and the values of each of its options."""
    rest: list[str] = []
    values: dict[str, list[float]] = {field: [] for field in GRID}
    field = ""  # the option of the grid whose values follow
    for word in arguments:
        option, _, value = word.removeprefix("--").partition("=")
        if word.startswith("--"):
            field = option if option in GRID else ""
        if not field:
            rest.append(word)
            continue
        given = value if word.startswith("--") else word
        try:
            values[field] += [float(given)] if given else []
        except ValueError:
            raise UserError(
                f"--{field} {given} is no number; it takes one or several, such as --{field} 1 2, and the preset comes "
                "before all options."
            ) from None
    if empty := [field for field in GRID if not values[field] and f"--{field}" in arguments]:
        raise UserError(f"--{empty[0]} has no value; it takes one or several, such as --{empty[0]} 1 2.")
    return rest, values
