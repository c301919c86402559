"""TODO docstring of figures.io."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

from ..utils.files import atomic_write
from .style import STYLE

__all__ = ["drawn_by", "png", "save"]


def png(figure: Figure, model: str = "") -> bytes:
    """A figure as the bytes of a PNG, which keeps the fingerprint of the model it shows."""
    buffer = io.BytesIO()
    with rc_context(STYLE):
        figure.savefig(buffer, dpi="figure", facecolor="white", metadata={"Software": "splitvae", "Model": model})
    return buffer.getvalue()


def save(figure: Figure, path: Path, model: str = "") -> Path:
    """Writes a figure as a PNG, in one piece."""
    with atomic_write(path) as draft:
        draft.write_bytes(png(figure, model))
    return path


def drawn_by(path: Path) -> str:
    """The fingerprint of the model that a PNG of `save`, or a film, shows; empty where there is none."""
    try:
        with Image.open(path) as image:
            return str(image.info.get("Model") or image.info.get("comment", b"").decode())
    except OSError:
        return ""
