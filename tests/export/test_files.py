"""Exported files compute what PyTorch computes and hold no pickle; what cannot be exported is refused in a sentence."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from splitvae.cli.app import main
from splitvae.errors import UserError
from splitvae.export import onnx_files
from splitvae.export.modules import DecoderModule, EncoderModule
from splitvae.export.onnx_files import export_onnx, to_onnx
from splitvae.export.torch_files import export_torch
from splitvae.models.latents import LATENTS, Gaussian, GaussianHead
from splitvae.models.posteriors import GaussianPosterior
from splitvae.models.vae import VAE

needs_onnx = pytest.mark.skipif(
    any(onnx_files.find_spec(name) is None for name in onnx_files.PACKAGES), reason="the extra `export` is not installed"
)


def run_onnx(content: bytes, rows: Tensor) -> dict[str, np.ndarray]:
    """The outputs of a file in onnxruntime, by name."""
    onnxruntime = pytest.importorskip("onnxruntime")  # of the extra export
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {session.get_inputs()[0].name: rows.numpy()}), strict=True))


def assert_computes(content: bytes, rows: Tensor, expected: dict[str, Tensor | None]) -> None:
    """Checks the names, the order and the values of the outputs of a file."""
    computed, wanted = run_onnx(content, rows), {k: v for k, v in expected.items() if v is not None}
    assert list(computed) == list(wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(computed[name], value, atol=1e-5, rtol=1e-5)


def make(**options: Any) -> VAE:
    """A small untrained model with statistics of BatchNorm of its own."""
    vae = VAE((1, 16, 16), 8, **({"net": "mlp", "split": 2} | options)).eval()
    for buffer in vae.buffers():
        if buffer.is_floating_point():
            buffer.data.add_(torch.rand_like(buffer))
    return vae


@needs_onnx
@torch.no_grad()
def test_onnx_files_compute_what_pytorch_does_for_any_number_of_rows(tmp_path: Path) -> None:
    vae = make(split=3, map_scale=4.0, map_norm=True)
    lines = export_onnx(vae, tmp_path / "m.onnx")
    assert "m.onnx: z -> image, images, masks; " in lines[0] and "m-encoder.onnx: image -> mean, logvar; " in lines[1]
    assert all(float(line.split("at most ")[1].split()[0]) < 1e-4 for line in lines)
    decoder, encoder = ((tmp_path / name).read_bytes() for name in ("m.onnx", "m-encoder.onnx"))
    for count in (1, 2, 5):
        z, x = torch.randn(count, 8), torch.rand(count, 1, 16, 16)
        canvas, posterior = vae.decode(z), vae.encode(x)
        assert_computes(decoder, z, {"image": canvas.image, "images": canvas.images, "masks": canvas.masks})
        assert_computes(encoder, x, {"mean": posterior.mean, "logvar": posterior.logvar})
    disturbed = DecoderModule(vae)
    next(disturbed.decoder.parameters()).data += 1e-2
    with pytest.raises(UserError, match=r"computes another image in onnxruntime than in PyTorch \(a difference of"):
        onnx_files._largest_difference(disturbed, decoder)


@needs_onnx
@torch.no_grad()
@pytest.mark.parametrize(
    "options",
    [
        {"latent": "grouped", "fusion": "poe-prior", "content_dim": 3, "group_head_units": 5},
        {"latent": "deterministic", "spectral_norm": True},
    ],
    ids=["grouped", "deterministic"],
)
def test_encoders_of_other_latents_are_exported(options: dict[str, Any]) -> None:
    vae = make(**options)
    content, difference = to_onnx(EncoderModule(vae))
    x = torch.rand(3, 1, 16, 16)
    posterior = vae.encode(x)
    assert_computes(content, x, {"mean": posterior.mean, "logvar": posterior.logvar})
    assert difference < 1e-4


def test_torch_export_files_compute_what_pytorch_does_and_hold_no_pickle(tmp_path: Path) -> None:
    vae = make(split=3)
    assert "m.pt2: z -> image, images, masks; " in export_torch(vae, tmp_path / "m.pt2")
    module = torch.export.load(tmp_path / "m.pt2").module()
    for count in (1, 4):
        z = torch.randn(count, 8)
        with torch.no_grad():
            canvas = vae.decode(z)
            for computed, wanted in zip(module(z), (canvas.image, canvas.images, canvas.masks), strict=True):
                torch.testing.assert_close(computed, wanted)
    with zipfile.ZipFile(tmp_path / "m.pt2") as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    inner = [name for name, content in contents.items() if content[:2] == b"PK" or content[:1] == b"\x80"]
    assert inner == [] and not any(name.endswith(".pkl") for name in contents)


@dataclass(frozen=True)
class Halting(Gaussian):
    """Creates the settings of a latent whose code depends on the values that it computes."""

    name = "halting"

    def build(self, features: int, dim: int) -> HaltingHead:
        return HaltingHead(features, dim)


class HaltingHead(GaussianHead):
    def forward(self, features: Tensor, group: Any = None) -> GaussianPosterior:
        posterior = super().forward(features)
        return posterior if float(posterior.mean.sum()) > 0 else GaussianPosterior(-posterior.mean, posterior.logvar)


@needs_onnx
def test_a_latent_that_cannot_be_exported_is_named_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LATENTS, "halting", Halting)
    write = onnx_files._write
    monkeypatch.setattr(onnx_files, "_write", lambda m, path: write(m, path) if isinstance(m, EncoderModule) else "m.onnx")
    decoder, encoder = export_onnx(make(latent="halting"), tmp_path / "m.onnx")
    reason = "No encoder was written: the encoder of the latent 'halting' cannot be exported: its code would have to be"
    assert decoder == "m.onnx" and encoder.startswith(reason)
    assert "\n" not in encoder and "data-dependent" in encoder
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_cannot_be_exported_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vae = make()
    monkeypatch.setattr(vae.decoder, "forward", lambda z: torch.zeros(int(z.sum().item()), 2, 16, 16))
    with pytest.raises(UserError, match="the decoder of the network 'mlp' cannot be exported: its code would have to be"):
        export_torch(vae, tmp_path / "m.pt2")
    assert list(tmp_path.iterdir()) == []


@needs_onnx
@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("", "say what to write, such as `splitvae export RUN --onnx model.onnx`"),
        ("--onnx m.pt", "m.pt does not end in .onnx; give a path such as m.onnx."),
        ("--onnx m.onnx --torch-export m.pth", "m.pth does not end in .pt2; give a path such as m.pt2."),
        ("--onnx m.onnx --web RUN", "holds something else than an exported page"),
    ],
)
def test_mistakes_are_answered_before_anything_is_written(
    words: str,
    answer: str,
    make_run: Callable[..., Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_run(tmp_path / "RUN", None)
    monkeypatch.chdir(tmp_path)
    assert main(["export", "RUN", *words.split()]) == 2
    out, err = capsys.readouterr()
    assert answer in err and out == "" and [file.name for file in tmp_path.iterdir()] == ["RUN"]


def test_without_the_extra_it_says_what_to_type(
    make_run: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path / "run", None)
    monkeypatch.setattr(onnx_files, "find_spec", lambda name: None)
    for words in (["--onnx", "m.onnx"], ["--web", "page"]):
        assert main(["export", str(tmp_path / "run"), *words]) == 2
        assert "-e '.[export]'" in capsys.readouterr().err
