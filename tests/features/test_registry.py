"""Tests of `load_extractor`: names, files, and which task "auto" takes."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from splitvae import Images, features, load
from splitvae.features.base import extract_features
from splitvae.features.registry import load_extractor

CPU = torch.device("cpu")
DIGITS = load("digits")
NOISE = torch.rand(40, 3, 8, 8, generator=torch.Generator().manual_seed(0)).mul(255).round().div(255)


def test_auto_prefers_labels_that_differ(quick_cache: Path) -> None:
    def chosen(images: Images) -> str:
        return load_extractor("auto", images, device=CPU, progress=False).name

    assert chosen(DIGITS) == "classifier"
    assert chosen(dataclasses.replace(DIGITS, labels=torch.ones(len(DIGITS), dtype=torch.int64))) == "rotation"
    assert chosen(dataclasses.replace(DIGITS, pixels=DIGITS.pixels[:49], labels=DIGITS.labels[:49])) == "rotation"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch.jit, which makes the file that is read
@pytest.mark.parametrize("kind", ["scripted", "traced", "frozen"])
def test_a_torchscript_file_is_an_extractor(tmp_path: Path, kind: str, build_network: Callable[..., nn.Module]) -> None:
    module, file = build_network(dim=6).eval(), tmp_path / "net.pt"
    script = torch.jit.trace(module, NOISE) if kind == "traced" else torch.jit.script(module)
    (torch.jit.freeze(script) if kind == "frozen" else script).save(str(file))
    extractor = load_extractor(str(file), DIGITS, device=CPU)
    assert (extractor.name, extractor.dim) == ("net.pt", 6) and len(extractor.fingerprint) == 16
    assert "net.pt" in extractor.note and str(tmp_path) not in extractor.note
    with torch.no_grad():
        torch.testing.assert_close(extract_features(extractor, NOISE).float(), module(NOISE).flatten(1), rtol=0, atol=1e-5)
    assert load_extractor(str(file), device=CPU).fingerprint == extractor.fingerprint


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch.jit, which makes the file that is read
def test_a_file_of_another_kind_is_refused_unread(
    tmp_path: Path, refused: Callable[..., AbstractContextManager[None]]
) -> None:
    class Bomb:
        def __reduce__(self) -> tuple:
            return exec, (f"open({str(tmp_path / 'exploded')!r}, 'w')",)

    torch.save(Bomb(), tmp_path / "pickled.pt")
    torch.save(Bomb(), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "text.pt").write_text("none")
    (tmp_path / "empty.pt").write_text("")
    for name in ("pickled.pt", "old.pt", "text.pt", "empty.pt"):
        with refused(name, "no TorchScript file", "executes code"):
            load_extractor(str(tmp_path / name))
    assert not (tmp_path / "exploded").exists()
    with refused("missing.pt is no file", "TorchScript"):
        load_extractor(str(tmp_path / "missing.pt"))


def test_names_are_checked(tmp_path: Path, refused: Callable[..., AbstractContextManager[None]]) -> None:
    with refused("'inceptoin'", "did you mean 'inception'"):
        load_extractor("inceptoin")
    with refused("'rotation'", "training images"):
        load_extractor("rotation")
    with refused("weights", "'inception'"):
        load_extractor("classifier", DIGITS, weights=tmp_path)


def test_inception_is_given_its_weights_and_resize(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refused: Callable[..., AbstractContextManager[None]]
) -> None:
    class Stub(nn.Module):
        def __init__(self, weights: Path | None, resize: str = "") -> None:
            super().__init__()
            self.weights, self.resize = weights, resize

    class Keras(Stub):
        pass

    networks = SimpleNamespace(FIDInception=Stub, KerasInception=Keras)
    monkeypatch.setitem(sys.modules, "splitvae.features.inception_extractors", networks)
    file = tmp_path / "weights.pth"
    file.touch()
    extractor = load_extractor("inception", weights=file, device=CPU)
    assert type(extractor) is Stub and extractor.weights == file and not extractor.training
    assert features.inception(weights=str(file)).weights == file
    assert features.inception().resize == "tf1" and features.inception(resize="clean").resize == "clean"
    with refused("'inception-keras' have no `resize`"):
        load_extractor("inception-keras", resize="clean")
    assert type(load_extractor("inception-keras", device=CPU)) is Keras
