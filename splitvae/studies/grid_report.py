"""The page of a sweep: what alpha, beta and the margin do, cell by cell, on one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..data.images import batches
from ..evaluation.diagnostics import cached_or_diagnose
from ..evaluation.tables import format_value as worded
from ..figures.io import png
from ..figures.samples import reconstructions, sheet
from ..figures.training_curves import kl_chart
from ..report.html import embedded, escaped, table_html
from ..report.template import PAGE
from ..utils.files import write_text
from ..utils.machine import describe_versions
from ..utils.text import format_number
from .grid import Cell, Outcome

__all__ = ["write"]


COLUMNS = 6  # images in a row


SAMPLES, PAIRS = 24, 12  # images of each kind in a cell


ROWS = {  # heading: what, and where it is in evaluation.json
    "sharpness": "samples sharpness",
    "power ratio": "samples power_ratio",
    "test MSE": "reconstruction mse",
    "KL of test images": "latent kl",
}


TERMS = {"KL of images": "kl_real", "of reconstructions": "kl_rec", "of samples": "kl_fake", "spread": "spread"}


LEAD = (
    "One IntroVAE a cell, with nothing else different. Alpha weighs the game of encoder and decoder, beta the "
    "reconstruction, and the margin is the KL in nats to which the encoder raises that of what is painted. In a healthy "
    "cell the KLs of samples and reconstructions lie above that of images, near the margin, reconstructions differ from "
    "each other as images do, and samples have as much power at high frequencies as images: sharpness near 0."
)


NOTES = (
    "Sharpness is the absolute logarithm of the power ratio: that of the power of samples from the prior above half the "
    "Nyquist frequency to that of test images. Spread is the standard deviation of reconstructions over a batch divided by "
    "that of images. It and the KLs but the last are means over the last epoch, or over the last good one where an alarm "
    "stopped the cell, whose pictures and numbers on test images are those of the last model that it kept."
)


def write(outcomes: Sequence[Outcome], path: Path, command: str = "") -> Path:
    """Writes the page of a sweep, measuring cells that were not measured; `command` is what it was made with."""
    cells, x = [outcome.cell for outcome in outcomes], _test_images(outcomes)
    shown = {outcome.cell: "\n".join(_cell(outcome, x)) for outcome in outcomes}
    stopped = [outcome for outcome in outcomes if outcome.alarm]
    data = next((o.run.config.data.source for o in outcomes if o.run.config.data.source), "images from memory")
    count = f"{len(cells)} cell{'s' * (len(cells) != 1)} on {data}, {len(stopped)} of them stopped by an alarm."
    body = [
        "<h1>What alpha, beta and the margin do</h1>",
        f'<p class="lead">{escaped(count)}</p><p>{LEAD}</p>',
        "<h2>The grid</h2>",
        '<div class="card wide">',
        _grid(cells, shown),
        "</div>",
        "<h2>Numbers</h2>",
        table_html(["state", *TERMS, *ROWS], [(o.cell.name.replace("_", ", "), _numbers(o)) for o in outcomes]),
        f'<p class="note">{NOTES}</p>',
        *(["<h2>Command</h2>", f'<div class="card"><pre>{escaped(command)}</pre></div>'] if command else []),
    ]
    write_text(
        path, PAGE.substitute(title="A sweep of IntroVAEs", body="\n".join(body), footer=escaped(describe_versions()))
    )
    return path


def _test_images(outcomes: Sequence[Outcome]) -> Tensor:
    """The images whose reconstructions are shown. They are read once: cells differ in nothing that images are read by."""
    images = outcomes[0].run.images("test")
    for outcome in outcomes:
        outcome.run.remember("test", images)
    return next(batches(images.pixels[torch.arange(PAIRS) % len(images)], torch.device("cpu")))


def _grid(cells: Sequence[Cell], shown: dict[Cell, str]) -> str:
    """A column for each beta, a row for each alpha and margin."""
    betas = list(dict.fromkeys(cell.beta for cell in cells))
    rows = list(dict.fromkeys((cell.alpha, cell.margin) for cell in cells))
    head = "".join(f"<th>beta {beta:g}</th>" for beta in betas)
    lines = [f"<table><thead><tr><th></th>{head}</tr></thead><tbody>"]
    for alpha, margin in rows:
        found = [shown.get(Cell(alpha, beta, margin), "") for beta in betas]
        columns = "".join(f'<td style="min-width: 320px">{text}</td>' for text in found)
        lines.append(f"<tr><th>alpha {alpha:g}<br>margin {margin:g}</th>{columns}</tr>")
    return "\n".join([*lines, "</tbody></table>"])


@torch.no_grad()
def _cell(outcome: Outcome, x: Tensor) -> Iterator[str]:
    """What stands in a cell: its state, samples, reconstructions, and the KLs."""
    run, model = outcome.run, (outcome.run.path / "model" / "model.safetensors").is_file()
    yield f"<p><b>{escaped(_state(outcome))}</b></p>"
    if outcome.text:
        yield f'<p class="note">{escaped(outcome.text)}</p>'
    for note in _warnings(run.history):
        yield f'<p class="note">{escaped(note)}</p>'
    if model:
        vae = run.vae.eval()
        z = torch.randn(SAMPLES, vae.latent_dim, generator=torch.Generator().manual_seed(0))
        again = vae.decode(vae.encode(x).mean)
        yield _picture("Samples from the prior", sheet(vae.decode(z).image, COLUMNS))
        yield _picture("Test images, and their reconstructions below", reconstructions(x, again, COLUMNS))
    if run.history:
        yield _picture("KL in training", kl_chart(run.history, outcome.cell.margin))


def _picture(title: str, figure: Figure) -> str:
    image = f'<img alt="{escaped(title)}" src="{embedded(png(figure))}">'
    return f'<p class="note" style="margin: 10px 0 2px">{escaped(title)}</p><div class="white">{image}</div>'


def _state(outcome: Outcome) -> str:
    """How a cell ended, in a few words."""
    done, asked = len(outcome.run.history), outcome.run.config.training.epochs
    if not outcome.alarm:
        return f"{done} epoch{'s' * (done != 1)}"
    place = f"epoch {done} of {asked}" if done else "its beginning"
    return f"{outcome.alarm}: stopped, and went back to {place}"


def _warnings(history: Sequence[dict[str, Any]]) -> list[str]:
    """What alarms did or said in a run that went on, with the epoch at which each was first heard."""
    first: dict[str, str] = {}
    for row in history:
        for note in row.get("notes", []):
            text = note.removeprefix("Warning: ")
            first.setdefault(text.split(":")[0], f"Epoch {row['epoch']}: {text}")
    return list(first.values())


def _numbers(outcome: Outcome) -> list[str]:
    """The cells of the table of numbers, a row for each run."""
    run = outcome.run
    last = run.history[-1] if run.history else {}
    found = [_state(outcome), *(format_number(last[key]) if key in last else "not measured" for key in TERMS.values())]
    if not (run.path / "model" / "model.safetensors").is_file():
        return [*found, *["not measured" for _ in ROWS]]
    result = cached_or_diagnose(run)
    return [*found, *(worded(result, where) for where in ROWS.values())]
