"""Copies what a result keeps of runs: numbers and pictures, with the command, the data, versions and the device.

python scripts/collect.py runs/mnist-svae runs/mnist-vae results/mnist
python scripts/collect.py runs/table/* results/mnist-table      # folders of seed-N runs: with tables of their scores
python scripts/collect.py runs/faces results/faces --figures=samples,plane      # of all figures these alone
"""

from __future__ import annotations

import dataclasses
import json
import platform
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import torch

import splitvae
from splitvae.evaluation.diagnostics import current
from splitvae.evaluation.scores import PROTOCOLS
from splitvae.evaluation.tables import compared
from splitvae.presets.registry import PRESETS
from splitvae.report.sections import command
from splitvae.runs import grouped
from splitvae.utils.text import aligned

FIGURES = ("components", "samples", "samples-gmm", "maps", "reconstructions", "curves", "latents", "traversals")


def collect(run: splitvae.Run, name: str, folder: Path, figures: Iterable[str]) -> dict[str, object]:
    """One run's row, its figures beside it, which begin with `name`."""
    for title in figures:
        figure = run.path / "figures" / f"{title}.png"
        if figure.exists():
            shutil.copyfile(figure, folder / f"{name}{title}.png")
    seconds = sum(row["seconds"] for row in run.history)
    preset = PRESETS.get(run.config.preset)
    config = dataclasses.replace(run.config, data=preset.data if preset else "DIR")  # not where it lies on one machine
    evaluation = current(run)
    evaluation["data"]["source"] = config.data
    for score in evaluation.get("scores", {}).values():
        score["real"]["source"] = config.data
    return {
        "command": command(config, str(run.path)),
        "config": dataclasses.asdict(config),
        "training_seconds": round(seconds, 1),
        "last_epoch": run.history[-1],
        "evaluation": evaluation,
    }


def main() -> None:
    *paths, out = (Path(word) for word in sys.argv[1:] if not word.startswith("--"))
    chosen = [word.removeprefix("--figures=").split(",") for word in sys.argv if word.startswith("--figures=")]
    figures = chosen[-1] if chosen else FIGURES
    out.mkdir(parents=True, exist_ok=True)
    groups = grouped(paths)
    runs = {
        (path.name if path == Path(group) else f"{Path(group).name}-{path.name}"): splitvae.Run(path)
        for group, members in groups.items()
        for path in members
    }
    result = {
        "splitvae": splitvae.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
        if not torch.cuda.is_available()
        else torch.cuda.get_device_name(),
        "runs": {name: collect(run, f"{name}-" if len(runs) > 1 else "", out, figures) for name, run in runs.items()},
    }
    (out / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    scored = {Path(name).name: [splitvae.Run(path).evaluation for path in members] for name, members in groups.items()}
    tables = [
        f"Protocol {protocol}. {about}\n{found.about}.\n{aligned(found.headings, found.rows)}\n"
        for protocol, about in PROTOCOLS.items()
        for found in compared(scored, protocol)
    ]
    for run in runs.values():  # not where it lies on one machine
        if run.config.preset in PRESETS and run.config.data:
            tables = [text.replace(run.config.data, str(PRESETS[run.config.preset].data)) for text in tables]
    if tables:
        (out / "table.txt").write_text("\n".join(tables))


if __name__ == "__main__":
    main()
