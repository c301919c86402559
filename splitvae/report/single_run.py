"""A report: one self-contained HTML page about a run, or comparing several.

Pictures are embedded; nothing is fetched and nothing is executed. Figures and evaluation are those of the run's folder
where they are of its present model; the others are made first. What cannot be made, since the images are not at hand,
is said on the page, and the rest stands. The page's looks and captions are in page.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from string import Template
from typing import Any

from ..config import Config
from ..evaluation.diagnostics import measured_values
from ..evaluation.fitted_samplers import PROTOCOLS
from ..evaluation.scores import BANKS
from ..evaluation.tables import describe_score, score_rows, table_rows
from ..presets.registry import PRESETS
from ..probes.measure import read_cached_probes
from ..probes.tables import probe_table
from ..runs import Run
from ..utils.text import number, spread
from .captions import FIGURES, SOMETIMES, TERMS, VERDICTS
from .html import escaped, figure_html, table_html
from .sections import _changes, _commands, _data_notes, _Entry, _measurements, _value

# Metrics in the lead and the tiles, which are left out where only some metrics were measured.
HEADLINE_METRICS = {
    *("mse", "kl", "inactive_by_mean", "inactive_by_variance", "variance_law"),
    *("verdict", "high_frequency_share", "edge_overlap"),
}


# ---------------------------------------------------------------- one run


def _single(entry: _Entry) -> str:
    run, measured = entry.run, entry.evaluation
    headline = measured if measured_values(measured).keys() >= HEADLINE_METRICS else {}
    parts = [f"<h1>{escaped(run.name)}</h1>", f'<p class="lead">{_summary(entry._replace(evaluation=headline))}</p>']
    parts += [f'<p class="note">{escaped(note)}</p>' for note in entry.notes]
    parts += [_tiles(headline, run), "<h2>Figures</h2>"]
    for name, file in entry.figures.items():
        title, caption = (FIGURES | SOMETIMES).get(name, (f"Samples from {name.removeprefix('samples-')}", ""))
        parts.append(figure_html(file.read_bytes(), title, _caption(caption, run)))
    for heading, rows in table_rows(measured).items():
        parts += [f"<h2>{heading}</h2>", table_html([], _measurements([entry], rows))]
    parts += _scores(measured)
    if known := read_cached_probes(run):
        text = f'<div class="card wide"><pre>{escaped(probe_table(known))}</pre></div>'
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
            f'<p class="note">{escaped("; ".join([describe_score(score), *notes]))}.</p>',
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
    verdict = m["split"] and m["split"].get("verdict")
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
        if split and "verdict" in split:
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


def _duration(seconds: float) -> str:
    minutes, hours = seconds / 60, seconds / 3600
    return f"{seconds:.0f} s" if minutes < 2 else f"{minutes:.0f} min" if hours < 2 else f"{hours:.1f} h"
