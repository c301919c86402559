"""The model of a run whose files are lost or cut: it is written again from the last checkpoint."""

from __future__ import annotations

import math
from typing import Any

from ..presets.build import build_vae
from ..runs import Run
from ..utils.console import print_once
from ..utils.files import write_json_lines
from ..utils.processes import is_main_process
from .checkpoints import STATE, checkpoint_error, read_checkpoint, write_checkpoint

__all__ = ["mark_restored", "restore_lost_model"]


def restore_lost_model(run: Run, progress: bool) -> None:
    """Writes the model of a run again if it has trained epochs and no model that can be read.

    The weights are those of state.ckpt, averaged if the run averages them. With `best`, those of the best epoch are lost
    unless it was the last.

    Arguments:
        run: The run.
        progress: Whether to print what was written.

    Raises:
        UserError: If the checkpoint is damaged.
    """
    if not is_main_process() or run.has_model():
        return
    file = run.path / STATE
    state = read_checkpoint(file)
    if state is None or not state.get("epoch"):
        return
    vae = build_vae(run.config)
    try:
        vae.load_state_dict(state.get("average", state["vae"]))
        rows, best = state["monitor"]["rows"], state["best"]
    except Exception as error:  # a damaged file may raise any of a dozen exceptions
        raise checkpoint_error(file, error) from None
    run.save_model(vae)
    which = f"the weights at step {state['step']}"
    if run.config.training.best and rows[-1].get("val_loss", math.inf) > best:
        state["best"] = mark_restored(rows)
        write_checkpoint(file, state)
        write_json_lines(run.path / "history.jsonl", rows)
        which += ", since those of the best epoch are lost"
    print_once(progress, f"The model in {run.path} was lost or cut; it is written again from {STATE}: {which}.")


def mark_restored(rows: list[dict[str, Any]]) -> float:
    """Records in the last row of a history that the model has the weights of this row, although it is not the best one.

    Arguments:
        rows: The rows of the history, the last of which is changed.

    Returns:
        The validation loss of this row, below which a later epoch is better.
    """
    rows[-1]["restored"] = True
    return float(rows[-1].get("val_loss", math.inf))
