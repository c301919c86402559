"""Prints one row a run of introspective trials: settings, KLs of the last epoch, distance and sharpness of samples.

python scripts/collect_introspection.py runs/trials/* > results/introspection/trials.txt

Runs are trained with `--fid 1`, which measures samples of the prior against training images at the end of each epoch.
"""

from __future__ import annotations

import sys
from pathlib import Path

import splitvae
from splitvae.evaluation.diagnostics import current
from splitvae.utils.text import aligned, number

HEADINGS = ["data", "net", "α", "α dec", "β", "margin", "VAE ep", "epochs", "batch", "lr", "ema"]
HEADINGS += ["KL images", "rec", "samples", "MSE", "Fréchet", "sharpness", "power ratio"]


def row(run: splitvae.Run) -> list[str]:
    """What one run was told, and what came out."""
    config, last, measured = run.config, run.history[-1], current(run)
    soft = config.loss == "soft-intro"
    weights = (
        ["soft", "", f"{config.beta_rec:g}/{config.beta_kl:g}/{config.beta_neg:g}", ""]
        if soft
        else [
            f"{config.alpha:g}",
            "" if config.alpha_decoder is None else f"{config.alpha_decoder:g}",
            f"{config.beta:g}",
            f"{config.margin:g}" if config.alpha else "",
        ]
    )
    kls = [number(last[f"kl_{name}"]) if f"kl_{name}" in last else "" for name in ("real", "rec", "fake")]
    samples = measured["samples"]
    return [
        config.preset.split("-")[0],
        f"{config.net} {config.width} k{config.kernel}",
        *weights,
        str(config.vae_epochs),
        str(last["epoch"]),
        str(config.batch_size),
        f"{config.lr:g}",
        f"{config.ema:g}",
        *kls,
        number(measured["reconstruction"]["mse"]["value"]),
        number(last["fid"]),
        number(samples["sharpness"]["value"]),
        number(samples["power_ratio"]["value"]),
    ]


if __name__ == "__main__":
    print(aligned(HEADINGS, [row(splitvae.Run(Path(word))) for word in sys.argv[1:]]))
