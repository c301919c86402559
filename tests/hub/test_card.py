"""Tests of the model card: it says what the run knows, with deviations and protocol, and nothing of this machine."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import splitvae
from splitvae import UserError
from splitvae.hub import LICENCES, write_card, write_repository

MEASURED = {"value": 0.0335, "deviation": 0.0005}
DISTANCES = ("fid", "fid_infinity", "kid", "precision", "recall", "density", "coverage")


@pytest.fixture
def run(tmp_path: Path, make_run: Callable[..., Any], noise_file: Path) -> splitvae.Run:
    return make_run(tmp_path / "secret" / "first", noise_file)


def measure(run: splitvae.Run, fingerprint: str = "") -> None:
    """Writes an evaluation of a run, with one score."""
    bank = {"blend": {name: {"value": 8.39, "deviation": 0.26} for name in DISTANCES}}
    source = run.config.data.source
    score = {
        "protocol": "clean",
        "extractor": {"name": "mnist", "fingerprint": "f4c6a34a", "note": "not Inception"},
        "real": {"source": source, "part": "test", "images": 24, "shape": [1, 16, 16], "sha256": "0c20c0a9"},
        **{"generated": 24, "padding": "none", "seed": 0, "notes": [], "banks": {"GEN": bank}},
        "sampler": {"name": "flow", "parameters": {}, "fit_info": {"epochs": 3}},
    }
    evaluation = {
        "model": {"fingerprint": fingerprint or run.vae.fingerprint(), "steps": 50, "latent_dim": 4, "parameters": {}},
        "data": {"source": source, "part": "test", "images": 24, "sha256": "0c20c0a9"},
        "reconstruction": {"mse": MEASURED},
        "scores": {"clean flow mnist": score},
    }
    (run.path / "evaluation.json").write_text(json.dumps(evaluation))


def test_a_card_says_what_the_run_knows(run: splitvae.Run) -> None:
    measure(run)
    card = write_card(run.vae, "me/digits", "cc-by-4.0", run, ["samples.png"])
    assert card.startswith("---\nlicense: cc-by-4.0\nlibrary_name: splitvae\n")
    for words in (
        '\nvae = splitvae.VAE.from_pretrained("me/digits")\n',
        "A Split-VAE, whose decoder blends 2 images by maps, for gray images of 16 x 16 pixels: 4 latent variables",
        "![Samples from the prior](samples.png)",
        f"| fingerprint of the weights | {run.vae.fingerprint()} |",
        f"| version | splitvae {splitvae.__version__} |",
        "Measured on 24 test images of `a<b>&'c.npz` (SHA-256 0c20c0a9), each number ± the deviation of the measurement.",
        "| test MSE, decoded from the posterior mean | 0.0335 ± 0.00050 |",
        "**Caution.** 24 test images are too few",
        "protocol clean",
        "| Fréchet distance of x̂ | 8.39 ± 0.26 |",
        "features mnist f4c6a34a; seed 0; protocol clean; EX-POST by flow (3 epochs); not Inception.",
        "| `latent_dim` | `4` |",
        "asperti2022split",  # the split
        "durkan2019neural",  # the flow
        "heusel2017gans",  # the distance
    ):
        assert words in card, words
    command = re.search(r"## Command\n\n```\nsplitvae train digits-svae .*--width 4 .*--out runs/first\n```", card)
    assert command is not None
    assert "--" not in card.replace(command[0], "").replace("---", "")  # no other words of the command line


def test_a_card_names_no_folder_of_this_machine(run: splitvae.Run, tmp_path: Path) -> None:
    measure(run)
    card = write_card(run.vae, "me/digits", "mit", run)
    assert str(tmp_path) not in card and "secret" not in card and str(Path.home()) not in card
    assert str(Path(run.config.data.source or "").parent) not in card


def test_what_was_measured_of_other_weights_is_left_out(run: splitvae.Run) -> None:
    assert "Nothing was measured yet." in write_card(run.vae, "me/digits", "mit", run)
    measure(run, "0123456789abcdef")
    card = write_card(run.vae, "me/digits", "mit", run)
    assert "is of other weights" in card and "0.0335" not in card and "heusel" not in card


def test_a_model_alone_has_a_card_of_what_it_knows() -> None:
    vae = splitvae.VAE((3, 16, 16), 4, split=1, net="mlp", embedding=8, latent="grouped")
    card = write_card(vae, "me/mine", "other")
    assert "A variational autoencoder, for colour images of 16 x 16 pixels: 4 latent variables" in card
    assert "## Training" not in card and "## Results" not in card and "bouchacourt2018multi" in card


def test_a_data_set_of_the_hub_is_named_as_the_hub_names_it(run: splitvae.Run) -> None:
    run.config = run.config.override(data="hf://uoft-cs/cifar10:train")
    assert "\ndatasets:\n- uoft-cs/cifar10\n---\n" in write_card(run.vae, "me/cifar", "mit", run)


@pytest.mark.parametrize(("licence", "message"), [("", "say under which licence"), ("cc-by", "did you mean 'cc-by-4.0'")])
def test_a_licence_must_be_given(run: splitvae.Run, tmp_path: Path, licence: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        write_repository(run, tmp_path / "out", licence)
    assert not (tmp_path / "out").exists()
    assert "mit" in LICENCES
