"""The command that trains a grid of IntroVAEs and shows them on one page."""

import dataclasses
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ..errors import UserError

__all__ = ["sweep"]


# Heavy imports stand in the commands, so that --help and mistakes answer at once.

GRID = ("alpha", "beta", "margin")


def sweep(arguments: Sequence[str]) -> None:
    """Train IntroVAEs on a grid of weights, and write one page: --alpha, --beta and --margin take several values each.

    `introvae` is the paper's network on your images; presets of IntroVAEs, such as mnist-intro, bring theirs. Finished
    cells are kept, so that the same command goes on; a cell that an alarm stops is shown as it was.
    """
    from ..config import Config
    from ..studies.grid import INTROVAE_BASE, base_config, build_cells
    from ..studies.grid import train_grid as train_all

    rest, values = several(arguments)
    name, rest = (rest[0], rest[1:]) if rest and not rest[0].startswith("-") else ("introvae", rest)

    @dataclass
    class Sweep:
        config: Annotated[Config, tyro.conf.OmitArgPrefixes]
        out: str = f"runs/sweep-{name}"
        """Folder of the cells and of sweep.html."""

    base = base_config(name)
    about = (sweep.__doc__ or "").replace("\n    ", "\n")
    prog = f"splitvae sweep {name}"
    asked = tyro.cli(Sweep, args=rest, prog=prog, description=about, default=Sweep(base))
    if asked.config.data is None:
        raise UserError("say what to train on: your images with --data FOLDER, or a preset such as mnist-intro.")
    if missing := [field for field in GRID if base is INTROVAE_BASE and not values[field]]:
        raise UserError(
            f"introvae has no {missing[0]} of its own; say all three, such as --alpha 0.1 0.25 --beta 8 --margin 60, or "
            "take a preset such as mnist-intro."
        )
    cells = build_cells(*(values[field] or [getattr(base, field)] for field in GRID))

    from ..studies.grid_report import write_sweep_page

    flags = {word.split("=")[0].replace("_", "-") for word in rest}
    fields = {f.name: f"-{f.name.replace('_', '-')}" for f in dataclasses.fields(Config)}
    typed = {field: getattr(asked.config, field) for field, f in fields.items() if {"-" + f, "--no" + f} & flags}
    outcomes = train_all(base, cells, Path(asked.out), typed)
    stopped = [outcome.cell.name for outcome in outcomes if outcome.alarm]
    if stopped:
        print(f"{len(stopped)} of {len(cells)} cells were stopped by an alarm: {', '.join(stopped)}.")
    command = shlex.join(["splitvae", "sweep", *arguments])
    print(f"Page: {write_sweep_page(outcomes, Path(asked.out) / 'sweep.html', command)}")


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
