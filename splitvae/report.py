"""A report: one self-contained HTML page about a run, or comparing several.

Pictures are embedded; nothing is fetched and nothing is executed. Figures and evaluation are those of the run's folder
where they are of its present model; the others are made first. What cannot be made, since the images are not at hand,
is said on the page, and the rest stands. The page's looks and captions are in page.py.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from . import probing
from .errors import UserError
from .evaluate import current
from .figures import draw, drawn_by, png
from .files import write_text
from .markup import Row, escaped, figure_html, table_html, versions
from .page import FIGURES, LATER, PAGE, SOMETIMES, SPLIT_ONLY, TERMS, VERDICTS
from .plots import curves
from .presets import PRESETS, Config
from .runs import Run
from .scores import BANKS, PROTOCOLS
from .vae import VAE
from .wording import ROWS, cell, compared, number, provenance, rows_of, score_rows, spread

__all__ = ["command", "write"]


class _Entry(NamedTuple):
    """A run with what the page shows of it."""

    run: Run
    evaluation: Mapping[str, Any]  # empty where it could not be measured
    figures: Mapping[str, Path]
    notes: Sequence[str]


def write(runs: Run | Sequence[Run], path: Path | None = None) -> Path:
    """Writes the report of a run (to report.html in its folder), or a comparison of several (to ./comparison.html).

    Returns its path. Raises UserError where a run has no model.
    """
    runs = [runs] if isinstance(runs, Run) else list(runs)
    if not runs:
        raise UserError("a report needs a run: `splitvae report runs/first`, or several to compare them.")
    entries = [_gather(run) for run in runs]
    body = _single(entries[0]) if len(entries) == 1 else _comparison(entries)
    title = runs[0].name if len(runs) == 1 else f"Comparison of {len(runs)} runs"
    parts = {"title": escaped(title), "body": body, "footer": escaped(versions())}
    if path is None:
        path = runs[0].path / "report.html" if len(runs) == 1 else Path("comparison.html")
    write_text(Path(path), PAGE.substitute(parts))
    return Path(path)


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
    names = [field.name for field in dataclasses.fields(Config) if field.name != "preset"]
    return {name: getattr(config, name) for name in names if getattr(config, name) != getattr(base, name)}


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
        evaluation = current(run)
    except UserError as error:
        notes.append(f"Nothing was measured: {error}")
    at = wanted.index("samples") + 1
    names = wanted[:at] + sorted(file.stem for file in folder.glob("samples-*.png")) + wanted[at:] + LATER
    files = {name: folder / (name if name.endswith(".gif") else f"{name}.png") for name in names}
    return _Entry(run, evaluation, {name: file for name, file in files.items() if drawn_by(file) == mark}, notes)


# ---------------------------------------------------------------- one run


def _single(entry: _Entry) -> str:
    run, measured = entry.run, entry.evaluation
    parts = [f"<h1>{escaped(run.name)}</h1>", f'<p class="lead">{_summary(entry)}</p>']
    parts += [f'<p class="note">{escaped(note)}</p>' for note in entry.notes]
    parts += [_tiles(measured, run), "<h2>Figures</h2>"]
    for name, file in entry.figures.items():
        title, caption = (FIGURES | SOMETIMES).get(name, (f"Samples from {name.removeprefix('samples-')}", ""))
        parts.append(figure_html(file.read_bytes(), title, _caption(caption, run)))
    for heading, rows in rows_of(measured).items():
        parts += [f"<h2>{heading}</h2>", table_html([], _measurements([entry], rows))]
    parts += _scores(measured)
    if known := probing.current(run):
        text = f'<div class="card wide"><pre>{escaped(probing.table(known))}</pre></div>'
        parts += ["<h2>What classifiers read from the codes</h2>", text]
    parts += ["<h2>Settings</h2>", _settings(run), "<h2>Command</h2>", _commands([run]), _data_notes(measured)]
    return "\n".join(parts)


def _scores(measured: Mapping[str, Any]) -> list[str]:
    """The distances from test images, one table a protocol, each with where it comes from."""
    parts = []
    for score in measured.get("scores", {}).values():
        about = f"{PROTOCOLS[score['protocol']]} Distances are better where they are smaller, shares where larger."
        names = [f"{bank}: {BANKS[bank]}" for bank in score["banks"]]
        notes = [note for note in (*score["notes"], score["extractor"]["note"]) if note]
        parts += [
            f"<h2>Distance from test images, protocol {escaped(score['protocol'])}</h2>",
            f"<p>{escaped(about)}</p>",
            table_html(names, score_rows(score)),
            f'<p class="note">{escaped("; ".join([provenance(score), *notes]))}.</p>',
        ]
    return parts


def _summary(entry: _Entry) -> str:
    """What was trained on what, in plain words."""
    run, config, vae = entry.run, entry.run.config, entry.run.vae
    (channels, height, width), k = vae.shape, vae.split
    name, weights = _system(config)
    a = "an" if name[0] == "I" else "a"
    plain = name == "VAE"
    kind = f"{a} {'plain ' * plain}{name}" if k == 1 else f"a Split-{name}" if k == 2 else f"{a} {name} split in {k}"
    paints = "one image" if k == 1 else f"{k} images and the {'map' if k == 2 else 'maps'} that blend{'s' * (k == 2)} them"
    last = run.history[-1] if run.history else {}
    spent = _duration(sum(row["seconds"] for row in run.history))
    trained = f" for {last['epoch']} epoch{'s' * (last['epoch'] != 1)} ({spent})" if last else ""
    text = (
        f"This is {kind}: from {vae.latent_dim} latent variables its decoder paints {paints}, {height}×{width} pixels, "
        f"{'gray' if channels == 1 else 'colour'}. It was trained{trained} on "
        f"<code>{escaped(config.data or 'images from memory')}</code>, with {weights} and seed {config.seed}."
    )
    if not (m := entry.evaluation):
        return text
    used = vae.latent_dim - m["latent"]["inactive_by_mean"]
    text += (
        f" On {m['data']['images']:,} test images its mean squared error is {number(m['reconstruction']['mse']['value'])} "
        f"with {number(m['latent']['kl']['value'])} nats an image; {used} of the {vae.latent_dim} latents are in use"
    )
    verdict = m["split"] and m["split"]["verdict"]
    return text + (f". The split is {verdict}: {VERDICTS[verdict]}." if verdict else ".")


def _system(config: Config) -> tuple[str, str]:
    """What the objective is called, and the weights it has."""
    if config.loss == "soft-intro":
        weights = {"rec": config.beta_rec, "kl": config.beta_kl, "neg": config.beta_neg}
        return "Soft-IntroVAE", ", ".join(f"β<sub>{name}</sub> = {value:g}" for name, value in weights.items())
    if config.loss == "intro" and (config.alpha or config.alpha_decoder):
        own = "" if config.alpha_decoder is None else f" (the decoder's {config.alpha_decoder:g})"
        return "IntroVAE", f"α = {config.alpha:g}{own}, β = {config.beta:g}, a margin of {config.margin:g} nats"
    return "regularized autoencoder" if config.loss == "rae" else "VAE", f"β = {config.beta:g}"


def _tiles(measured: Mapping[str, Any], run: Run) -> str:
    """The headline numbers."""
    tiles = []
    if measured:
        latent, split = measured["latent"], measured["split"]
        mse, kl, dim = measured["reconstruction"]["mse"], latent["kl"], run.vae.latent_dim
        inactive = f"inactive: {latent['inactive_by_mean']} by mean"
        noisy = "variance_law" in latent
        if noisy:
            inactive += f", {latent['inactive_by_variance']} by variance"
        tiles = [
            ("Test MSE", number(mse["value"]), f"{spread(mse)} on {measured['data']['images']:,} images"),
            ("KL" if noisy else "Rate of the code", f"{number(kl['value'])} nats", f"{spread(kl)} an image"),
            ("Latents in use", f"{dim - latent['inactive_by_mean']} of {dim}", inactive),
        ]
        if split:
            share, overlap = (number(split[key]["value"], 2) for key in ("high_frequency_share", "edge_overlap"))
            tiles.append(("The split is", split["verdict"], f"high frequencies {share}, edge overlap {overlap}"))
        else:
            tiles.append(("The split is", "not applicable", "the decoder paints one image"))
    counts = run.vae.counts()
    tiles.append(("Parameters", f"{counts['trainable']:,}", f"{counts['total']:,} with running statistics"))
    cells = [
        f'<div class="tile"><small>{escaped(a)}</small><b>{escaped(b)}</b><small>{escaped(c)}</small></div>'
        for a, b, c in tiles
    ]
    return f'<div class="tiles">{"".join(cells)}</div>'


def _caption(caption: str, run: Run) -> str:
    """A caption with the rows of the components and the meaning of gray filled in."""
    k = run.config.split
    if k == 2:
        rows = (
            "From the top: the map σ, the images x̂₁ and x̂₂, and the blend x̂ = σ x̂₁ + (1 − σ) x̂₂. "
            "Where the map is white the first image shows, where it is black the second."
        )
        gray = "white where the first image shows, black where the second"
    else:
        rows = f"From the top: the {k} maps, which sum to one, the {k} images, and the blend x̂ = Σ σₖ x̂ₖ."
        gray = f"the {k} of a sample side by side, white where a component shows"
    return Template(caption).substitute(rows=rows, gray=gray, terms=TERMS[run.config.loss in ("intro", "soft-intro")])


def _settings(run: Run) -> str:
    """config.json, with fields that differ from the preset marked."""
    base = PRESETS.get(run.config.preset)
    changed = _changes(base, run.config) if base else {}  # as the preset has them
    rows = []
    for name, value in dataclasses.asdict(run.config).items():
        note = f" <small>(preset: {escaped(_value(changed[name]))})</small>" if name in changed else ""
        mark = ' class="differs"' if note else ""
        rows.append(f"<div{mark}><span>{escaped(name)}</span><span>{escaped(_value(value))}{note}</span></div>")
    return f'<div class="card settings">{"".join(rows)}</div>'


# ---------------------------------------------------------------- several runs


def _comparison(entries: Sequence[_Entry]) -> str:
    runs = [entry.run for entry in entries]
    names = _names(runs)
    configs = [dataclasses.asdict(run.config) for run in runs]
    differing = [name for name in configs[0] if any(config[name] != configs[0][name] for config in configs)]
    said = f"They differ in {', '.join(differing)}." if differing else "Their settings are the same."
    parts = [
        f"<h1>Comparison of {len(runs)} runs</h1>",
        f'<p class="lead">{escaped(", ".join(names))}. {escaped(said)}</p>',
    ]
    parts += [
        f'<p class="note">{escaped(f"{name}: {note}")}</p>'
        for name, e in zip(names, entries, strict=True)
        for note in e.notes
    ]
    parts += [
        "<h2>Measurements</h2>",
        table_html(names, [row for rows in ROWS.values() for row in _measurements(entries, rows)]),
    ]
    for protocol, about in PROTOCOLS.items():
        groups = {name: [entry.evaluation] for name, entry in zip(names, entries, strict=True)}
        for table in compared(groups, protocol):
            parts += [f"<h2>Distance from test images, protocol {protocol}</h2>", f"<p>{escaped(about)}</p>"]
            parts.append(table_html(table.headings[1:], [(row[0], row[1:]) for row in table.rows]))
            parts.append(f'<p class="note">{escaped(table.about)}.</p>')
    if any(run.history for run in runs):
        picture = png(curves({name: run.history for name, run in zip(names, runs, strict=True)}))
        caption = "One colour a run. Solid: training; dashed: validation, and βv."
        parts.append(figure_html(picture, "Training", caption))
    for figure, title, style in (("samples", "Samples from the prior", "pair"), ("components", "Components", "")):
        shown = [
            figure_html(e.figures[figure].read_bytes(), n)
            for n, e in zip(names, entries, strict=True)
            if figure in e.figures
        ]
        parts += [f"<h2>{title}</h2>", f'<div class="{style}">{"".join(shown)}</div>'] if shown else []
    settings = [(name, [_value(config[name]) for config in configs]) for name in configs[0]]
    settings.sort(key=lambda row: row[0] not in differing)
    parts += ["<h2>Settings</h2>", table_html(names, settings, differing), "<h2>Commands</h2>", _commands(runs)]
    return "\n".join(parts)


def _names(runs: Sequence[Run]) -> list[str]:
    """The folders' names, or their paths where two names are the same."""
    names = [run.name for run in runs]
    return names if len(set(names)) == len(names) else [str(run.path) for run in runs]


# ---------------------------------------------------------------- tables and words


def _measurements(entries: Sequence[_Entry], rows: Mapping[str, str]) -> list[Row]:
    """A name and a cell for each run."""
    results = [entry.evaluation or _unmeasured(entry.run.vae) for entry in entries]
    return [(what, [cell(result, where) for result in results]) for what, where in rows.items()]


def _unmeasured(vae: VAE) -> dict[str, Any]:
    """As much of an evaluation as a model says by itself."""
    return {"model": {"parameters": vae.counts(), "latent_dim": vae.latent_dim, "split": vae.split}}


def _commands(runs: Sequence[Run]) -> str:
    lines = [
        command(run.config, str(run.path)) if run.config.data else f"# {run.name} was trained from Python, on an array"
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


def _duration(seconds: float) -> str:
    minutes, hours = seconds / 60, seconds / 3600
    return f"{seconds:.0f} s" if minutes < 2 else f"{minutes:.0f} min" if hours < 2 else f"{hours:.1f} h"
