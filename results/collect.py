"""Copies what a result keeps of runs: numbers and pictures, with the command, the data, versions and the device.

python results/collect.py runs/mnist-svae runs/mnist-vae results/mnist
"""

from __future__ import annotations

import dataclasses
import json
import platform
import shutil
import sys
from pathlib import Path

import torch

import splitvae
from splitvae.evaluate import current
from splitvae.presets import PRESETS
from splitvae.report import command

FIGURES = ("components", "samples", "samples-gmm", "maps", "reconstructions", "curves", "latents", "traversals")


def collect(run: splitvae.Run, folder: Path, several: bool) -> dict[str, object]:
    """One run's row, its figures beside it."""
    for name in FIGURES:
        figure = run.path / "figures" / f"{name}.png"
        if figure.exists():
            shutil.copyfile(figure, folder / (f"{run.name}-{name}.png" if several else f"{name}.png"))
    seconds = sum(row["seconds"] for row in run.history)
    preset = PRESETS.get(run.config.preset)
    config = dataclasses.replace(run.config, data=preset.data if preset else "DIR")  # not where it lies on one machine
    evaluation = current(run)
    evaluation["data"]["source"] = config.data
    return {
        "command": command(config, str(run.path)),
        "config": dataclasses.asdict(config),
        "training_seconds": round(seconds, 1),
        "last_epoch": run.history[-1],
        "evaluation": evaluation,
    }


def main() -> None:
    *paths, out = (Path(word) for word in sys.argv[1:])
    out.mkdir(parents=True, exist_ok=True)
    runs = [splitvae.Run(path) for path in paths]
    result = {
        "splitvae": splitvae.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
        if not torch.cuda.is_available()
        else torch.cuda.get_device_name(),
        "runs": {run.name: collect(run, out, len(runs) > 1) for run in runs},
    }
    (out / "result.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
