"""The page of a report: one self-contained HTML file about a run, or comparing several.

Pictures are embedded; nothing is fetched and nothing is executed. The frame of every page, with its styles, is
template.html: it has a light and a dark appearance, and can be printed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from ..errors import UserError
from ..runs import Run, open_run
from ..utils.files import write_text
from ..utils.machine import describe_versions
from .comparison import render_comparison
from .contents import add_contents
from .html import escape
from .paths import hide_folders
from .sections import collect_entry
from .single_run import render_run

__all__ = ["render_page", "write_report"]

StrPath = str | os.PathLike[str]


def write_report(runs: Run | StrPath | Sequence[Run | StrPath], path: Path | None = None) -> Path:
    """Writes a report about one run, or a comparison of several runs.

    Figures and measurements that a run's folder does not have, or has of an earlier model, are made first. If they cannot
    be made, for example because the images are missing, the page says so and shows the rest.

    Arguments:
        runs: One run, or several to compare, or their folders.
        path: The file to write, by default report.html in the folder of one run, or ./comparison.html for several.

    Returns the path.

    Raises:
        UserError: If there is no run, or if a run has no model yet.
    """
    several = [runs] if isinstance(runs, Run | str | os.PathLike) else runs
    opened = [run if isinstance(run, Run) else open_run(run) for run in several]
    if not opened:
        raise UserError("a report needs a run: `splitvae report runs/first`, or several runs to compare them.")
    entries = [collect_entry(run) for run in opened]
    if len(opened) == 1:
        path = opened[0].path / "report.html" if path is None else Path(path)
        write_text(path, render_page(opened[0].name, hide_folders(render_run(entries[0]), entries)))
    else:
        path = Path("comparison.html" if path is None else path)
        body = hide_folders(render_comparison(entries), entries)
        write_text(path, render_page(f"Comparison of {len(opened)} runs", body))
    return path


def render_page(title: str, body: str) -> str:
    """Returns a whole HTML page.

    Arguments:
        title: The title, as plain text.
        body: The content, as HTML.
    """
    template = Template(files(__package__).joinpath("template.html").read_text(encoding="utf-8"))
    return template.substitute(title=escape(title), body=add_contents(body), footer=escape(describe_versions()))
