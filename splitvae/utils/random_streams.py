"""The global random streams of torch: draws inside a block change nothing outside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["fixed_seed", "isolated_randomness"]


@contextmanager
def fixed_seed(seed: int) -> Iterator[None]:
    """Seeds draws on the CPU inside the block, such as initial weights; the global random stream is restored after it."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed the accelerator too
        yield


@contextmanager
def isolated_randomness(device: torch.device) -> Iterator[None]:
    """Runs the block, and then restores the random streams of the CPU and of a device."""
    cuda = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        before = torch.mps.get_rng_state() if device.type == "mps" else None
        try:
            yield
        finally:
            if before is not None:  # fork_rng does not restore this stream
                torch.mps.set_rng_state(before)
