"""TODO docstring of report.page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import UserError
from ..runs import Run
from ..utils.files import write_text
from ..utils.machine import describe_versions
from .comparison import _comparison
from .html import escaped
from .sections import _gather
from .single_run import _single
from .template import PAGE

__all__ = ["write"]


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
    parts = {"title": escaped(title), "body": body, "footer": escaped(describe_versions())}
    if path is None:
        path = runs[0].path / "report.html" if len(runs) == 1 else Path("comparison.html")
    write_text(Path(path), PAGE.substitute(parts))
    return Path(path)
