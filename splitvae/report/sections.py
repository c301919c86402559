"""What pages about one run and about several share: the collected results of a run, and sections that show them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..config import Config
from ..errors import UserError
from ..evaluation.diagnostics import cached_or_diagnose
from ..evaluation.protocols import PROTOCOLS
from ..evaluation.tables import format_value
from ..figures.io import read_fingerprint
from ..figures.run import draw_run
from ..presets.references import find_references
from ..presets.registry import PRESETS
from ..runs import Run
from .captions import FIGURES
from .html import Row, escape, render_table

__all__ = [
    "ReportEntry",
    "changed_fields",
    "collect_entry",
    "describe_protocol",
    "format_setting",
    "measurement_rows",
    "render_data_notes",
    "render_origins",
    "train_command",
]


class ReportEntry(NamedTuple):
    """A run and what a page shows of it.

    run: The run.
    evaluation: The content of evaluation.json, or empty if the run could not be measured.
    figures: The files of the figures by name, in the order of the page.
    notes: What could not be made, and why.
    """

    run: Run
    evaluation: Mapping[str, Any]
    figures: Mapping[str, Path]
    notes: Sequence[str]


def collect_entry(run: Run) -> ReportEntry:
    """Collects the figures and the evaluation of a run. First makes those that are missing or of an earlier model."""
    fingerprint, notes = run.vae.fingerprint(), []
    folder = run.path / "figures"
    captions = {name: caption for name, caption in FIGURES.items() if run.vae.split > 1 or caption.runs != "split"}
    required = [name for name, caption in captions.items() if caption.runs != "some"]
    if any(read_fingerprint(folder / f"{name}.png") != fingerprint for name in required):
        try:
            draw_run(run)
        except UserError as error:
            notes.append(f"Some figures could not be drawn: {error}")
    evaluation: dict[str, Any] = {}
    try:
        evaluation = cached_or_diagnose(run)
    except UserError as error:
        notes.append(f"Nothing was measured: {error}")
    figures = {}
    for name in captions:
        if name == "samples":  # followed by those of all other samplers, also of samplers without a caption
            figures[name] = folder / "samples.png"
            figures |= {file.stem: file for file in sorted(folder.glob("samples-*.png"), key=lambda file: file.stem)}
        elif not name.startswith("samples-"):
            figures[name] = folder / (name if name.endswith(".gif") else f"{name}.png")
    drawn = {name: file for name, file in figures.items() if read_fingerprint(file) == fingerprint}
    return ReportEntry(run, evaluation, drawn, notes)


def train_command(config: Config, out: str) -> str:
    """Returns the command line that trains a config: its preset, and the options in which it differs from the preset."""
    base = PRESETS.get(config.preset, Config())
    words = ["splitvae", "train", *([config.preset] if config.preset in PRESETS else [])]
    for name, value in changed_fields(config, base).items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            words += [f"--{option}", *map(str, value if isinstance(value, tuple) else [value])]
    return shlex.join([*words, "--out", out])


def changed_fields(config: Config, base: Config) -> dict[str, Any]:
    """Returns what to override in `base` so that it becomes `config`, by flat name; choices come before their settings.

    Settings that act only with some choices are changed together with the choices, since a `Config` refuses one without the
    other.
    """
    ours, theirs = config.options(), base.options()
    first = {field.option: field for _, field, _ in config.walk() if field.registry is not None or field.acts is not None}
    absent = {name: None if field.registry is not None else field.default for name, field in first.items()}
    changed = {name: ours[name] for name in first if ours[name] != theirs.get(name, absent[name])}
    begun = base.override(**changed).options()
    return changed | {name: value for name, value in ours.items() if value != begun[name]}


def measurement_rows(entries: Sequence[ReportEntry], rows: Mapping[str, str]) -> list[Row]:
    """Returns table rows with one cell for each run.

    Arguments:
        entries: The runs.
        rows: The heading of each row, and the place of its value in evaluation.json.
    """
    evaluations = []
    for entry in entries:
        vae = entry.run.vae
        model = {"parameters": vae.counts(), "latent_dim": vae.latent_dim, "split": vae.split}
        evaluations.append(entry.evaluation or {"model": model})
    return [(heading, [format_value(evaluation, place) for evaluation in evaluations]) for heading, place in rows.items()]


def describe_protocol(score: Mapping[str, Any]) -> str:
    """Returns the description of the protocol of a score, which may be one that a user made."""
    described = score.get("description")  # not in scores of older versions, which had these protocols alone
    return str(described or PROTOCOLS[score["protocol"]].description)


def render_commands(runs: Sequence[Run]) -> str:
    """Renders the commands that train runs."""
    lines = []
    for run in runs:
        from_memory = f"# {run.name} was trained from Python, on images in memory"
        lines.append(train_command(run.config, str(run.path)) if run.config.data.source else from_memory)
    return f'<div class="card"><pre>{escape(chr(10).join(lines))}</pre></div>'


def render_origins(runs: Sequence[Run]) -> str:
    """Renders where runs come from: the commands, the images' hash, the device and versions, and the papers to cite."""
    names = [run.name for run in runs]
    rows: list[Row] = [
        ("images", [run.config.data.source or "from memory" for run in runs]),
        ("hash of the training images", [run.training_sha256 or "not recorded" for run in runs]),
        ("begun on", [run.machine.get("device", "not recorded") for run in runs]),
        ("with", [run.machine.get("versions", "not recorded") for run in runs]),
    ]
    table = render_table(names if len(runs) > 1 else [], rows)
    references: dict[str, str] = {}
    for run in runs:
        scores = run.evaluation.get("scores", {}).values()
        samplers = [score["sampler"]["name"] for score in scores]
        references |= find_references(run.config, samplers, distances=bool(samplers))
    cited = f'<div class="card wide"><pre>{escape((chr(10) * 2).join(references.values()))}</pre></div>'
    return "\n".join([render_commands(runs), table, "<h2>To cite</h2>", cited])


def render_data_notes(evaluation: Mapping[str, Any]) -> str:
    """Renders a note on which images were measured and what the deviations mean, or nothing without an evaluation."""
    if not evaluation:
        return ""
    data = evaluation["data"]
    notes = [f"Measured on {data['images']:,} of {data['available']:,} images of {data['source']} ({data['part']} part)"]
    notes += [
        *data["notes"],
        f"± is the deviation over {data['blocks']} blocks of the images; for the variance law it is the deviation over "
        "latents, and for a likelihood the standard error over images",
    ]
    return f'<p class="note" style="margin-top:20px">{escape("; ".join(notes))}.</p>'


def format_setting(value: object) -> str:
    """Formats the value of a config's field for people, such as "3 × 64 × 64" or "yes"."""
    if isinstance(value, tuple | list):
        return " × ".join(map(str, value))
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)
