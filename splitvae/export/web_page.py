"""A page for any static host that runs the decoder of a run in the browser, and its files.

index.html, page.js                  the page
decoder.onnx                         the decoder, checked against PyTorch
onnxruntime.js, onnxruntime.wasm     what runs it (runtime.py)
"""

from __future__ import annotations

import html
import json
import shutil
from pathlib import Path
from string import Template
from typing import Any

import torch

from ..errors import UserError, setting
from ..evaluation.informative_latents import (
    MAX_SLIDERS,
    SliderRange,
    find_informative_latents,
    place_on_sliders,
    read_some_images,
)
from ..runs import Run
from ..utils.files import atomic_write, write_text
from ..utils.machine import versions
from ..utils.text import shorten_path
from .modules import DecoderModule
from .onnx_files import check_installed, to_onnx
from .runtime import PACKAGE, RUNTIME_VERSION, find_runtime

__all__ = ["check_folder", "export_web"]

PAGE = Path(__file__).with_name("page")
RUNTIME_NAMES = {".mjs": "onnxruntime.js", ".wasm": "onnxruntime.wasm"}  # some hosts serve .mjs as no script


def export_web(run: Run, folder: Path) -> str:
    """Writes the page of a run to a folder and returns a line about it.

    Arguments:
        run: The run.
        folder: The folder, which must be empty, not exist, or hold such a page.

    Raises:
        UserError: If the folder holds something else, if packages or files of onnxruntime-web are missing, or if the
            decoder cannot be exported.
    """
    check_installed()
    check_folder(folder)
    vae = run.vae
    content, difference = to_onnx(DecoderModule(vae))
    runtime = find_runtime()
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / "decoder.onnx") as draft:
        draft.write_bytes(content)
    for file in runtime.values():
        with atomic_write(folder / RUNTIME_NAMES[file.suffix]) as draft:
            shutil.copyfile(file, draft)
    write_text(folder / "page.js", (PAGE / "page.js").read_text(encoding="utf-8"))
    size = len(content) + sum(file.stat().st_size for file in runtime.values())
    write_text(folder / "index.html", _render(run, _describe_model(run), size / 1e6))
    return (
        f"{folder}: a page of {size / 1e6:.1f} MB, whose decoder is at most {difference:.1e} from PyTorch; look at it with "
        f"`python -m http.server --directory {folder}`"
    )


def check_folder(folder: Path) -> None:
    """Raises UserError for a folder that holds something else than an exported page."""
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / "decoder.onnx").is_file())):
        raise UserError(
            f"{folder} holds something else than an exported page; give an empty or a new one with {setting('web')}."
        )


def _describe_model(run: Run) -> dict[str, Any]:
    """Returns what the page needs to know of a model."""
    latents = find_informative_latents(run, read_some_images(run))
    vae = run.vae
    draw = torch.randn(vae.latent_dim, generator=torch.Generator().manual_seed(0))
    return {
        "shape": vae.shape,
        "split": vae.split,
        "sliders": [
            {"latent": latent, "label": latents.label(latent), **SliderRange.of(latents, latent)._asdict()}
            for latent in latents.order[:MAX_SLIDERS]
        ],
        "centre": latents.centre.tolist(),
        "deviation": latents.deviation.tolist(),
        "start": place_on_sliders(latents, latents.centre + latents.deviation * draw).tolist(),
    }


def _render(run: Run, model: dict[str, Any], megabytes: float) -> str:
    """Returns the HTML of the page."""
    shape = " × ".join(map(str, run.vae.shape))
    split = f"split into {run.vae.split} images" if run.vae.split > 1 else "not split"
    source = shorten_path(run.config.data.source or "images from memory")
    texts = {
        "title": run.name,
        "description": f"A VAE of {run.vae.latent_dim} latents, {split}, for images of {shape}, trained on {source}.",
        "megabytes": f"{megabytes:.0f}",
        "version": versions()["splitvae"],
        "runtime": f"{PACKAGE} {RUNTIME_VERSION}",
    }
    page = Template((PAGE / "index.html").read_text(encoding="utf-8"))
    # No text of a run can end the script element: "<" is written as JSON's escape.
    return page.substitute({k: html.escape(v) for k, v in texts.items()}, model=json.dumps(model).replace("<", "\\u003c"))
