"""The page of a sweep: samples, reconstructions, KLs and numbers of every cell, in one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..data.images import batches
from ..evaluation.diagnostics import cached_or_diagnose
from ..evaluation.tables import format_value as format_value
from ..figures.io import encode_png
from ..figures.samples import draw_reconstructions, draw_sheet
from ..figures.training_curves import plot_kls
from ..report.html import embed_picture, escape, render_table
from ..report.page import render_page
from ..utils.files import write_text
from ..utils.text import format_number
from .grid import Cell, Outcome

__all__ = ["write_sweep_page"]

IMAGES_PER_ROW = 6
SAMPLES_PER_CELL, RECONSTRUCTIONS_PER_CELL = 24, 12

EVALUATION_COLUMNS = {  # heading: the place of the value in evaluation.json
    "sharpness": "samples sharpness",
    "power ratio": "samples power_ratio",
    "test MSE": "reconstruction mse",
    "KL of test images": "latent kl",
}

HISTORY_COLUMNS = {  # heading: the key in the last row of history.jsonl
    "KL of images": "kl_real",
    "of reconstructions": "kl_rec",
    "of samples": "kl_fake",
    "spread": "spread",
}

LEAD_TEXT = (
    "Each cell is one IntroVAE; the cells differ in these weights alone. Alpha is the weight of the hinges, by which "
    "encoder and decoder compete, beta that of the reconstruction, and the margin is the KL, in nats, to which the encoder "
    "raises the KL of reconstructions and samples. In a healthy cell these KLs lie above that of images, near the margin; "
    "reconstructions differ from each other as much as images do; and samples have as much power at high frequencies as "
    "images, so that their sharpness is near 0."
)

NOTES_TEXT = (
    "The power ratio is the power of samples from the prior above half the Nyquist frequency, divided by that of test "
    "images. Sharpness is its absolute logarithm. Spread is the standard deviation of reconstructions over a batch, "
    "divided by that of images. Spread and the KLs, except that of test images, are means over the last epoch. Where an "
    "alarm stopped a cell, they are means over its last good epoch, and its pictures and numbers on test images are those "
    "of its last good model; a cell that went back to its beginning has none."
)


def write_sweep_page(outcomes: Sequence[Outcome], path: Path, command: str = "") -> Path:
    """Writes the page of a sweep and returns its path. Cells that were not measured are measured first.

    Arguments:
        outcomes: The results of the cells, at least one.
        path: The file to write.
        command: The command that made the sweep, shown on the page, or "".
    """
    cells, x = [outcome.cell for outcome in outcomes], _load_test_images(outcomes)
    contents = {outcome.cell: "\n".join(_render_cell(outcome, x)) for outcome in outcomes}
    stopped = [outcome for outcome in outcomes if outcome.alarm]
    data = next((o.run.config.data.source for o in outcomes if o.run.config.data.source), "images from memory")
    count = f"{len(cells)} cell{'s' * (len(cells) != 1)} on {data}, {len(stopped)} of them stopped by an alarm."
    rows = [(outcome.cell.name.replace("_", ", "), _number_cells(outcome)) for outcome in outcomes]
    body = [
        "<h1>What alpha, beta and the margin do</h1>",
        f'<p class="lead">{escape(count)}</p><p>{LEAD_TEXT}</p>',
        "<h2>The grid</h2>",
        '<div class="card wide">',
        _render_grid(cells, contents),
        "</div>",
        "<h2>Numbers</h2>",
        render_table(["state", *HISTORY_COLUMNS, *EVALUATION_COLUMNS], rows),
        f'<p class="note">{NOTES_TEXT}</p>',
    ]
    if command:
        body += ["<h2>Command</h2>", f'<div class="card"><pre>{escape(command)}</pre></div>']
    write_text(path, render_page("A sweep of IntroVAEs", "\n".join(body)))
    return path


def _load_test_images(outcomes: Sequence[Outcome]) -> Tensor:
    """Returns the test images (B, C, H, W) whose reconstructions are shown.

    They are read once and remembered by all runs, since cells do not differ in how images are read.
    """
    images = outcomes[0].run.images("test")
    for outcome in outcomes:
        outcome.run.remember("test", images)
    rows = torch.arange(RECONSTRUCTIONS_PER_CELL) % len(images)
    return next(batches(images.pixels[rows], torch.device("cpu")))


def _render_grid(cells: Sequence[Cell], contents: Mapping[Cell, str]) -> str:
    """Renders a table with a column for each beta and a row for each pair of alpha and margin."""
    betas = list(dict.fromkeys(cell.beta for cell in cells))
    rows = list(dict.fromkeys((cell.alpha, cell.margin) for cell in cells))
    head = "".join(f"<th>beta {beta:g}</th>" for beta in betas)
    lines = [f"<table><thead><tr><th></th>{head}</tr></thead><tbody>"]
    for alpha, margin in rows:
        row = [contents.get(Cell(alpha, beta, margin), "") for beta in betas]
        columns = "".join(f'<td style="min-width: 320px">{content}</td>' for content in row)
        lines.append(f"<tr><th>alpha {alpha:g}<br>margin {margin:g}</th>{columns}</tr>")
    return "\n".join([*lines, "</tbody></table>"])


@torch.no_grad()
def _render_cell(outcome: Outcome, x: Tensor) -> Iterator[str]:
    """Yields the content of a cell: its state, alarms, samples, reconstructions of images x, and KLs over epochs."""
    run = outcome.run
    yield f"<p><b>{escape(_describe_state(outcome))}</b></p>"
    if outcome.text:
        yield f'<p class="note">{escape(outcome.text)}</p>'
    for note in _first_warnings(run.history):
        yield f'<p class="note">{escape(note)}</p>'
    if _has_model(outcome):
        vae = run.vae.eval()
        z = torch.randn(SAMPLES_PER_CELL, vae.latent_dim, generator=torch.Generator().manual_seed(0))
        samples = draw_sheet(vae.decode(z).image, IMAGES_PER_ROW)
        yield _render_picture("Samples from the prior", samples)
        pairs = draw_reconstructions(x, vae.decode(vae.encode(x).mean), IMAGES_PER_ROW)
        yield _render_picture("Test images, and their reconstructions below", pairs)
    if run.history:
        yield _render_picture("KL in training", plot_kls(run.history, outcome.cell.margin))


def _render_picture(title: str, figure: Figure) -> str:
    """Renders a figure below a small title."""
    image = f'<img alt="{escape(title)}" src="{embed_picture(encode_png(figure))}">'
    return f'<p class="note" style="margin: 10px 0 2px">{escape(title)}</p><div class="white">{image}</div>'


def _describe_state(outcome: Outcome) -> str:
    """Describes in a few words how a cell ended."""
    epochs = len(outcome.run.history)
    if not outcome.alarm:
        return f"{epochs} epoch{'s' * (epochs != 1)}"
    place = f"epoch {epochs} of {outcome.run.config.training.epochs}" if epochs else "its beginning"
    return f"{outcome.alarm}: stopped, and went back to {place}"


def _first_warnings(history: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns each alarm of a run that continued, as it was printed first, with the epoch."""
    first: dict[str, str] = {}
    for row in history:
        for note in row.get("notes", []):
            text = note.removeprefix("Warning: ")
            first.setdefault(text.split(":")[0], f"Epoch {row['epoch']}: {text}")
    return list(first.values())


def _number_cells(outcome: Outcome) -> list[str]:
    """Returns the cells of a run's row in the table of numbers."""
    last = outcome.run.history[-1] if outcome.run.history else {}
    cells = [_describe_state(outcome)]
    cells += [format_number(last[key]) if key in last else "not measured" for key in HISTORY_COLUMNS.values()]
    if not _has_model(outcome):
        return [*cells, *["not measured" for _ in EVALUATION_COLUMNS]]
    evaluation = cached_or_diagnose(outcome.run)
    return [*cells, *(format_value(evaluation, place) for place in EVALUATION_COLUMNS.values())]


def _has_model(outcome: Outcome) -> bool:
    """Returns whether a cell has a model, which it has not if an alarm stopped it before the first good state."""
    return (outcome.run.path / "model" / "model.safetensors").is_file()
