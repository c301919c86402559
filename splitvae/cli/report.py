"""TODO docstring of cli.report."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from ..errors import UserError

__all__ = ["Report"]


@dataclass
class Report:
    """Write one self-contained HTML page about a run, or one that compares several."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of runs."""
    out: Path | None = None
    """The page; by default RUN/report.html, or comparison.html for several runs."""

    def __call__(self) -> None:
        from ..report.page import write_report
        from ..runs import Run

        if not self.runs:
            raise UserError("say of which run, such as `splitvae report runs/mnist-svae`.")
        print(f"Report: {write_report([Run(path) for path in self.runs], self.out)}")
