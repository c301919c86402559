"""Tests of the cache of real images' features: what is read back, what is computed anew, and its size."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from splitvae import load
from splitvae.features import cache
from splitvae.features.base import ModuleFeatures, extract_features
from splitvae.features.cache import cached_features
from splitvae.features.inception_extractors import FIDInception

PIXELS = load("digits", "test").pixels[:40]


class Counting(ModuleFeatures):
    """An extractor that counts the images it reads."""

    is_cacheable = True

    def __init__(self, module: nn.Module) -> None:
        self.images = 0
        super().__init__(module, "counting", (3, 8, 8))
        self.images = 0

    def forward(self, x: Tensor) -> Tensor:
        self.images += len(x)
        return super().forward(x)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path))
    return tmp_path / "features" / "real"


@pytest.fixture
def extractor(build_network: Callable[..., nn.Module]) -> Counting:
    network = Counting(build_network())
    extract_features(network, PIXELS)  # measures its memory
    network.images = 0
    return network


def test_the_second_time_features_are_read_bit_by_bit(folder: Path, extractor: Counting) -> None:
    notes, again = list[str](), list[str]()
    first = cached_features(extractor, PIXELS, notes=notes)
    assert extractor.images == 40 and torch.equal(first, extract_features(extractor, PIXELS))
    extractor.images = 0
    second = cached_features(extractor, PIXELS, notes=again)
    assert extractor.images == 0 and torch.equal(first, second) and second.dtype == torch.float64
    assert notes == again and "gray" in notes[0]


def test_other_images_weights_and_shapes_are_other_features(folder: Path, extractor: Counting) -> None:
    cached_features(extractor, PIXELS)
    changed = PIXELS.clone()
    changed[3, 0, 2, 2] ^= 1
    for pixels in (changed, PIXELS.flip(0), PIXELS.reshape(40, 1, 4, 16), PIXELS[:39]):
        extractor.images = 0
        cached_features(extractor, pixels)
        assert extractor.images >= len(pixels)  # more where its memory is measured for another shape
    with torch.no_grad():
        extractor.module[0].bias[0] += 1e-3  # type: ignore[index, operator]  # a Sequential
    extractor.images = 0
    cached_features(extractor, PIXELS)
    assert extractor.images == 40 and len(list(folder.iterdir())) == 6


def test_each_resize_has_features_of_its_own(folder: Path, inception_file: Path) -> None:
    keys = {cache._key(FIDInception(inception_file, resize), PIXELS) for resize in ("tf1", "pytorch-fid", "clean")}
    assert len(keys) == 3


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other"])
def test_a_damaged_file_is_computed_anew(folder: Path, extractor: Counting, damage: str) -> None:
    first = cached_features(extractor, PIXELS)
    (file,) = folder.iterdir()
    content = bytearray(file.read_bytes())
    content[-10] ^= 255
    file.write_bytes({"cut": content[:-50], "flipped": bytes(content), "empty": b"", "other": b"PK\x03\x04 none"}[damage])
    assert torch.equal(cached_features(extractor, PIXELS), first)
    extractor.images = 0
    assert torch.equal(cached_features(extractor, PIXELS), first) and extractor.images == 0  # it was written again


def test_a_folder_that_cannot_be_written_to_is_no_failure(
    tmp_path: Path, extractor: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path / "file"))
    assert cached_features(extractor, PIXELS).shape == (40, 5)


def test_modules_of_others_and_floats_are_not_cached(folder: Path, build_network: Callable[..., nn.Module]) -> None:
    cached_features(ModuleFeatures(build_network(), "net", (3, 8, 8)), PIXELS)  # its code may change, its hash would not
    cached_features(Counting(build_network()), PIXELS.float() / 255)
    assert not folder.exists()


def test_the_files_unused_for_longest_make_room(folder: Path, extractor: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    sets = [PIXELS.roll(k, 0) for k in range(3)]
    names = []
    for age, pixels in zip((3, 2, 1), sets, strict=True):
        cached_features(extractor, pixels)
        (new,) = [file for file in folder.iterdir() if file.name not in names]
        names.append(new.name)
        os.utime(new, (1e9 - age, 1e9 - age))
    cached_features(extractor, sets[0])  # used again
    monkeypatch.setattr(cache, "MOST_BYTES", int(3.5 * (folder / names[0]).stat().st_size))
    cached_features(extractor, PIXELS.roll(3, 0))
    left = {file.name for file in folder.iterdir()}
    assert len(left) == 3 and names[1] not in left and names[0] in left
    monkeypatch.setattr(cache, "MOST_BYTES", 1)
    cached_features(extractor, PIXELS.roll(4, 0))
    assert len(list(folder.iterdir())) == 1  # what was just written stays
