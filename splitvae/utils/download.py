"""TODO docstring of utils.download."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_dir"]


def cache_dir() -> Path:
    """Where downloads are kept: $SPLITVAE_DATA, else $XDG_CACHE_HOME/splitvae, else ~/.cache/splitvae."""
    if given := os.environ.get("SPLITVAE_DATA"):
        return Path(given).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "splitvae"
