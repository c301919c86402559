"""The content of a page that compares several runs."""

from __future__ import annotations

from collections.abc import Sequence

from ..evaluation.tables import better_value, comparison_tables, table_rows
from ..figures.io import encode_png
from ..figures.training_curves import plot_training_curves
from ..runs import Run
from .best import find_best
from .html import escape, render_figure, render_table
from .sections import ReportEntry, describe_protocol, format_setting, measurement_rows, render_origins

__all__ = ["render_comparison"]

MOST_NAMED_SETTINGS = 12  # that the first paragraph names
OTHER_IMAGES_NOTE = "The runs were measured on different images, so that their numbers cannot be compared and none is best."
BEST_NOTE = "Bold is best. Numbers that are closer than their deviations are not told apart by this measurement."


def render_comparison(entries: Sequence[ReportEntry]) -> str:
    """Renders the comparison of several runs: measurements, distances, figures, and settings.

    Settings in which the runs differ come first and are marked.
    """
    runs = [entry.run for entry in entries]
    names = _unique_names(runs)
    configs = [{"preset": run.config.preset, **run.config.options()} for run in runs]
    options = dict.fromkeys(name for config in configs for name in config)
    differing = [name for name in options if any(config.get(name) != configs[0].get(name) for config in configs)]
    difference = f"They differ in {', '.join(differing)}." if differing else "Their settings are the same."
    if len(differing) > MOST_NAMED_SETTINGS:
        difference = f"They differ in {len(differing)} settings, which are the first in the table of settings."
    parts = [
        f"<h1>Comparison of {len(runs)} runs</h1>",
        f'<p class="lead">{escape(", ".join(names))}. {escape(difference)}</p>',
    ]
    for name, entry in zip(names, entries, strict=True):
        parts += [f'<p class="note">{escape(f"{name}: {note}")}</p>' for note in entry.notes]
    sections = table_rows([entry.evaluation for entry in entries])
    places = {title: place for section in sections.values() for title, place in section.items()}
    rows = measurement_rows(entries, places)
    best = [find_best(cells, better_value(place)) for (_, cells), place in zip(rows, places.values(), strict=True)]
    has_same_images = len({entry.evaluation["data"]["sha256"] for entry in entries if "data" in entry.evaluation}) <= 1
    note = BEST_NOTE if has_same_images else OTHER_IMAGES_NOTE
    table = render_table(names, rows, best=best if has_same_images else ())
    parts += ["<h2>Measurements</h2>", f'<p class="note">{note}</p>', table]
    parts += _render_distances(names, entries)
    if any(run.history for run in runs):
        curves = plot_training_curves({name: run.history for name, run in zip(names, runs, strict=True)})
        caption = "Each run has a colour. Solid: training; dashed: validation, and βv."
        parts.append(render_figure(encode_png(curves), "Training", caption))
    for figure, title, style in (("samples", "Samples from the prior", "pair"), ("components", "Components", "")):
        pictures = [
            render_figure(entry.figures[figure].read_bytes(), name)
            for name, entry in zip(names, entries, strict=True)
            if figure in entry.figures
        ]
        parts += [f"<h2>{title}</h2>", f'<div class="{style}">{"".join(pictures)}</div>'] if pictures else []
    settings = [(name, [format_setting(config.get(name)) for config in configs]) for name in options]
    settings.sort(key=lambda row: row[0] not in differing)
    parts += ["<h2>Settings</h2>", render_table(names, settings, differing), "<h2>Origin</h2>", render_origins(runs)]
    return "\n".join(parts)


def _render_distances(names: Sequence[str], entries: Sequence[ReportEntry]) -> list[str]:
    """Renders the tables of distances from test images, which only compare runs with the same images and features."""
    parts = []
    groups = {name: [entry.evaluation] for name, entry in zip(names, entries, strict=True)}
    scores = [score for entry in entries for score in entry.evaluation.get("scores", {}).values()]
    for name, description in {score["protocol"]: describe_protocol(score) for score in scores}.items():
        parts.append(f"<h2>Distance from test images, protocol {escape(name)}</h2><p>{escape(description)}</p>")
        for table in comparison_tables(groups, name):
            columns = [table.headings.index(heading) for heading in table.compared]
            best = [find_best([row[j] for row in table.rows], table.best) for j in columns]
            bold = [{j - 1 for j, chosen in zip(columns, best, strict=True) if i in chosen} for i in range(len(table.rows))]
            parts += [
                render_table(table.headings[1:], [(row[0], row[1:]) for row in table.rows], best=bold),
                f'<p class="note">{escape(table.description)}.</p>',
            ]
    return parts


def _unique_names(runs: Sequence[Run]) -> list[str]:
    """Returns the names of the runs' folders, or their paths if two names are the same."""
    names = [run.name for run in runs]
    return names if len(set(names)) == len(names) else [str(run.path) for run in runs]
