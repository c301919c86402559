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

from splitvae.cli.reproduce import Reproduce
from splitvae.figures.io import save_figure
from splitvae.figures.training_curves import plot_training_curves
from splitvae.runs import Run
from splitvae.studies.ml_vae_systems import SYSTEMS_WITH_FIGURES

FIGURES = ("swaps", "swaps-evidence", "code-maps", "style-interpolations", "content-interpolations", "probes", "curves")


def replace_path(tree: Any, path: str, name: str) -> Any:
    """Returns nested dicts and lists with a name in place of a path of one machine."""
    if isinstance(tree, dict):
        return {key: replace_path(value, path, name) for key, value in tree.items()}
    if isinstance(tree, list):
        return [replace_path(value, path, name) for value in tree]
    return tree.replace(path, name) if isinstance(tree, str) else tree


def rebuild_command(result: dict[str, Any]) -> str:
    """Returns the command that made a result, with the options that differ from the defaults; paths are names."""
    settings = Reproduce("ml-vae")
    words = ["splitvae reproduce ml-vae"]
    words += ["--data MNIST"] if result["data"] != settings.data else []
    names = ("epochs", "iterations", "seed")
    words += [f"--{name} {result[name]}" for name in names if result[name] != getattr(settings, name)]
    return " ".join([*words, *(["--public-weights RELEASED"] if result["public_weights"] else [])])


def main() -> None:
    runs, out = (Path(word) for word in sys.argv[1:])
    out.mkdir(parents=True, exist_ok=True)
    result = json.loads((runs / "ml-vae.json").read_text())
    threads = torch.get_num_threads()
    device = f"{platform.machine()} CPU, {threads} thread{'s' if threads > 1 else ''}"
    command = rebuild_command(result)
    if result["public_weights"]:
        result = replace_path(result, result["public_weights"]["folder"], "RELEASED")
    result = {"command": command, "device": device, **replace_path(result, result["data"], "mnist")}
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
