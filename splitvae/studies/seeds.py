"""Several runs of one config that differ in their seed, and one summary with deviations over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..config import Config
from ..evaluation.diagnostics import diagnose
from ..metrics.registry import METRICS
from ..report.page import write_report
from ..runs import Run
from ..training.interrupts import Interrupted
from ..training.loop import train
from ..utils.console import print_once
from ..utils.files import write_json
from ..utils.processes import is_main_process
from ..utils.text import format_number

__all__ = ["describe_summary", "summarise_evaluations", "train_seeds"]


def train_seeds(
    config: Config,
    out: Path,
    seeds: int,
    explicit_fields: Mapping[str, Any] | None = None,
    *,
    resume: bool = False,
    report: bool = True,
) -> dict[str, Any]:
    """Trains and evaluates runs in out/seed-N, and writes and returns out/summary.json.

    Of several processes, only the first one evaluates, and the others return an empty summary.

    Arguments:
        config: The config of the runs. The first seed is the config's.
        out: The folder of the runs' folders.
        seeds: The number of runs.
        explicit_fields: Fields of the config that replace what would be chosen to fit the images, and, where a run is
            resumed, what the run has.
        resume: Whether to continue the runs that the folder has. Finished ones are not trained again.
        report: Whether to write a page that compares the runs to out/report.html.
    """
    fields = dict(explicit_fields or {})
    runs = []
    for seed in range(config.training.seed, config.training.seed + seeds):
        print_once(True, f"Seed {seed}:")
        folder = out / f"seed-{seed}"
        try:
            if resume and (folder / "config.json").exists():
                run_config = Run(folder).config
                settings = run_config.override(
                    **{"epochs": config.training.epochs, **fields, "seed": run_config.training.seed}
                )
                runs.append(train(settings, out=folder, resume=True))
            else:
                runs.append(train(config, out=folder, resume=resume, **fields | {"seed": seed}))
        except Interrupted as interrupt:
            raise Interrupted(out, interrupt.epoch, interrupt.step, f" --seeds {seeds}") from None
        if is_main_process():
            diagnose(runs[-1])
    if not is_main_process():
        return {}
    summary = summarise_evaluations([run.evaluation for run in runs])
    write_json(out / "summary.json", summary)
    print(f"Means of {seeds} seeds ± their standard deviation:")
    for line in describe_summary(summary):
        print(f"  {line}")
    print(f"Summary of all numbers: {out / 'summary.json'}")
    if report:
        print(f"Report: {write_report(runs, out / 'report.html')}")
    return summary


def summarise_evaluations(evaluations: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Returns the mean, the sample deviation and the values of each number that all evaluations have, by dotted name."""
    flat = [dict(_flatten_numbers(evaluation)) for evaluation in evaluations]
    shared = [name for name in flat[0] if all(name in numbers for numbers in flat)]
    return {
        name: {
            "mean": statistics.fmean(numbers[name] for numbers in flat),
            "deviation": statistics.stdev(numbers[name] for numbers in flat) if len(flat) > 1 else 0.0,
            "values": [numbers[name] for numbers in flat],
        }
        for name in shared
    }


def describe_summary(summary: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns a line for each metric of a summary: what the tables call it, its mean and its deviation over seeds."""
    rows = []
    for key, metric in METRICS.items():
        name = f"{metric.group}.{key}"
        found = next((summary[name + end] for end in ("", ".value", ".mean") if name + end in summary), None)
        if found is not None:
            rows.append((metric.title, f"{format_number(found['mean'])} ± {format_number(found['deviation'], 2)}"))
    width = max((len(title) for title, _ in rows), default=0)
    return [f"{title:<{width}}  {numbers}" for title, numbers in rows]


def _flatten_numbers(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yields the numbers of nested dicts by dotted names, such as "latent.kl.value"."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flatten_numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield prefix + name, float(value)
