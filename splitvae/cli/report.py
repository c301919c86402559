"""The command `report`: writes one page about a run, or one that compares several runs."""

from dataclasses import dataclass
from typing import Annotated

from .options import OutputFile, RunFolders, check_not_empty, show_default

__all__ = ["Report"]


@dataclass
class Report:
    """Write one self-contained HTML page about a run, or one that compares several runs."""

    runs: RunFolders
    out: Annotated[OutputFile, show_default("RUN/report.html, or comparison.html for several runs")] = None

    def __call__(self) -> None:
        check_not_empty(self.runs, "run", "splitvae report runs/mnist-svae")
        from ..report.page import write_report
        from ..runs import Run

        print(f"Report: {write_report([Run(path) for path in self.runs], self.out)}")
