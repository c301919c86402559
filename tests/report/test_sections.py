"""What pages about one run and about several share."""

from __future__ import annotations

from splitvae.config import Config
from splitvae.presets.registry import find_preset
from splitvae.report.sections import train_command


def test_a_command_names_the_preset_and_what_differs_from_it() -> None:
    config = find_preset("mnist-svae", data="my data", latent_dim=16, mirror=True, shape=(1, 64, 64))
    expected = "splitvae train mnist-svae --data 'my data' --mirror --shape 1 64 64 --latent-dim 16 --out runs/first"
    assert train_command(config, "runs/first") == expected
    assert (
        train_command(find_preset("cifar10-svae", mirror=False), "x") == "splitvae train cifar10-svae --no-mirror --out x"
    )
    assert train_command(Config().override(data="photos", split=3), "x") == "splitvae train --data photos --split 3 --out x"
