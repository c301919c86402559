"""Copies the numbers and figures of runs into a folder of results, with the command, the data, versions and the device.

python scripts/collect.py runs/mnist-svae runs/mnist-vae results/mnist
python scripts/collect.py runs/table/* results/mnist-table      # folders of seed-N runs: with tables of their scores
python scripts/collect.py runs/faces results/faces --figures=samples,plane      # these figures alone
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import torch

import splitvae
from splitvae.evaluation.diagnostics import cached_or_diagnose
from splitvae.evaluation.protocols import PROTOCOLS
from splitvae.evaluation.tables import comparison_tables
from splitvae.presets.registry import PRESETS
from splitvae.report.sections import train_command
from splitvae.runs import group_runs_by_seed
from splitvae.utils.text import align_columns

FIGURES = ("components", "samples", "samples-gmm", "maps", "reconstructions", "curves", "latents", "traversals")


def name_data(config: splitvae.Config) -> str:
    """Returns the images that were read, without the path of one machine: the preset's source, or the name of a file.

    Another source than the preset's is not called by the preset's name, since its images may differ.
    """
    preset = PRESETS.get(config.preset)
    source = config.data.source or "images from memory"
    return source if preset and source == preset.data.source else Path(source).name


def collect_run(run: splitvae.Run, prefix: str, folder: Path, figures: Iterable[str]) -> dict[str, object]:
    """Returns the numbers of a run for result.json, and copies its figures.

    Arguments:
        run: The run.
        prefix: The beginning of the names of the copies.
        folder: The folder to copy to.
        figures: The names of the figures, of which those that were drawn are copied.
    """
    for name in figures:
        figure = run.path / "figures" / f"{name}.png"
        if figure.exists():
            shutil.copyfile(figure, folder / f"{prefix}{name}.png")
    seconds = sum(row["seconds"] for row in run.history)
    config = run.config.override(data=name_data(run.config))
    evaluation = cached_or_diagnose(run)
    evaluation["data"]["source"] = config.data.source
    for score in evaluation.get("scores", {}).values():
        score["real"]["source"] = config.data.source
    return {
        "command": train_command(config, str(run.path)),
        "training_images": run.training_sha256,
        "config": config.to_json(),
        "training_seconds": round(seconds, 1),
        "last_epoch": run.history[-1],
        "evaluation": evaluation,
    }


def format_tables(groups: dict[str, list[Path]], runs: Iterable[splitvae.Run]) -> list[str]:
    """Returns a table of scores for each protocol, features and images, with a row for each group of runs."""
    evaluations = {Path(name).name: [splitvae.Run(path).evaluation for path in paths] for name, paths in groups.items()}
    tables = [
        f"Protocol {name}. {protocol.description}\n{table.description}.\n{align_columns(table.headings, table.rows)}\n"
        for name, protocol in PROTOCOLS.items()
        for table in comparison_tables(evaluations, name)
    ]
    for run in runs:
        if run.config.data.source:
            tables = [text.replace(run.config.data.source, name_data(run.config)) for text in tables]
    return tables


def main() -> None:
    *paths, out = (Path(word) for word in sys.argv[1:] if not word.startswith("--"))
    options = [word.removeprefix("--figures=").split(",") for word in sys.argv if word.startswith("--figures=")]
    figures = options[-1] if options else FIGURES
    out.mkdir(parents=True, exist_ok=True)
    groups = group_runs_by_seed(paths)
    runs = {
        (path.name if path == Path(group) else f"{Path(group).name}-{path.name}"): splitvae.Run(path)
        for group, members in groups.items()
        for path in members
    }
    cpu = f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
    result = {
        "splitvae": splitvae.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else cpu,
        "runs": {name: collect_run(run, f"{name}-" if len(runs) > 1 else "", out, figures) for name, run in runs.items()},
    }
    (out / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    if tables := format_tables(groups, runs.values()):
        (out / "table.txt").write_text("\n".join(tables))


if __name__ == "__main__":
    main()
