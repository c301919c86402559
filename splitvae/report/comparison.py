"""TODO docstring of report.comparison."""

from __future__ import annotations

from collections.abc import Sequence

from ..evaluation.fitted_samplers import PROTOCOLS
from ..evaluation.tables import comparison_tables, table_rows
from ..figures.io import png
from ..figures.training_curves import curves
from ..runs import Run
from .html import escaped, figure_html, table_html
from .sections import _commands, _Entry, _measurements, _value

# ---------------------------------------------------------------- several runs


def _comparison(entries: Sequence[_Entry]) -> str:
    runs = [entry.run for entry in entries]
    names = _names(runs)
    configs = [{**run.config.options(), "preset": run.config.preset} for run in runs]
    names_of_settings = dict.fromkeys(name for config in configs for name in config)
    differing = [name for name in names_of_settings if any(c.get(name) != configs[0].get(name) for c in configs)]
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
        table_html(names, [row for rows in table_rows().values() for row in _measurements(entries, rows)]),
    ]
    for protocol, about in PROTOCOLS.items():
        groups = {name: [entry.evaluation] for name, entry in zip(names, entries, strict=True)}
        for table in comparison_tables(groups, protocol):
            parts += [f"<h2>Distance from test images, protocol {protocol}</h2>", f"<p>{escaped(about)}</p>"]
            parts.append(table_html(table.headings[1:], [(row[0], row[1:]) for row in table.rows]))
            parts.append(f'<p class="note">{escaped(table.description)}.</p>')
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
