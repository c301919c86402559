"""The page of the experiment on the Multi-Level VAE: tables, figures and numbers, copied from the folder of its runs.

No file that is written here holds a path of the machine: images and checkpoints are called by a name.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..figures.io import save_figure
from ..figures.training_curves import plot_training_curves
from ..runs import Run
from ..studies.categories import shorten_source
from ..studies.ml_vae_systems import RELEASED, SYSTEMS, SYSTEMS_WITH_FIGURES
from ..studies.ml_vae_tables import ml_vae_table
from ..utils.files import write_json, write_text
from ..utils.machine import describe_device
from .records import rename_sources

__all__ = ["NAME", "write_ml_vae_page"]

NAME = "ml-vae"
CHECKPOINTS = "RELEASED"  # what the page calls the folder of the released checkpoints
CURVES = ("corrected", "plain", "heads")  # the systems whose training curves are drawn together
CAPTIONS = {
    "swaps": "each image has the style of its row and the content of its column, which comes from one image",
    "swaps-evidence": "the same, with the content of all images of a digit in a batch",
    "code-maps": "style and content of test images, projected",
    "style-interpolations": "between two styles, at the same content",
    "content-interpolations": "between two contents, at the same style",
    "probes": "accuracy of probes by the number of images whose evidence is fused",
}
README_CAPTIONS = {
    "readme-code-maps": "style and content of the README's two models, by t-SNE",
    "readme-curves": "training curves of the README's two models",
    **{
        f"released-{std}-swaps{kind}": f"the released model with noise of deviation {std}: {CAPTIONS[f'swaps{kind}']}"
        for std in RELEASED.values()
        for kind in ("", "-evidence")
    },
}
INTRODUCTION = (
    "The public code's models are trained and probed as in that code, beside an untrained network. All other systems are "
    "judged by probes of posterior means. That code calls the content class."
)


def write_ml_vae_page(result: Mapping[str, Any], runs: Path, out: Path) -> Path:
    """Writes out/ml-vae.json, out/ml-vae.md and the folder out/ml-vae with figures, and returns the page.

    Arguments:
        result: What `reproduce_ml_vae` returned.
        runs: The folder of its runs.
        out: The folder of the results.
    """
    names = {str(result["data"]): shorten_source(str(result["data"]))}
    if result["checkpoints"]:
        names[result["checkpoints"]["folder"]] = CHECKPOINTS
    result = rename_sources(dict(result), names) | {"device": describe_device()}
    write_json(out / f"{NAME}.json", result)
    figures = _copy_figures(runs, out / NAME)
    command = ["splitvae", "reproduce", NAME, "--epochs", str(result["epochs"])]
    command += ["--data", result["data"]] if result["data"] != "mnist" else []
    command += ["--checkpoints", CHECKPOINTS] if result["checkpoints"] else []
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    lines = ["# MNIST: the Multi-Level VAE, its public code and models that train", "", INTRODUCTION, ""]
    lines += [f"    {' '.join(command)}", "", f"{result['device']}; {versions}.", ""]
    lines += [*(f"    {line}" for line in ml_vae_table(result).splitlines()), "", "## Pictures", ""]
    for file, caption in figures.items():
        lines += [f"**{caption}**", "", f"![{caption}]({NAME}/{file})", ""]
    page = out / f"{NAME}.md"
    write_text(page, "\n".join(lines).rstrip() + "\n")
    return page


def _copy_figures(runs: Path, folder: Path) -> dict[str, str]:
    """Copies the figures of the systems that have some, and draws their curves; returns captions by the names of files."""
    folder.mkdir(parents=True, exist_ok=True)
    captions = {}
    for system in SYSTEMS_WITH_FIGURES:
        for figure, caption in CAPTIONS.items():
            drawn = runs / system / "figures" / f"{figure}.png"
            if drawn.exists():
                shutil.copyfile(drawn, folder / f"{system}-{figure}.png")
                captions[f"{system}-{figure}.png"] = f"{system} ({SYSTEMS[system].description}): {caption}"
    for figure, caption in README_CAPTIONS.items():
        drawn = runs / "figures" / f"{figure}.png"
        if drawn.exists():
            shutil.copyfile(drawn, folder / f"{figure}.png")
            captions[f"{figure}.png"] = caption
    histories = {name: Run(runs / name).history for name in CURVES if (runs / name / "config.json").exists()}
    if histories:
        save_figure(plot_training_curves(histories), folder / "curves.png")
        captions["curves.png"] = "training curves"
    return captions
