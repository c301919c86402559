"""Writes the tables of README.md and docs/*.md again, from the files of results, so that no number there is typed by hand.

python scripts/update_tables.py

A table stands between two comments. The first names the experiment, the columns and the systems:

    <!-- table mnist | GEN, EX-POST mixture, MSE | svae, vae -->
    <!-- end of table -->
"""

from __future__ import annotations

import re
from pathlib import Path

from splitvae.reproductions.experiment import Table
from splitvae.reproductions.page import render_rows
from splitvae.reproductions.records import read_results, records_by_system
from splitvae.reproductions.registry import EXPERIMENTS
from splitvae.utils.files import write_text

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"(<!-- table (\S+) \| ([^|\n]+) \| ([^|\n]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def update(text: str, results: Path) -> str:
    """Returns a text with its tables made again from a folder of results."""

    def render(match: re.Match[str]) -> str:
        head, name, columns, systems, end = match.groups()
        table = Table("", tuple(columns.strip().split(", ")), tuple(systems.strip().split(", ")))
        records = records_by_system(EXPERIMENTS[name], read_results(results / f"{name}.json"))
        return "\n".join([head, *render_rows(EXPERIMENTS[name], table, records), "", end])

    return BLOCK.sub(render, text)


def main() -> None:
    for file in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        before = file.read_text(encoding="utf-8")
        after = update(before, ROOT / "results")
        if after != before:
            write_text(file, after)
            print(f"Updated {file.name}.")


if __name__ == "__main__":
    main()
