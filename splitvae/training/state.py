"""Parts of a training's state: the random streams of its device, and whether a stored state can be continued here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ..errors import UserError, setting
from ..utils.text import count_noun

__all__ = ["check_continuable", "random_state", "restore_random_state"]


def random_state(device: torch.device) -> dict[str, Any]:
    """Returns the states of the random streams of the CPU and of a device."""
    state = {"random": torch.get_rng_state()}
    if device.type == "cuda":
        state["random_cuda"] = torch.cuda.get_rng_state(device)
    if device.type == "mps":
        state["random_mps"] = torch.mps.get_rng_state()
    return state


def restore_random_state(state: Mapping[str, Any], device: torch.device) -> None:
    """Restores what `random_state` returned; the stream of another kind of device is left out."""
    torch.set_rng_state(state["random"])
    if "random_cuda" in state and device.type == "cuda":
        torch.cuda.set_rng_state(state["random_cuda"], device)
    if "random_mps" in state and device.type == "mps":
        torch.mps.set_rng_state(state["random_mps"])


def check_continuable(state: Mapping[str, Any], processes: int, images: int, steps: int) -> None:
    """Raises UserError, with the end of a sentence about the checkpoint, if going on would train another run.

    Arguments:
        state: The stored state.
        processes: The number of processes now.
        images: The number of training images now.
        steps: The number of steps of an epoch now.
    """
    if (before := state.get("processes", processes)) != processes:
        raise UserError(
            f"was written by {count_noun(before, 'process')}, and now there "
            f"{'is' if processes == 1 else 'are'} {processes}; batches and noise would differ, and the run would not "
            f"be the one that was begun. Type {setting('devices', before)}, or {setting('devices')} and {setting('nodes')} "
            f"whose product is {before}, to go on; or another {setting('out')} to start anew."
        )
    if (state["images"], state["steps"]) != (images, steps):
        raise UserError(
            f"was trained on {count_noun(state['images'], 'image')} in {count_noun(state['steps'], 'step')} per epoch, "
            f"and now there are {images:,} and {steps:,}; give the same images to go on, or another {setting('out')} "
            "to start anew."
        )
