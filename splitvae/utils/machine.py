"""TODO docstring of utils.machine."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from importlib.metadata import version

import torch

__all__ = ["default_device", "has_native_bf16", "is_main_process", "keep_freed_memory", "versions"]


def default_device() -> torch.device:
    """This machine's accelerator, or the CPU."""
    here = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return here or torch.device("cpu")


def has_native_bf16(kind: str) -> bool:
    """Whether a kind of device ("cpu", "cuda", "mps") computes bfloat16 itself rather than emulating it."""
    if kind == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    if kind == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False


def is_main_process() -> bool:
    """Whether this is the process that writes and prints."""
    return os.environ.get("LOCAL_RANK", "0") == os.environ.get("NODE_RANK", "0") == "0"


def keep_freed_memory() -> None:
    """Lets glibc keep freed blocks instead of returning them to the system.

    Activations are freed and asked for again at each step; mapped anew they cost a page fault every 4 kB, a quarter of the
    step of a small network. Elsewhere than on Linux with glibc nothing is done.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        m_trim_threshold, m_mmap_threshold = -1, -3
        # Older glibc takes no threshold above 32 MB; trimming alone would fix the other at its least.
        if mallopt(m_mmap_threshold, 1 << 30) or mallopt(m_mmap_threshold, 1 << 25):
            mallopt(m_trim_threshold, (1 << 31) - 1)


HEAVY = 250_000  # bytes of a PNG that make a page slow to mail


def versions() -> str:
    """What made a page."""
    return f"splitvae {version('splitvae')}, torch {torch.__version__}, Python {platform.python_version()}"
