"""TODO docstring of report.sections."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..config import Config
from ..errors import UserError
from ..evaluation.diagnostics import cached_or_diagnose
from ..evaluation.tables import format_value
from ..figures.io import drawn_by
from ..figures.run import draw
from ..models.vae import VAE
from ..presets.registry import PRESETS
from ..runs import Run
from .captions import FIGURES, LATER, SPLIT_ONLY
from .html import Row, escaped

__all__ = ["command"]


class _Entry(NamedTuple):
    """A run with what the page shows of it."""

    run: Run
    evaluation: Mapping[str, Any]  # empty where it could not be measured
    figures: Mapping[str, Path]
    notes: Sequence[str]


def command(config: Config, out: str) -> str:
    """The command line that trains a config: its preset, and the fields in which it differs from it."""
    base = PRESETS.get(config.preset, Config())
    words = ["splitvae", "train", *([config.preset] if config.preset in PRESETS else [])]
    for name, value in _changes(config, base).items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", *map(str, value if isinstance(value, tuple) else [value])]
    return shlex.join([*words, "--out", out])


def _changes(config: Config, base: Config) -> dict[str, Any]:
    """The fields in which two configs differ, as the first has them."""
    ours, theirs = config.options(), base.options()
    return {name: value for name, value in ours.items() if name not in theirs or value != theirs[name]}


def _gather(run: Run) -> _Entry:
    """Collects figures and evaluation of a run; makes those that are missing or of another model."""
    mark, notes = run.vae.fingerprint(), []
    folder = run.path / "figures"
    wanted = [name for name in FIGURES if run.vae.split > 1 or name not in SPLIT_ONLY]
    if any(drawn_by(folder / f"{name}.png") != mark for name in wanted):
        try:
            draw(run)
        except UserError as error:
            notes.append(f"Some figures could not be drawn: {error}")
    evaluation: dict[str, Any] = {}
    try:
        evaluation = cached_or_diagnose(run)
    except UserError as error:
        notes.append(f"Nothing was measured: {error}")
    at = wanted.index("samples") + 1
    names = wanted[:at] + sorted(file.stem for file in folder.glob("samples-*.png")) + wanted[at:] + LATER
    files = {name: folder / (name if name.endswith(".gif") else f"{name}.png") for name in names}
    return _Entry(run, evaluation, {name: file for name, file in files.items() if drawn_by(file) == mark}, notes)


# ---------------------------------------------------------------- tables and words


def _measurements(entries: Sequence[_Entry], rows: Mapping[str, str]) -> list[Row]:
    """A name and a cell for each run."""
    results = [entry.evaluation or _unmeasured(entry.run.vae) for entry in entries]
    return [(what, [format_value(result, where) for result in results]) for what, where in rows.items()]


def _unmeasured(vae: VAE) -> dict[str, Any]:
    """As much of an evaluation as a model says by itself."""
    model = {"parameters": vae.counts(), "latent_dim": vae.latent_dim, "split": vae.split}
    return {"model": model} | ({"split": None} if vae.split == 1 else {})


def _commands(runs: Sequence[Run]) -> str:
    lines = [
        command(run.config, str(run.path))
        if run.config.data.source
        else f"# {run.name} was trained from Python, on an array"
        for run in runs
    ]
    return f'<div class="card"><pre>{escaped(chr(10).join(lines))}</pre></div>'


def _data_notes(measured: Mapping[str, Any]) -> str:
    if not measured:
        return ""
    data = measured["data"]
    notes = [f"Measured on {data['images']:,} of {data['available']:,} images of {data['source']} ({data['part']} part)"]
    notes += [
        *data["notes"],
        f"± is the deviation over {data['blocks']} blocks of the images, in the variance law over latents, and of a "
        "likelihood the error over images",
    ]
    return f'<p class="note" style="margin-top:20px">{escaped("; ".join(notes))}.</p>'


def _value(value: object) -> str:
    """A setting as a person writes it."""
    if isinstance(value, tuple | list):
        return " × ".join(map(str, value))
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)
