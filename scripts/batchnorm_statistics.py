"""Prints what samples and reconstructions of a run are like with each kind of statistics of its decoder's BatchNorm.

python scripts/batchnorm_statistics.py RUN ...

The statistics are recomputed from 40 batches of 128 training images, and not saved. `power` is the ratio of samples' power
at high frequencies to that of images, `ink` the ratio of their mean pixels (metrics/high_frequencies.py); 1 is right.
"""

from __future__ import annotations

import copy
import sys
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

import splitvae
from splitvae.metrics.high_frequencies import high_frequency_power, power_ratio
from splitvae.networks.layers import recompute_batchnorm
from splitvae.utils.text import align_columns

BATCHES, SIZE, TEST_IMAGES = 40, 128, 2048
HEADINGS = ["run", "statistics of the decoder", "power", "ink", "MSE"]


def decode_codes(vae: splitvae.VAE, x: Tensor) -> None:
    """Makes the passes of a plain VAE."""
    vae(x)


def decode_prior(vae: splitvae.VAE, x: Tensor) -> None:
    """Decodes draws of the prior alone."""
    vae.encode(x)
    vae.decode(torch.randn(len(x), vae.latent_dim))


def decode_both(vae: splitvae.VAE, x: Tensor) -> None:
    """Makes the passes of an introspective objective."""
    vae(x)
    vae.decode(torch.randn(len(x), vae.latent_dim))


@torch.no_grad()
def measure(vae: splitvae.VAE, test: Tensor) -> list[str]:
    """Returns the last three cells of a row."""
    torch.manual_seed(1)
    samples = torch.cat([vae.decode(torch.randn(SIZE, vae.latent_dim)).image for _ in range(TEST_IMAGES // SIZE)])
    errors = [(vae.decode(vae.encode(x).mean).image - x).square().mean() for x in test.split(SIZE)]
    power = power_ratio(high_frequency_power(samples), high_frequency_power(test))
    return [f"{power:.3f}", f"{samples.mean() / test.mean():.3f}", f"{torch.stack(errors).mean():.5f}"]


def format_rows(run: splitvae.Run) -> list[list[str]]:
    """Returns the rows of a run."""
    train, test = (run.images(part).pixels for part in ("train", "test"))
    test = test[:TEST_IMAGES].float() / 255
    vae = run.vae.eval()
    rows = [["as saved", *measure(vae, test)]]
    if any(isinstance(m, torch.nn.modules.batchnorm._BatchNorm) for m in vae.decoder.modules()):
        training = copy.deepcopy(vae)
        training.decoder.train()
        rows.append(["those of each batch", *measure(training, test)])
        passes = {"codes of images": decode_codes, "both": decode_both, "draws of the prior": decode_prior}
        for name, make_passes in passes.items():
            torch.manual_seed(0)
            batches = (train[i * SIZE : (i + 1) * SIZE].float() / 255 for i in range(BATCHES))
            with torch.no_grad():
                recompute_batchnorm(vae.train(), (partial(make_passes, vae, x) for x in batches))
            rows.append([name, *measure(vae.eval(), test)])
    return [[run.path.name, *row] for row in rows]


if __name__ == "__main__":
    print(align_columns(HEADINGS, [row for word in sys.argv[1:] for row in format_rows(splitvae.Run(Path(word)))]))
