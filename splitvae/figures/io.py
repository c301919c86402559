"""Images and figures as bytes, and PNG files that record which model they show."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from ..utils.files import atomic_write
from .style import STYLE

__all__ = ["encode_png", "read_fingerprint", "save_figure", "to_uint8"]


def to_uint8(images: Tensor) -> np.ndarray:
    """Converts images (N, C, H, W) in [0, 1] to bytes (N, H, W, C), rounded to the nearest of 256 levels."""
    images = images.detach().cpu()
    if images.dtype != torch.float64:
        images = images.float()
    return images.mul(255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()


def encode_png(figure: Figure, fingerprint: str = "") -> bytes:
    """Encodes a figure as a PNG, whose metadata hold the fingerprint of the model that the figure shows."""
    buffer = io.BytesIO()
    with rc_context(STYLE):
        figure.savefig(buffer, dpi="figure", facecolor="white", metadata={"Software": "splitvae", "Model": fingerprint})
    return buffer.getvalue()


def save_figure(figure: Figure, path: Path, fingerprint: str = "") -> Path:
    """Writes a figure to a PNG file (see `encode_png`) and returns its path. The file is replaced in one piece."""
    with atomic_write(path) as draft:
        draft.write_bytes(encode_png(figure, fingerprint))
    return path


def read_fingerprint(path: Path) -> str:
    """Reads which model a PNG of `save_figure` or a GIF of `write_film` shows.

    Returns the model's fingerprint, or "" if the file does not exist or records none.
    """
    try:
        with Image.open(path) as image:
            return str(image.info.get("Model") or image.info.get("comment", b"").decode())
    except OSError:
        return ""
