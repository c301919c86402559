"""The content of a page about one run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Template
from typing import Any

from ..evaluation.cautions import find_cautions, trained_too_briefly
from ..evaluation.diagnostics import measured_values
from ..evaluation.scores import BANKS
from ..evaluation.tables import describe_score, score_rows, table_rows
from ..objectives.introspective import Introspective
from ..presets.registry import PRESETS
from ..probes.measure import read_cached_probes
from ..probes.tables import probe_table
from ..runs import Run
from ..utils.text import count_noun, format_deviation, format_duration, format_number
from .captions import CURVE_NOTES, FIGURES, SPLIT_DESCRIPTIONS, FigureCaption
from .html import escape, render_figure, render_table
from .sections import (
    ReportEntry,
    changed_fields,
    describe_protocol,
    format_setting,
    measurement_rows,
    render_data_notes,
    render_origins,
)

__all__ = ["render_run"]

# The metrics in the lead and in the tiles, which are left out where only some metrics were measured.
HEADLINE_METRICS = {
    *("mse", "kl", "inactive_by_mean", "inactive_by_variance", "variance_law"),
    *("verdict", "high_frequency_share", "edge_overlap"),
}


def render_run(entry: ReportEntry) -> str:
    """Renders the report of one run: a summary, headline numbers, figures, tables, settings, and the command."""
    run, evaluation = entry.run, entry.evaluation
    headline = evaluation if measured_values(evaluation).keys() >= HEADLINE_METRICS else {}
    lead = _summarise(entry._replace(evaluation=headline))
    parts = [f"<h1>{escape(run.name)}</h1>", f'<p class="lead">{lead}</p>']
    parts += [f'<p class="note">{escape(note)}</p>' for note in entry.notes]
    parts += [f'<p class="note"><b>Caution.</b> {escape(caution)}</p>' for caution in find_cautions(evaluation)]
    parts += [_render_headline_numbers(headline, run), "<h2>Figures</h2>"]
    for name, file in entry.figures.items():
        caption = FIGURES.get(name, FigureCaption(f"Samples from {name.removeprefix('samples-')}", ""))
        parts.append(render_figure(file.read_bytes(), caption.title, _complete_caption(caption.text, run)))
    for heading, rows in table_rows([evaluation]).items():
        parts += [f"<h2>{heading}</h2>", render_table([], measurement_rows([entry], rows))]
    parts += _render_scores(evaluation)
    if probes := read_cached_probes(run):
        text = f'<div class="card wide"><pre>{escape(probe_table(probes))}</pre></div>'
        parts += ["<h2>What classifiers can read from the codes</h2>", text]
    parts += ["<h2>Settings</h2>", _render_settings(run), "<h2>Origin</h2>", render_origins([run])]
    parts.append(render_data_notes(evaluation))
    return "\n".join(parts)


def _render_scores(evaluation: Mapping[str, Any]) -> list[str]:
    """Renders the distances from test images, one table for each protocol, with its images, features and sampler below."""
    parts = []
    for score in evaluation.get("scores", {}).values():
        description = f"{describe_protocol(score)} Smaller distances are better, and larger shares."
        headings = [f"{bank}: {BANKS[bank]}" for bank in score["banks"]]
        notes = [note for note in (*score["notes"], score["extractor"]["note"]) if note]
        parts += [
            f"<h2>Distance from test images, protocol {escape(score['protocol'])}</h2>",
            f"<p>{escape(description)}</p>",
            render_table(headings, score_rows(score)),
            f'<p class="note">{escape("; ".join([describe_score(score), *notes]))}.</p>',
        ]
    return parts


def _summarise(entry: ReportEntry) -> str:
    """Describes in two or three sentences which model was trained on which images, and how well it does."""
    run, config, vae = entry.run, entry.run.config, entry.run.vae
    (channels, height, width), k = vae.shape, vae.split
    name, weights = config.objective.describe()
    weights = re.sub(r"_(\w+)", r"<sub>\1</sub>", weights)
    article = "an" if name[0] == "I" else "a"
    plain = "plain " if name == "VAE" else ""
    if k == 1:
        model, images = f"{article} {plain}{name}", "one image"
    elif k == 2:
        model, images = f"a Split-{name}", "2 images and the map that blends them"
    else:
        model, images = f"{article} {name} split in {k}", f"{k} images and the maps that blend them"
    trained = ""
    if run.history:
        epochs, duration = run.history[-1]["epoch"], format_duration(sum(row["seconds"] for row in run.history))
        trained = f" for {count_noun(epochs, 'epoch')} ({duration})"
    text = (
        f"This is {model}: from {vae.latent_dim} latent variables its decoder computes {images}, {height}×{width} pixels, "
        f"{'gray' if channels == 1 else 'colour'}. It was trained{trained} on "
        f"<code>{escape(config.data.source or 'images from memory')}</code>, with {weights} "
        f"and seed {config.training.seed}."
    )
    if not entry.evaluation:
        return text
    data, latent, split = (entry.evaluation[key] for key in ("data", "latent", "split"))
    mse = entry.evaluation["reconstruction"]["mse"]["value"]
    text += (
        f" On {count_noun(data['images'], 'test image')} its mean squared error is {format_number(mse)} "
        f"with {format_number(latent['kl']['value'])} nats an image"
    )
    if trained_too_briefly(entry.evaluation):
        return f"{text}."
    text += f"; {vae.latent_dim - latent['inactive_by_mean']} of the {vae.latent_dim} latents are in use"
    split_type = split and split.get("verdict")
    return text + (f". The split is {split_type}: {SPLIT_DESCRIPTIONS[split_type]}." if split_type else ".")


def _render_headline_numbers(evaluation: Mapping[str, Any], run: Run) -> str:
    """Renders the most important numbers as tiles, each with a name above and a note below."""
    tiles = []
    if evaluation:
        latent, split = evaluation["latent"], evaluation["split"]
        mse, kl, dim = evaluation["reconstruction"]["mse"], latent["kl"], run.vae.latent_dim
        inactive = f"inactive: {latent['inactive_by_mean']} by mean"
        noisy = "variance_law" in latent
        if noisy:
            inactive += f", {latent['inactive_by_variance']} by variance"
        tiles = [
            (
                "Test MSE",
                format_number(mse["value"]),
                f"{format_deviation(mse)} on {count_noun(evaluation['data']['images'], 'image')}",
            ),
            (
                "KL" if noisy else "Rate of the code",
                f"{format_number(kl['value'])} nats",
                f"{format_deviation(kl)} an image",
            ),
            ("Latents in use", f"{dim - latent['inactive_by_mean']} of {dim}", inactive),
        ]
        early = trained_too_briefly(evaluation)
        if early:
            tiles[-1] = ("Latents in use", "too early", inactive)
        if split and "verdict" in split:
            share, overlap = (format_number(split[key]["value"], 2) for key in ("high_frequency_share", "edge_overlap"))
            verdict = "too early" if early else split["verdict"]
            tiles.append(("The split is", verdict, f"high frequencies {share}, edge overlap {overlap}"))
        else:
            tiles.append(("The split is", "not applicable", "the decoder computes one image"))
    counts = run.vae.counts()
    tiles.append(("Parameters", f"{counts['trainable']:,}", f"{counts['total']:,} with running statistics"))
    cells = [
        f'<div class="tile"><small>{escape(name)}</small><b>{escape(value)}</b><small>{escape(note)}</small></div>'
        for name, value, note in tiles
    ]
    return f'<div class="tiles">{"".join(cells)}</div>'


def _complete_caption(text: str, run: Run) -> str:
    """Replaces $rows, $gray and $terms in a caption by what holds for the run's split and objective."""
    k = run.config.model.split
    if k == 2:
        rows = (
            "From the top: the map σ, the images x̂₁ and x̂₂, and the blend x̂ = σ x̂₁ + (1 − σ) x̂₂. "
            "Where the map is white, the blend shows the first image; where it is black, the second."
        )
        gray = "white where the first image is shown, black where the second is"
    else:
        rows = f"From the top: the {k} maps, which sum to one, the {k} images, and the blend x̂ = Σ σₖ x̂ₖ."
        gray = f"the {k} of a sample side by side, white where a component is shown"
    terms = CURVE_NOTES[isinstance(run.config.objective, Introspective)]
    return Template(text).substitute(rows=rows, gray=gray, terms=terms)


def _render_settings(run: Run) -> str:
    """Renders config.json. Fields that differ from the preset are marked, with the preset's value beside them."""
    preset = PRESETS.get(run.config.preset)
    changed = changed_fields(preset, run.config) if preset else {}  # with the preset's values
    rows = []
    for name, value in {"preset": run.config.preset, **run.config.options()}.items():
        note = f" <small>(preset: {escape(format_setting(changed[name]))})</small>" if name in changed else ""
        style = ' class="differs"' if note else ""
        rows.append(f"<div{style}><span>{escape(name)}</span><span>{escape(format_setting(value))}{note}</span></div>")
    return f'<div class="card settings">{"".join(rows)}</div>'
