"""Settings of introspective objectives: what a file holds of them, and warnings."""

from __future__ import annotations

import json
from typing import Any

import pytest

import splitvae
from splitvae.objectives.introvae import Intro
from splitvae.objectives.soft_introvae import SoftIntro


@pytest.mark.parametrize(
    "objective",
    [
        Intro(0.3, 0.7, 33.0, 0.4, "sample", ambiguity=0.1, smoothness=0.2),
        Intro(),
        SoftIntro(0.9, 0.8, 77.0, 0.5, ambiguity=0.1, smoothness=0.2),
    ],
)
def test_a_config_holds_all_settings_of_its_objective(objective: Intro | SoftIntro) -> None:
    config = splitvae.Config(objective=objective)
    read = splitvae.Config.from_json(json.loads(json.dumps(config.to_json())))
    assert read == config and type(read.objective) is type(objective)
    assert read.objective.build(5).vae_steps == 0


def test_weights_that_are_functions_are_not_written() -> None:
    values = Intro(alpha=lambda step: 0.1, beta=0.7).to_json()
    assert "alpha" not in values and values["beta"] == 0.7


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"alpha": 0.0}, "plain VAE; alpha=0.25"),
        ({"alpha": 0.0, "alpha_decoder": 0.5}, "plain VAE but for its decoder, whose alpha_decoder=0.5"),
        ({"margin": 5000.0}, "more than 25 nats of each of 32 latent variables"),
        ({"loss": "soft-intro", "beta_neg": 0.0}, "beta_neg=256"),
        ({"vae_epochs": 100}, "all 100 epochs train a plain VAE"),
    ],
)
def test_settings_that_are_probably_a_mistake_get_a_warning(fields: dict[str, Any], words: str) -> None:
    config = splitvae.Config().override(**{"loss": "intro", **fields})
    (warning,) = config.objective.warnings(config.model.latent_dim, config.training.epochs)
    assert words in warning
