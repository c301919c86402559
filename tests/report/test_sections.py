"""What pages about one run and about several share."""

from __future__ import annotations

from splitvae.config import Config
from splitvae.presets.registry import find_preset
from splitvae.report.sections import changed_fields, train_command


def test_a_command_names_the_preset_and_what_differs_from_it() -> None:
    config = find_preset("mnist-svae", data="my data", latent_dim=16, mirror=True, shape=(1, 64, 64))
    expected = "splitvae train mnist-svae --data 'my data' --mirror --shape 1 64 64 --latent-dim 16 --out runs/first"
    assert train_command(config, "runs/first") == expected
    assert (
        train_command(find_preset("celeba64-intro", mirror=False), "x")
        == "splitvae train celeba64-intro --no-mirror --out x"
    )
    assert train_command(Config().override(data="photos", split=3), "x") == "splitvae train --data photos --split 3 --out x"


def test_settings_that_act_only_with_a_choice_are_changed_together_with_it() -> None:
    grouped = find_preset("mnist-svae", latent="grouped", group_members=4, content_dim=8)
    plain = find_preset("mnist-ml-vae", latent="gaussian", independence=0)
    for preset, config in (("mnist-svae", grouped), ("mnist-ml-vae", plain)):
        base = find_preset(preset)
        assert base.override(**changed_fields(config, base)) == config
        assert config.override(**changed_fields(base, config)) == base
    command = "splitvae train mnist-svae --latent grouped --group-members 4 --content-dim 8 --out x"
    assert sorted(train_command(grouped, "x").split()) == sorted(command.split())
    assert train_command(find_preset("mnist-intro", loss="elbo"), "x").count("--independence") == 0
