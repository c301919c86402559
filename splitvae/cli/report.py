"""The command `report`: writes one page about a run, or one that compares several runs."""

from dataclasses import dataclass
from typing import Annotated, Any

from .checks import check_output_file, check_runs, is_run
from .options import Json, OutputFile, RunFolders, check_not_empty, show_default

__all__ = ["Report"]


@dataclass
class Report:
    """Write one self-contained HTML page about a run, or one that compares several runs."""

    runs: RunFolders
    out: Annotated[OutputFile, show_default("RUN/report.html, or comparison.html for several runs")] = None
    json: Json = False

    def __call__(self) -> dict[str, Any]:
        check_not_empty(self.runs, "run", "splitvae report runs/mnist-svae")
        check_runs(self.runs)
        is_single = len(self.runs) == 1 and is_run(self.runs[0])
        check_output_file(self.out or (self.runs[0] / "report.html" if is_single else None), ".html", ".htm")
        from ..report.page import write_report
        from ..runs import Run, group_runs_by_seed

        runs = [Run(path) for paths in group_runs_by_seed(self.runs).values() for path in paths]
        page = write_report(runs, self.out)
        print(f"Report: {page}")
        return {"report": str(page), "runs": {str(run.path): run.evaluation for run in runs}}
