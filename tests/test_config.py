"""Settings: nested objects with flat names, what an override keeps, and config.json with its format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import splitvae
from splitvae.config import FORMAT, Config, Data
from splitvae.errors import UserError
from splitvae.models.latents import Adaptive, Gaussian, Grouped
from splitvae.networks.introvae import IntroVAE
from splitvae.networks.residual import Residual
from splitvae.networks.strided import BetaVAE
from splitvae.objectives.elbo import ELBO
from splitvae.objectives.introvae import Intro
from splitvae.objectives.kl_weight import WarmUp
from splitvae.objectives.rae import RAE
from splitvae.objectives.variance import Computed, Learned
from splitvae.presets.registry import PRESETS
from splitvae.samplers.second_stage import SecondStage


@pytest.mark.parametrize("name", PRESETS)
def test_a_config_is_what_its_json_describes(name: str) -> None:
    values = json.loads(json.dumps(PRESETS[name].to_json()))
    assert values["format"] == FORMAT
    assert Config.from_json(values) == PRESETS[name]


@pytest.mark.parametrize("name", PRESETS)
def test_flat_names_are_unique_and_rebuild_a_config(name: str) -> None:
    preset = PRESETS[name]
    names = [field.option for _, field, _ in preset.walk()]
    assert len(names) == len(set(names))
    assert Config(preset=name).override(**preset.options()) == preset


def test_a_choice_is_an_object_a_name_or_what_json_holds() -> None:
    written = Learned(v=0.5).to_json()
    for variance in (Learned(0.5), written):
        assert ELBO(variance=variance).variance == Learned(0.5)  # type: ignore[arg-type]  # a dictionary from JSON
    assert ELBO(variance="learned").variance == Learned()  # type: ignore[arg-type]  # a name stands for its defaults


def test_a_new_choice_keeps_what_it_shares_with_the_old_one_and_was_set() -> None:
    config = Config().override(width=16, kernel=3)
    assert config.override(net="higgins").model.net == BetaVAE(width=16)  # not the kernel, which was a default
    assert config.override(net=BetaVAE()).model.net == BetaVAE()  # an object is taken as it is
    assert config.override(net="intro", width=8).model.net == IntroVAE(8)
    assert config.override(net="resnet").model.net == Residual(width=16)
    grouped = Config().override(latent="grouped", fusion="mean")
    assert grouped.override(latent="adaptive").model.latent == Adaptive("mean")


def test_weights_of_one_objective_mean_nothing_to_another_but_for_those_of_the_split() -> None:
    config = Config().override(beta=8, ambiguity=0.5)
    assert config.override(loss="rae").objective == RAE(ambiguity=0.5)
    assert config.override(loss="intro", margin=20).objective == Intro(margin=20, ambiguity=0.5)


def test_nested_choices_are_reached_by_flat_names() -> None:
    config = Config().override(variance="learned", v=0.2, kl="warmup", kl_steps=50, sampler="second-stage", sampler_lr=0.1)
    assert config.objective == ELBO(variance=Learned(0.2), kl=WarmUp(50))
    assert config.sampler == SecondStage(lr=0.1)
    assert config.override(loss=ELBO(2, Computed(0.3))).options()["v"] == 0.3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha": 0.1}, "alpha belongs to loss intro, and here loss is elbo; choose loss intro, or leave alpha out"),
        ({"kl_steps": 5}, "kl_steps belongs to kl warmup or cyclical or capacity, and here kl is constant"),
        ({"content_dim": 3}, "choose latent grouped"),
        ({"widht": 3}, "did you mean 'width'"),
        ({"net": "resnt"}, "no network is called 'resnt'; did you mean 'resnet'"),
        ({"fusion": "po", "latent": "grouped"}, "fusion='po' is unknown; did you mean 'poe'"),
        ({"group_members": 4}, "acts only with a latent of groups"),
        ({"independence": 4.0}, "latent='grouped'"),
        ({"epochs": 0}, "epochs=0 must be at least 1"),
        ({"loss": "rae", "beta": -1.0}, "beta=-1.0 must be a number of at least 0"),
        ({"loss": "rae", "penalty": "gradient", "compile": True}, "second derivatives"),
        ({"shape": (3, 32, 16)}, "not (channels, side, side)"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_what_to_choose(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as caught:
        Config().override(**options)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"format": FORMAT + 1},
            f"is of format {FORMAT + 1}, and this version of splitvae reads up to {FORMAT}; install a newer",
        ),
        ({"format": None}, "no longer read; train the run anew"),
        ({"modle": {}}, "field 'modle' unknown here; did you mean 'model'"),
        ({"model": {"net": {"name": "of-the-future"}}}, "no network is called 'of-the-future'"),
        ({"training": {"epochs": "many"}}, "epochs='many' must be a whole number"),
    ],
)
def test_a_config_file_that_cannot_be_read_is_refused_in_a_sentence(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    run = splitvae.Run.begin(tmp_path / "run", Config(data=Data("digits")), {"total": 1})
    values = json.loads((run.path / "config.json").read_text())
    assert values["splitvae"] == splitvae.__version__ and values["parameters"] == {"total": 1}
    values |= change
    (run.path / "config.json").write_text(json.dumps({k: v for k, v in values.items() if v is not None}))
    with pytest.raises(UserError) as caught:
        splitvae.Run(run.path)
    assert words in str(caught.value) and "config.json" in str(caught.value)


def test_settings_are_frozen_and_shared_safely() -> None:
    with pytest.raises(AttributeError):
        PRESETS["mnist-svae"].training.epochs = 3  # type: ignore[misc]  # what must not work
    assert Config().model.latent is Config().model.latent and Config().model.latent == Gaussian()


def test_a_model_takes_objects_names_and_flat_options_alike() -> None:
    by_objects = splitvae.VAE((1, 16, 16), 4, net=Residual(width=4, scales=2, embedding=8), latent=Grouped(content_dim=1))
    by_names = splitvae.VAE((1, 16, 16), 4, net="resnet", latent="grouped", width=4, scales=2, embedding=8, content_dim=1)
    assert by_objects.settings == by_names.settings
    with pytest.raises(UserError, match="alpha"):
        splitvae.VAE((1, 16, 16), alpha=1)
