"""Tests of the weights of Inception: files that are refused, and where files come from."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from splitvae.errors import UserError
from splitvae.features.inception_extractors import FIDInception, KerasInception
from splitvae.features.inception_weights import (
    KERAS_WEIGHTS,
    TF2015_WEIGHTS,
    PublishedFile,
    find_weights,
    read_keras_h5,
    read_state_dict,
)
from splitvae.utils.download import Checksum

pytestmark = pytest.mark.filterwarnings("ignore:Detected pickle protocol")  # torch, of the file that a test writes

EXPECTED = {"a.weight": torch.zeros(2, 3), "a.bias": torch.zeros(2)}


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("sprung",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"a.weight": torch.zeros(2, 3)}, ["lacks 1 (a.bias) of 2"]),
        ({**EXPECTED, "b": torch.zeros(1)}, ["1 (b) tensors too many"]),
        ({**EXPECTED, "a.weight": torch.zeros(3, 2)}, ["a.weight", "(3, 2) instead of (2, 3)"]),
        ({**EXPECTED, "a.bias": torch.tensor([1.0, torch.nan])}, ["a.bias", "not finite"]),
        ({**EXPECTED, "a.bias": torch.tensor([1, 2])}, ["a.bias", "not finite floats"]),
        ({**EXPECTED, "a.bias": 1.0}, ["a dict instead of tensors by name"]),
        ([torch.zeros(1)], ["a list instead of tensors by name"]),
        ({"a.weight": Trap()}, ["mkdir beside tensors", "execute code"]),
        (nn.Linear(3, 2), ["Linear beside tensors", "model.state_dict()"]),
        (b"<!DOCTYPE html>", ["no checkpoint"]),
        (b"", ["no checkpoint"]),
        (b"PK\x03\x04 an archive that broke off", ["no checkpoint"]),
        (pickle.dumps(EXPECTED, 4), ["no checkpoint"]),
    ],
    ids=lambda value: value[0].split()[0] if isinstance(value, list) and isinstance(value[0], str) else "",
)
def test_a_wrong_checkpoint_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(UserError) as error:
        read_state_dict(path, EXPECTED)
    assert all(word in str(error.value) for word in [str(path), *words]) and "\n" not in str(error.value)
    assert not (tmp_path / "sprung").exists()


def test_half_precision_is_read_and_counts_are_passed_over(tmp_path: Path) -> None:
    torch.save(
        {"a.weight": torch.ones(2, 3).half(), "a.bias": torch.zeros(2), "a.num_batches_tracked": torch.tensor(1)},
        tmp_path / "a",
    )
    state = read_state_dict(tmp_path / "a", EXPECTED)
    assert list(state) == ["a.weight", "a.bias"] and state["a.weight"].dtype == torch.float32


NORM = {"bn.bias": 4, "bn.running_mean": 4, "bn.running_var": 4}
KERAS_EXPECTED = {f"x.{name}": torch.zeros(size) for name, size in NORM.items()} | {
    "x.conv.weight": torch.zeros(4, 3, 1, 5)
}


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ({}, "0 layers conv2d instead of 1"),
        ({"conv2d": [(1, 5, 3, 4)]}, "0 layers batch_normalization instead of 1"),
        ({"conv2d": [(1, 5, 3, 4)], "conv2d_1": [(1, 5, 3, 4)]}, "2 layers conv2d instead of 1"),
        ({"conv2d": [(4, 3, 1, 5)]}, r"conv2d/kernel .* \(4, 3, 1, 5\) instead of \(1, 5, 3, 4\)"),
        ({"conv2d": [(1, 5, 3, 4), (4,)]}, "2 tensors of conv2d instead of 1"),
        (
            {"conv2d_7": [(1, 5, 3, 4)], "batch_normalization": [(4,), (5,), (4,)]},
            r"moving_mean .*\(5,\) instead of \(4,\)",
        ),
        (
            {"conv2d": [(1, 5, 3, 4)], "batch_normalization_1": [(4,)] * 4},
            "4 tensors of batch_normalization_1 instead of 3",
        ),
    ],
)
def test_a_wrong_file_of_keras_is_refused_in_a_sentence(
    tmp_path: Path, layers: dict[str, list[tuple[int, ...]]], words: str
) -> None:
    h5py = pytest.importorskip("h5py")  # an optional peer
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("layers")
        for name, shapes in layers.items():
            for k, shape in enumerate(shapes):
                file[f"layers/{name}/vars/{k}"] = np.zeros(shape, np.float32)
    with pytest.raises(UserError, match=words):
        read_keras_h5(tmp_path / "a.h5", KERAS_EXPECTED, ["x"])


def test_a_file_that_keras_did_not_write_is_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")  # an optional peer
    (tmp_path / "a.h5").write_bytes(b"<!DOCTYPE html>")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["x"] = 1
    for name in ("a.h5", "b.h5"):
        with pytest.raises(UserError, match=r"no \.h5 file of Keras's weights"):
            read_keras_h5(tmp_path / name, KERAS_EXPECTED, ["x"])


# ---------------------------------------------------------------- where files come from


def test_a_download_is_checked_kept_and_checked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path / "cache"))
    source = tmp_path / "source.pth"
    source.write_bytes(b"right")
    right = PublishedFile(source.as_uri(), Checksum("md5", hashlib.md5(b"right").hexdigest()))
    with pytest.raises(UserError, match="its md5 is"):
        find_weights(right._replace(checksum=Checksum("md5", "0" * 32)))
    assert not (tmp_path / "cache").exists()
    cached = tmp_path / "cache/inception/source.pth"
    assert find_weights(right) == (cached, True)
    source.unlink()
    assert find_weights(right) == (cached, True)  # no network needed
    cached.write_bytes(b"wrong")
    with pytest.raises(UserError, match="delete it to download it again"):
        find_weights(right)


def test_a_file_given_by_hand_need_not_be_the_published_one(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    assert find_weights(TF2015_WEIGHTS, tmp_path / "mine") == (tmp_path / "mine", False)
    mine = PublishedFile("", Checksum("sha256", hashlib.sha256(b"mine").hexdigest()[:8]))
    assert find_weights(mine, tmp_path / "mine") == (tmp_path / "mine", True)
    with pytest.raises(UserError, match="No such file"):
        find_weights(TF2015_WEIGHTS, tmp_path / "nowhere")


@pytest.mark.parametrize(("make", "published"), [(FIDInception, TF2015_WEIGHTS), (KerasInception, KERAS_WEIGHTS)])
def test_without_a_network_the_file_and_its_place_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], nn.Module], published: PublishedFile
) -> None:
    def no_network(*args: object, **options: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path))
    with pytest.raises(UserError) as error:
        make()
    place = tmp_path / "inception" / published.url.rpartition("/")[2]
    for words in ("Name or service not known", published.url, str(place), "inception_weights='FILE'"):
        assert words in str(error.value)
