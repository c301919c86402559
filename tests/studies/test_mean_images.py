"""Mean images of data sets: exact means, the identity of variances, and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from splitvae.cli.app import main
from splitvae.data.images import Images
from splitvae.errors import UserError
from splitvae.figures.mean_images import describe_mean_images
from splitvae.studies.mean_images import mean_image, mean_image_table, measure_mean_images


@pytest.fixture
def images() -> Images:
    """240 images (3, 6, 6) of noise, brighter on the left."""
    levels = 120 + 20 * torch.randn(240, 3, 6, 6) + torch.tensor([30.0, 0.0]).repeat_interleave(3)
    return Images(levels.clamp(0, 255).byte(), None, (), "levels", "train", ())


def test_the_mean_image_is_exact() -> None:
    pixels = torch.randint(0, 256, (601, 3, 5, 4), dtype=torch.uint8)
    mean = mean_image(Images(pixels, None, (), "noise", "train", ()))
    assert mean.dtype == torch.float64
    assert torch.equal(mean[0], torch.from_numpy(pixels.numpy().astype(object).sum(0).astype(float)) / (255 * 601))


def test_the_variance_is_that_of_the_mean_image_plus_that_around_it(images: Images) -> None:
    (result,) = measure_mean_images([images])["sets"]
    x = images.pixels.double() / 255
    mean, colour = x.mean(0), x.mean((0, 2, 3)).view(3, 1, 1)
    assert result["contrast"] == pytest.approx(float((mean - colour).square().mean().sqrt()))
    assert result["variance"] == pytest.approx(float((x - colour).square().mean()))
    assert result["around_mean_image"] == pytest.approx(float((x - mean).square().mean()))
    assert result["variance"] == pytest.approx(result["contrast"] ** 2 + result["around_mean_image"], rel=1e-12)
    assert result["share_left"] == pytest.approx(1 - result["contrast"] ** 2 / result["variance"])


def test_nothing_is_left_around_the_mean_of_equal_images_and_all_around_a_flat_one(images: Images) -> None:
    equal = replace(images, pixels=images.pixels[:1].repeat(9, 1, 1, 1))
    flat = replace(images, pixels=torch.tensor([30, 130], dtype=torch.uint8).view(2, 1, 1, 1).repeat(4, 1, 8, 8))
    constant = replace(images, pixels=torch.full((3, 1, 8, 8), 40, dtype=torch.uint8))
    result = measure_mean_images([equal, flat, constant])
    assert result["sets"][0]["share_left"] == pytest.approx(0, abs=1e-12)
    assert result["sets"][1]["share_left"] == pytest.approx(1)
    assert result["sets"][1]["contrast"] == 0
    assert result["sets"][2]["share_left"] is None
    assert "not applicable" in mean_image_table(result)


def test_one_image_has_no_variance(images: Images) -> None:
    with pytest.raises(UserError, match="levels has 1 image"):
        measure_mean_images([images, replace(images, pixels=images.pixels[:1])])


def test_the_command_prints_means_and_writes_their_numbers_and_figure(
    images: Images, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "levels.npz", x_train=images.pixels.numpy(), x_test=images.pixels[:9].numpy())
    assert main(["means", str(tmp_path / "levels.npz"), "digits", "--side", "8", "--out", str(tmp_path / "m")]) == 0
    out = capsys.readouterr().out
    result = json.loads((tmp_path / "m" / "means.json").read_text())
    assert [s["shape"] for s in result["sets"]] == [[3, 8, 8], [1, 8, 8]]
    assert out.count("digits") >= 1
    assert str(tmp_path / "m" / "means.png") in out
    assert Image.open(tmp_path / "m" / "means.png").width == 2 * 384 + 24
    assert len(describe_mean_images(result)) == 2


def test_mistakes_are_answered_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, answer in {
        ("means", str(tmp_path / "none.npz")): "none.npz does not exist",
        ("means",): "say of which images",
    }.items():
        assert main(list(words)) == 2
        assert answer in capsys.readouterr().err
