"""The options of `splitvae train` and `splitvae sweep`, which depend on the choices of a configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from splitvae.cli.choices import as_flag, list_registries
from splitvae.cli.config_options import parse_config
from splitvae.cli.train import TrainOptions
from splitvae.config import Config
from splitvae.models.latents import Gaussian
from splitvae.objectives.rae import RAE
from splitvae.presets.registry import PRESETS, find_preset
from splitvae.utils.settings import fields_of_settings

Command = Callable[..., Any]


def flags_in(help_text: str) -> set[str]:
    """The options that a help lists; its groups are in boxes where the output can have them, and else indented."""
    return set(re.findall(r"^(?:│ |  )(?:-\w, )?(--[\w-]+)", help_text, re.MULTILINE))


def words_of(help_text: str) -> str:
    """The text of a help without boxes and line breaks."""
    return " ".join(re.sub("[│╭╰╮╯─]", " ", help_text).split())


def parsed(preset: str, words: str) -> Config:
    return parse_config(find_preset(preset), words.split(), TrainOptions, "train", "").config


@pytest.mark.parametrize(
    ("words", "shown", "hidden"),
    [
        (
            "mnist-svae",
            "--net --width --blocks --loss --variance --v --kl --beta --sampler --components --epochs --preview-every "
            "--fid-every --out --resume --seeds --report --data",
            "--alpha --margin --hinge --content-dim --fusion --group-members --group-by --independence --penalty "
            "--kl-steps --capacity --sampler-width --pictures --fid --members --evidence --head-units --eps-std",
        ),
        (
            "mnist-intro",
            "--alpha --beta --margin --alpha-decoder --hinge --margin-ratio --vae-epochs --width --doubling --on-alarm",
            "--variance --v --kl --scaling --blocks --depth --beta-rec --content-dim",
        ),
        (
            "mnist-soft-intro",
            "--beta-rec --beta-kl --beta-neg --gamma --vae-epochs",
            "--alpha --beta --margin --variance",
        ),
        (
            "mnist-ml-vae",
            "--content-dim --fusion --content-draw --group-eps-std --group-head-units --group-evidence --group-members "
            "--group-by --independence --embedding",
            "--width --alpha --members --evidence --head-units --eps-std",
        ),
        (
            "mnist-2svae-own",
            "--sampler-epochs --sampler-width --sampler-lr --sampler-noise --spectral-norm",
            "--components --sampler-covariance --sampler-transforms --blocks",
        ),
        ("mnist-rae-l2", "--penalty --penalty-weight --beta", "--variance --kl"),
        ("mnist-svae --loss intro", "--alpha --margin --hinge --width --blocks", "--variance --kl --scaling"),
        ("mnist-svae --net=mlp --latent grouped", "--embedding --content-dim --group-members", "--width --blocks"),
        ("mnist-svae --kl capacity --variance fixed", "--kl-steps --capacity --v", "--alpha"),
    ],
)
def test_the_help_shows_the_options_of_the_choices_alone(command: Command, words: str, shown: str, hidden: str) -> None:
    status, out, _ = command("train", *words.split(), "--help")
    assert status == 0
    flags = flags_in(out)
    assert set(shown.split()) - flags == set()
    assert set(hidden.split()) & flags == set()


@pytest.mark.parametrize("preset", ["mnist-svae", "mnist-ml-vae", "mnist-intro", "mnist-2svae-own", "celeba-rae-gp-own"])
def test_the_help_of_a_preset_has_a_group_for_each_choice_with_its_defaults(command: Command, preset: str) -> None:
    out = command("train", preset, "--help").out
    config = find_preset(preset)
    titles = re.findall(r"^(?:╭─ | )(\S.*?) options ", out, re.MULTILINE)
    choices = [f"--{field.option} {value.name}" for _, field, value in config.walk() if field.registry is not None]
    assert sorted(titles) == sorted([*choices, "data", "model", "training", "monitoring", "hardware"])
    entries = re.findall(r"^(?:│ |  )(--[\w-]+)(.*?)(?=^(?:│ |  )-|\Z)", out, re.MULTILINE | re.DOTALL)
    defaults = {flag: re.findall(r"\(default: (.*?)\)", words_of(text)) for flag, text in entries}
    for option, value in config.options().items():
        shown = " ".join(map(str, value)) if isinstance(value, tuple) else str(value) or "''"
        assert defaults.get(as_flag(option), [shown]) == [shown], option


def test_every_preset_has_a_help(command: Command) -> None:
    assert {command("train", preset, "--help").status for preset in PRESETS} == {0}


def test_no_help_speaks_of_python(command: Command) -> None:
    texts = [command("train", preset, "--help").out for preset in ("mnist-svae", "mnist-ml-vae", "mnist-intro")]
    texts.append(command("train", "--help-all").out)
    for text in texts:
        assert "object or its name" not in words_of(text)
        assert "Creates" not in text
        assert "`" not in text.replace("`splitvae", "").replace("--help`", "").replace("--help-all`", "")


def test_help_all_names_every_choice_with_all_of_its_options(command: Command) -> None:
    status, out, _ = command("train", "--help-all")
    assert status == 0
    assert len(list_registries()) == 6  # networks, latents, losses, variances, KL schedules and samplers
    sections = dict(re.findall(r"^--([\w-]+): the [^\n]*\n(.*?)(?=^--|\Z)", out, re.MULTILINE | re.DOTALL))
    assert list(sections) == [registry.option for registry in list_registries()]
    for registry in list_registries():
        choices = dict(re.findall(r"^  ([\w-]+)\n(.*?)(?=^  \w|\Z)", sections[registry.option], re.MULTILINE | re.DOTALL))
        assert list(choices) == list(registry)
        for name, kind in registry.items():
            flags = re.findall(r"^        (--[\w-]+)", choices[name], re.MULTILINE)
            assert flags == [as_flag(f.option) for f in fields_of_settings(kind) if f.option]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("mnist-svae --alpha 2", "--alpha belongs to --loss intro, and here --loss is elbo"),
        ("mnist-svae --no-sampler-noise", "--sampler-noise belongs to --sampler second-stage"),
        ("mnist-svae --fusion poe", "--fusion belongs to --latent grouped or adaptive, and here --latent is gaussian"),
        ("mnist-intro --variance fixed", "--variance belongs to --loss elbo, and here --loss is intro"),
        ("mnist-svae --group-members 4", "--group-members 4 acts only with a latent of groups, such as --latent grouped"),
        ("mnist-svae --net resnett", "no network is called 'resnett'; did you mean 'resnet'?"),
        ("mnist-svae --loss=itro", "no loss is called 'itro'; did you mean 'intro'"),
        ("mnist-svae --kl linear", "known are: capacity, constant, cyclical, warmup."),
        ("mnist-svae --width 0", "--width 0"),
    ],
)
def test_an_option_that_does_not_fit_is_refused_with_what_it_needs(command: Command, words: str, answer: str) -> None:
    status, out, err = command("train", *words.split())
    assert (status, out) == (2, "")
    assert answer in err
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("--widht 4", "--width"),
        ("--preview-evry 4", "--preview-every"),
        ("--seedz 2", "--seeds"),
        ("--pictures 4", "Unrecognized options: --pictures"),
        ("--fid 4", "--fid-every"),
        ("--net --width 4", "--net"),
        ("--epochs many", "--epochs"),
        ("--scaling grams", "'units'"),
    ],
)
def test_a_misspelt_option_names_the_nearest(command: Command, words: str, answer: str) -> None:
    status, out, err = command("train", "digits-svae", *words.split())
    assert status == 2
    assert answer in out + err
    assert "Traceback" not in out + err


def test_choices_and_their_options_are_parsed_together() -> None:
    config = parsed("mnist-svae", "--net mlp --embedding 32 --latent=grouped --content-dim 4 --group-members 2 --no-mirror")
    assert config.model.net.to_json() == {"name": "mlp", "embedding": 32}
    assert config.model.latent.options()["content_dim"] == 4
    assert (config.data.group_members, config.data.mirror) == (2, False)
    config = parsed("mnist-svae", "--kl capacity --capacity 30 --loss elbo --variance fixed --v 0.5 --crop None")
    assert config.options()["capacity"] == 30
    assert (config.options()["variance"], config.options()["v"], config.data.crop) == ("fixed", 0.5, None)


def test_typed_settings_are_explicit_and_others_are_not() -> None:
    words = ["--loss", "intro", "--alpha", "0.5", "--width=64", "--out", "x"]  # 64 is the default
    result = parse_config(find_preset("mnist-svae"), words, TrainOptions, "train", "")
    assert result.explicit_fields == {"loss": "intro", "alpha": 0.5, "width": 64}
    assert result.command == TrainOptions(out=Path("x"))


def test_a_setting_that_would_not_act_can_be_switched_off_with_its_choice() -> None:
    config = parsed("mnist-ml-vae", "--latent gaussian --independence 0")
    assert config.model.latent == Gaussian()
    assert isinstance(parsed("mnist-ml-vae", "--latent gaussian --loss rae").objective, RAE)


def test_intervals_and_options_of_groups_reach_the_run(command: Command, tmp_path: Path) -> None:
    words = "--latent grouped --group-members 4 --group-evidence 2 --group-head-units 8 --group-eps-std 0.5 --content-dim 4"
    sizes = "--width 4 --embedding 16 --epochs 1 --preview-every 1 --fid-every 1 --no-report --out run"
    status, _, err = command("train", "digits-svae", *words.split(), *sizes.split())
    assert status == 0, err
    config = json.loads(Path("run/config.json").read_text())
    assert config["model"]["latent"] == {
        "name": "grouped",
        "content_dim": 4,
        "fusion": "poe",
        "content_draw": "group",
        "eps_std": 0.5,
        "head_units": 8,
        "evidence_members": 2,
    }
    assert config["data"]["group_members"] == 4
    assert config["monitoring"] == {"preview_every": 1, "fid_every": 1, "on_alarm": "stop", "logger": "tensorboard"}
    (row,) = map(json.loads, Path("run/history.jsonl").read_text().splitlines())
    assert row["fid"] > 0
    assert list(Path("run").rglob("*.png"))


def test_the_help_of_a_sweep_shows_the_grid_once(command: Command) -> None:
    status, out, _ = command("sweep", "mnist-intro", "--help")
    assert status == 0
    for option in ("--alpha", "--beta", "--margin"):
        assert re.findall(rf"^(?:│ |  ){option} (.*?)  ", out, re.MULTILINE) == ["FLOAT ..."]
    assert {"--alpha-decoder", "--hinge", "--width", "--out"} <= flags_in(out)
    assert not {"--seeds", "--resume", "--variance"} & flags_in(out)
