"""Tests of `open_run`: one step to a run, and a sentence for what is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import splitvae
from splitvae import UserError, open_run


@pytest.fixture
def run(tmp_path: Path, make_run: Callable[..., Any], noise_file: Path) -> splitvae.Run:
    return make_run(tmp_path / "runs" / "first", noise_file)


def change(run: splitvae.Run, **values: object) -> None:
    """Changes values in the config.json of a run."""
    file = run.path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_a_run_is_opened_in_one_step(run: splitvae.Run) -> None:
    opened = open_run(str(run.path))
    assert opened.vae.fingerprint() == run.vae.fingerprint() and not opened.vae.training
    assert (opened.config, len(opened.history), opened.evaluation) == (run.config, 5, {})
    assert opened.codes("test").mean.shape == (24, 4)
    assert repr(opened) == f"Run({str(run.path)!r})"


def test_a_picture_is_prepared_as_the_images_of_the_run_were(tmp_path: Path, make_run: Callable[..., Any]) -> None:
    padded = make_run(tmp_path / "padded", None, pad=2, crop=20, shape=(1, 16, 16))
    picture = Image.new("RGB", (30, 40))
    picture.paste((255, 255, 255), (5, 10, 25, 30))  # the centre square of 20 pixels
    images = padded.prepare(picture)
    assert images.shape == padded.vae.shape == (1, 16, 16)
    assert images.pixels[0, 0, 2:-2, 2:-2].min() == 255 and int((images.pixels == 0).sum()) == 16 * 16 - 12 * 12
    assert padded.vae.encode(images).mean.shape == (1, 4)


def test_what_is_no_run_is_answered_in_a_sentence(run: splitvae.Run, tmp_path: Path) -> None:
    run.vae.save_pretrained(tmp_path / "model")
    (tmp_path / "empty").mkdir()
    for path, message in (
        ("runs/frist", r"runs/frist does not exist; did you mean 'first'\?"),
        ("nowhere/first", "does not exist; `splitvae train` makes runs"),
        ("runs", r"is no run, but holds runs; give one of them, such as .*runs/first\."),
        ("runs/first/history.jsonl", r"is a file; give the folder of a run, such as .*runs/first\."),
        ("model", r"is a model without its run; `splitvae.VAE.from_pretrained\("),
        ("runs/first/model", "is a model without its run"),
        ("empty", "holds no run"),
    ):
        with pytest.raises(UserError, match=message):
            open_run(tmp_path / path)


@pytest.mark.parametrize("values", [{"format": 99}, {"holography": True}, {"model": {"net": {"name": "hologram"}}}])
def test_a_run_of_a_newer_version_says_so(run: splitvae.Run, values: dict[str, Any]) -> None:
    change(run, splitvae="99.1", **values)
    with pytest.raises(UserError, match=r"It was written by splitvae 99\.1, which is newer than this"):
        open_run(run.path)
    change(run, splitvae=splitvae.__version__)
    with pytest.raises(UserError) as error:  # a damaged run of this version is not said to be newer
        open_run(run.path)
    assert "It was written by" not in str(error.value)


def test_a_run_of_a_newer_version_that_can_be_read_is_noted_once(
    run: splitvae.Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert open_run(run.path).version == splitvae.__version__ and capsys.readouterr().err == ""
    change(run, splitvae="99.1")
    assert open_run(run.path).vae.split == open_run(run.path).vae.split
    notes = capsys.readouterr().err.splitlines()
    assert len(notes) == 1 and "config.json was written by splitvae 99.1, which is newer than this one" in notes[0]


def test_a_model_of_a_newer_version_in_a_run_says_so(run: splitvae.Run) -> None:
    file = run.path / "model" / "config.json"
    settings = json.loads(file.read_text())
    file.write_text(json.dumps(settings | {"splitvae": "99.1", "net": {"name": "hologram"}}))
    with pytest.raises(UserError, match=r"hologram.* was written by splitvae 99\.1, which is newer than this"):
        _ = open_run(run.path).vae
    file.write_text(json.dumps(settings | {"latent_dim": 5}))
    with pytest.raises(UserError, match=r"of another model .*`splitvae train --resume --out .* writes it again"):
        _ = open_run(run.path).vae
    assert torch.is_grad_enabled()


def test_a_model_is_not_written_over_its_run(run: splitvae.Run) -> None:
    with pytest.raises(UserError, match=r"is a run, which has its model in .*model; give another folder"):
        run.vae.save_pretrained(run.path)
    assert open_run(run.path).config == run.config


def test_images_of_which_a_part_was_trained_on_are_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], noise_file: Path
) -> None:
    images = splitvae.load(noise_file)
    options = {"width": 4, "epochs": 1, "batch_size": 10, "progress": False, "split": 1}
    splitvae.train(images=images[:20], out=tmp_path / "part", **options)
    splitvae.train(images=images, out=tmp_path / "whole", **options)
    for name, words in (("part", "which are not those that"), ("whole", "")):
        splitvae.open_run(tmp_path / name).images("train")
        assert words in (said := capsys.readouterr().err) and bool(words) == ("training images now" in said)


def test_a_source_that_changed_since_the_training_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(40):
        Image.new("L", (16, 16), 5 * number).save(photos / f"{number}.png")
    splitvae.train(images=photos, out=photos / "runs" / "a", width=4, epochs=1, preview_every=0, progress=False)
    (photos / "runs" / "a" / "figures").mkdir(exist_ok=True)
    Image.new("L", (16, 16)).save(photos / "runs" / "a" / "figures" / "samples.png")
    again = open_run(photos / "runs" / "a")
    assert len(again.images("test")) == 4 and capsys.readouterr().err == ""  # its own figures are no images
    assert "skipped 1 folder of trainings" in again.images("train").notes[-1]
    Image.new("L", (16, 16), 99).save(photos / "more.png")
    open_run(photos / "runs" / "a").images("test")
    assert "had 40 images when" in (note := capsys.readouterr().err) and "and has 41 now" in note
    photos.rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"was trained on .*photos, which is not here; `run.images"):
        open_run(tmp_path / "elsewhere" / "runs" / "a").images("test")
