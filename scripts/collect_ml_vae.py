"""Copies the result of `splitvae reproduce ml-vae` into a folder of results: its table, numbers, and some figures.

python scripts/collect_ml_vae.py runs/ml-vae results/ml-vae
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

import torch

from splitvae.figures.io import save_figure
from splitvae.figures.training_curves import plot_training_curves
from splitvae.runs import Run
from splitvae.studies.ml_vae_systems import SYSTEMS_WITH_FIGURES

FIGURES = ("swaps", "swaps-evidence", "code-maps", "style-interpolations", "content-interpolations", "probes", "curves")


def replace_source(tree: Any, source: str) -> Any:
    """Returns nested dicts and lists with "mnist" in place of a source, which may be a path of one machine."""
    if isinstance(tree, dict):
        return {name: replace_source(value, source) for name, value in tree.items()}
    if isinstance(tree, list):
        return [replace_source(value, source) for value in tree]
    return tree.replace(source, "mnist") if isinstance(tree, str) else tree


def main() -> None:
    runs, out = (Path(word) for word in sys.argv[1:])
    out.mkdir(parents=True, exist_ok=True)
    result = json.loads((runs / "ml-vae.json").read_text())
    device = f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
    result = {"device": device, **replace_source(result, result["data"])}
    (out / "ml-vae.json").write_text(json.dumps(result, indent=2) + "\n")
    shutil.copyfile(runs / "ml-vae.txt", out / "ml-vae.txt")
    for system in SYSTEMS_WITH_FIGURES:
        for figure in FIGURES if system == "corrected" else FIGURES[:2]:
            file = runs / system / "figures" / f"{figure}.png"
            if file.exists():
                shutil.copyfile(file, out / f"{system}-{figure}.png")
    histories = {name: Run(runs / name).history for name in ("corrected", "plain", "heads")}
    save_figure(plot_training_curves(histories), out / "curves.png")


if __name__ == "__main__":
    main()
