"""Copies what a result keeps of `splitvae reproduce ml-vae`: its table, its numbers, and pictures of some systems.

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

from splitvae.figures.io import save
from splitvae.figures.training_curves import curves
from splitvae.runs import Run
from splitvae.studies.ml_vae import PICTURED

FIGURES = ("swaps", "swaps-evidence", "code-maps", "style-interpolations", "content-interpolations", "probes", "curves")


def without_places(tree: Any, place: str) -> Any:
    """The same with "mnist" for where it lies on one machine."""
    if isinstance(tree, dict):
        return {name: without_places(value, place) for name, value in tree.items()}
    if isinstance(tree, list):
        return [without_places(value, place) for value in tree]
    return tree.replace(place, "mnist") if isinstance(tree, str) else tree


def main() -> None:
    runs, out = (Path(word) for word in sys.argv[1:])
    out.mkdir(parents=True, exist_ok=True)
    result = json.loads((runs / "ml-vae.json").read_text())
    device = f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
    result = {"device": device, **without_places(result, result["data"])}
    (out / "ml-vae.json").write_text(json.dumps(result, indent=2) + "\n")
    shutil.copyfile(runs / "ml-vae.txt", out / "ml-vae.txt")
    for system in PICTURED:
        for figure in FIGURES if system == "corrected" else FIGURES[:2]:
            file = runs / system / "figures" / f"{figure}.png"
            if file.exists():
                shutil.copyfile(file, out / f"{system}-{figure}.png")
    save(curves({name: Run(runs / name).history for name in ("corrected", "plain", "heads")}), out / "curves.png")


if __name__ == "__main__":
    main()
