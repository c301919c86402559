"""`splitvae interpolate` and `splitvae traverse`: figures of images that a person chose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from splitvae.cli.chosen_images import read_image_files
from splitvae.figures import chosen
from splitvae.figures.io import read_fingerprint
from splitvae.runs import Run

Command = Callable[..., Any]


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """Two images of other sizes and modes than the model's."""
    random = np.random.default_rng(0)
    paths = [tmp_path / "a.png", tmp_path / "b.jpg"]
    for path, shape in zip(paths, [(16, 16), (40, 30, 3)], strict=True):
        Image.fromarray(random.integers(0, 256, shape, np.uint8)).save(path)
    return paths


def test_files_are_read_in_the_shape_of_the_model(trained: Path, images: list[Path]) -> None:
    x = read_image_files(Run(trained), images)
    assert x.shape == (2, 1, 16, 16) and x.dtype == torch.float32
    np.testing.assert_array_equal(x[0, 0] * 255, np.asarray(Image.open(images[0])))


def test_a_path_begins_and_ends_with_the_reconstructions(
    command: Command, trained: Path, images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, torch.Tensor] = {}
    tile = chosen.tile_images
    monkeypatch.setattr(
        chosen,
        "tile_images",
        lambda rows, labels, *rest, **more: (
            drawn.update(zip(labels, rows, strict=True)) or tile(rows, labels, *rest, **more)
        ),
    )
    status, out, err = command("interpolate", trained, *images, "--steps", 5)
    assert (status, err) == (0, "")
    run = Run(trained)
    assert read_fingerprint(trained / "interpolation-a-b.png") == run.vae.fingerprint() and "interpolation-a-b.png" in out
    assert list(drawn) == ["$x$", r"$\sigma$", r"$\hat x_{1}$", r"$\hat x_{2}$", r"$\hat x$"]  # maps and components, too
    x = read_image_files(run, images)
    with torch.no_grad():
        canvas = run.vae.decode(run.vae.encode(x).mean)
    torch.testing.assert_close(drawn["$x$"][[0, -1]], x)
    torch.testing.assert_close(drawn[r"$\hat x$"][[0, -1]], canvas.image)
    torch.testing.assert_close(drawn[r"$\sigma$"][[0, -1]], canvas.masks[:, 0])
    assert len(drawn[r"$\hat x$"]) == 5


def test_a_traversal_has_the_rows_of_each_latent(
    command: Command, trained: Path, images: list[Path], tmp_path: Path
) -> None:
    assert command("traverse", trained, images[1], "--latents", 3, 0, "--out", tmp_path / "t.png").status == 0
    with Image.open(tmp_path / "t.png") as two:
        height = two.height
    assert command("traverse", trained, images[1], "-n", 1, "--out", tmp_path / "t.png").status == 0
    with Image.open(tmp_path / "t.png") as one:
        assert height > 1.8 * one.height


def test_an_image_is_traversed_without_the_images_of_the_run(command: Command, trained: Path, images: list[Path]) -> None:
    config = trained / "config.json"
    config.write_text(config.read_text().replace('"source": "digits"', '"source": "/nonexistent"'))
    status, out, _ = command("traverse", trained, images[0], "-n", 1)
    assert status == 0 and "ranked by this image alone" in out


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # the size is what is tested
def test_a_decompression_bomb_is_refused(command: Command, trained: Path, images: list[Path], monkeypatch: Any) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    status, _, err = command("interpolate", trained, *images)
    assert (status, "more pixels than" in err) == (2, True)
