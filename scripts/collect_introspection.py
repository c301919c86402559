"""Prints one row for each introspective run: its settings, the KLs of its last epoch, and its samples' quality.

python scripts/collect_introspection.py runs/trials/* > results/mnist-introspection/trials.txt

Train the runs with `--fid-every 1`, so that samples of the prior are measured against training images after each epoch.
"""

from __future__ import annotations

import sys
from pathlib import Path

import splitvae
from splitvae.evaluation.diagnostics import cached_or_diagnose
from splitvae.utils.text import align_columns, format_number

HEADINGS = ["data", "net", "α", "α dec", "β", "margin", "VAE ep", "epochs", "batch", "lr", "ema"]
HEADINGS += ["KL images", "rec", "samples", "MSE", "Fréchet", "sharpness", "power ratio"]


def format_row(run: splitvae.Run) -> list[str]:
    """Returns the cells of a run, in the order of `HEADINGS`."""
    config, last, evaluation = run.config.options(), run.history[-1], cached_or_diagnose(run)
    if config["loss"] == "soft-intro":
        weights = ["soft", "", f"{config['beta_rec']:g}/{config['beta_kl']:g}/{config['beta_neg']:g}", ""]
    else:
        alpha_decoder = "" if config["alpha_decoder"] is None else f"{config['alpha_decoder']:g}"
        margin = f"{config['margin']:g}" if config["alpha"] else ""
        weights = [f"{config['alpha']:g}", alpha_decoder, f"{config['beta']:g}", margin]
    norm = " group" if config.get("norm") == "group" else ""
    kls = [format_number(last[f"kl_{name}"]) if f"kl_{name}" in last else "" for name in ("real", "rec", "fake")]
    samples = evaluation["samples"]
    return [
        run.config.preset.split("-")[0],
        f"{config['net']} {config['width']} k{config.get('kernel', 3)}{norm}",
        *weights,
        str(config["vae_epochs"]),
        str(last["epoch"]),
        str(config["batch_size"]),
        f"{config['lr']:g}",
        f"{config['ema']:g}",
        *kls,
        format_number(evaluation["reconstruction"]["mse"]["value"]),
        format_number(last["fid"]),
        format_number(samples["sharpness"]["value"]),
        format_number(samples["power_ratio"]["value"]),
    ]


if __name__ == "__main__":
    print(align_columns(HEADINGS, [format_row(splitvae.Run(Path(word))) for word in sys.argv[1:]]))
