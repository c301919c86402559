"""The page of an experiment: Markdown made of its results and of nothing else, so that no number is typed by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..evaluation.tables import describe_images
from ..utils.files import write_text
from .columns import COLUMNS, Cell, score_of
from .experiment import Experiment, Record, Records, Table
from .findings import CHANCE
from .measures import measure_section
from .records import read_results, records_by_system
from .scale import TEST_IMAGES

__all__ = ["render_page", "render_rows", "write_page"]

REMARKS = (
    "x̂ is the blend. REC are reconstructions of test images, GEN samples of the prior, EX-POST samples of a density that "
    "is fitted to the codes of training images. A number of several seeds is the mean ± the deviation over seeds; one of a "
    "single seed has the error of its measurement, which is smaller than what trainings differ by. A difference is clear "
    "where Welch's t test of these few seeds rejects chance at 5 %. The best of a column is bold. The nearest component is "
    "chosen in each run by the very distance that is shown."
)
PAPER_REMARK = (
    'Columns headed "paper" are the paper\'s own figures, in the features of Inception: compare their order, not their '
    "size."
)


def write_page(experiment: Experiment, file: Path) -> Path:
    """Writes the page beside a file of results, and returns its path."""
    page = file.with_suffix(".md")
    write_text(page, render_page(experiment, read_results(file), page.with_suffix("")))
    return page


def render_page(experiment: Experiment, results: Mapping[str, Any], folder: Path) -> str:
    """Returns the page of an experiment as Markdown.

    Arguments:
        experiment: The experiment.
        results: What the file of results holds.
        folder: The folder of the figures. The page shows those that it has.
    """
    records = records_by_system(experiment, results)
    lines = [
        f"# {experiment.page.title}",
        "",
        experiment.page.introduction,
        "",
        *_describe(experiment, results, records),
        "",
    ]
    if findings := [sentence for find in experiment.page.findings for sentence in find(experiment, records)]:
        findings += _count_tests(findings)
        lines += ["## What the numbers say", "", *(f"- {sentence}" for sentence in findings), ""]
    for table in experiment.page.tables:
        lines += _render_table(experiment, table, records)
    lines += _render_figures(experiment, folder)
    for name in experiment.page.measures:
        if name in results["measures"]:
            lines += measure_section(name, results["measures"][name], folder.name)
    lines += _render_runs(experiment, records)
    return "\n".join(lines).rstrip() + "\n"


def _count_tests(findings: Sequence[str]) -> list[str]:
    """Returns a sentence on how many of all comparisons would be clear by chance alone; none for a few."""
    tests = sum(sentence.count("(clear") + sentence.count("(may be chance)") for sentence in findings)
    expected = round(tests * CHANCE)
    text = f"Of these {tests} comparisons over seeds, about {expected} would be clear by chance alone."
    return [text] if expected else []


def _describe(experiment: Experiment, results: Mapping[str, Any], records: Records) -> Iterator[str]:
    """Yields the command, the scale, the images and what is missing."""
    scale = results.get("scale")
    if scale is None:
        yield "Nothing was measured yet."
        return
    made = sum(map(len, records.values()))
    asked = sum(system.seeds for system in experiment.systems)
    yield f"    {_reproduce_command(experiment, results)}"
    yield ""
    every = [record for seeds in records.values() for record in seeds]
    count = f"{every[0]['training']['images']:,} of " if every else ""
    yield (
        f"Training images: {count}{results['source']} ({results['sha256']}). Width {scale['width']}, "
        f"{scale['epochs']} epochs ({scale['reason']})."
    )
    if every and (score := score_of(every[0])) is not None:
        yield f"Distances: {describe_images(score)}; protocol `{score['protocol']}`."
    if every:
        devices = sorted({record["training"]["device"] for record in every})
        versions = sorted({", ".join(f"{k} {v}" for k, v in record["versions"].items()) for record in every})
        hours = sum(record["training"]["seconds"] for record in every) / 3600
        yield f"Trained in {hours:.1f} hours of {' and '.join(devices)}; {'; '.join(versions)}."
    if made < asked:
        yield f"**{made} of {asked} runs are done; the same command makes the others.**"
    stopped = [name for name, record in results["runs"].items() if "stopped" in record]
    yield from (f"Stopped by an alarm: {name}. {results['runs'][name]['stopped']}" for name in stopped)
    for name, record in results["runs"].items():
        yield from (f"Went on in spite of an alarm: {name}, {text}" for text in record.get("warnings", {}).values())
    yield ""
    yield REMARKS
    if any(system.published is not None for system in experiment.systems):
        yield PAPER_REMARK


def _reproduce_command(experiment: Experiment, results: Mapping[str, Any]) -> str:
    """Returns the command that makes the results, with the scale that they have."""
    scale, crop = results["scale"], results["options"].get("crop")
    words = ["splitvae", "reproduce", experiment.name]
    if results["source"] != experiment.source:
        words += ["--data", results["source"], *(["--crop", str(crop)] if crop else [])]
    words += ["--width", str(scale["width"]), "--epochs", str(scale["epochs"])]
    return " ".join([*words, *(["-n", str(scale["images"])] if scale["images"] != TEST_IMAGES else [])])


def _render_table(experiment: Experiment, table: Table, records: Records) -> list[str]:
    """Returns a table with its heading and note; nothing if none of its systems was measured."""
    rows = render_rows(experiment, table, records)
    note = [table.note, ""] if table.note else []
    return [f"## {table.title}", "", *rows, "", *note] if rows else []


def render_rows(experiment: Experiment, table: Table, records: Records) -> list[str]:
    """Returns the lines of a table in Markdown; none if none of its systems was measured.

    A column in which no system has a value is left out.
    """
    keys = [key for key in (table.systems or [s.key for s in experiment.systems]) if key in records]
    if not keys:
        return []
    columns = [COLUMNS[name] for name in table.columns]
    cells = [[column.cell(experiment.system(key), records[key]) for column in columns] for key in keys]
    shown = [j for j in range(len(columns)) if any(row[j].text != "-" for row in cells)]
    best = {j: _best_rows([row[j] for row in cells], columns[j].best if table.comparable else "") for j in shown}
    rows = [
        [experiment.system(key).title, *(f"**{row[j].text}**" if i in best[j] else row[j].text for j in shown)]
        for i, (key, row) in enumerate(zip(keys, cells, strict=True))
    ]
    return _markdown_table(["", *(columns[j].title for j in shown)], rows)


def _best_rows(cells: Sequence[Cell], best: str) -> set[int]:
    """Returns the rows with the best number of a column; none where no number is best, or all are equal."""
    values = {i: cell.value for i, cell in enumerate(cells) if cell.value is not None}
    if not best or len(set(values.values())) < 2:
        return set()
    chosen = (min if best == "low" else max)(values.values())
    return {i for i, value in values.items() if value == chosen}


def _markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns a table as lines of Markdown."""
    return [f"| {' | '.join(row)} |" for row in (headings, ["---"] * len(headings), *rows)]


def _render_figures(experiment: Experiment, folder: Path) -> list[str]:
    """Returns the figures that were drawn, each with its caption."""
    lines: list[str] = []
    for figure in experiment.page.figures:
        file = folder / figure.file
        if file.exists():
            title = experiment.system(figure.system).title
            lines += [
                f"**{title}, seed {figure.seed}: {figure.caption}**",
                "",
                f"![{title}: {figure.caption}]({folder.name}/{file.name})",
                "",
            ]
    return ["## Pictures", "", *lines] if lines else []


def _render_runs(experiment: Experiment, records: Records) -> list[str]:
    """Returns the command of the first run of each system."""
    if not records:
        return []
    commands = [f"    {_command(records[key][0])}" for key in records]
    return ["## The runs", "", "The first seed of each system, alone:", "", *commands, ""]


def _command(record: Record) -> str:
    """Returns the command that trains a run, without its folder."""
    return str(record["command"]).rsplit(" --out ", 1)[0]
