"""Several runs of one config that differ in their seed, and one summary with deviations."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..config import Config
from ..evaluation.diagnostics import diagnose
from ..report.page import write
from ..runs import Run
from ..training.interrupts import Interrupted
from ..training.loop import train as run_training
from ..utils.files import write_json

__all__ = ["summarise", "train"]


def train(config: Config, out: Path, seeds: int, resume: bool, write_report: bool, **overrides: Any) -> dict[str, Any]:
    """Trains `seeds` runs in out/seed-N and writes out/summary.json; finished ones are kept when resuming."""
    runs = []
    for seed in range(config.training.seed, config.training.seed + seeds):
        print(f"Seed {seed}:")
        folder = out / f"seed-{seed}"
        begun = resume and (folder / "config.json").exists()
        settings = config
        if begun:  # as one run that is resumed: what was typed may change it, and what nobody typed does not
            kept = Run(folder).config
            settings = kept.override(**{"epochs": config.training.epochs, **overrides, "seed": kept.training.seed})
        again = overrides | {"seed": seed}
        try:
            runs.append(run_training(settings, out=folder, resume=resume, **({} if begun else again)))
        except Interrupted as stop:
            raise Interrupted(out, stop.epoch, stop.step, f" --seeds {seeds}") from None
        diagnose(runs[-1])
    summary = summarise([run.evaluation for run in runs])
    write_json(out / "summary.json", summary)
    for name, value in summary.items():
        print(f"  {name:<36} {value['mean']:.6g} ± {value['deviation']:.2g}")
    print(f"Summary of {seeds} seeds: {out / 'summary.json'}")
    if write_report:
        print(f"Report: {write(runs, out / 'report.html')}")
    return summary


def summarise(evaluations: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Mean, sample deviation and values of each number that all evaluations have, by its dotted name."""
    flat = [dict(numbers(e)) for e in evaluations]
    shared = [name for name in flat[0] if all(name in f for f in flat)]
    return {
        name: {
            "mean": statistics.fmean(f[name] for f in flat),
            "deviation": statistics.stdev(f[name] for f in flat) if len(flat) > 1 else 0.0,
            "values": [f[name] for f in flat],
        }
        for name in shared
    }


def numbers(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of nested dicts with dotted names."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield prefix + name, float(value)
