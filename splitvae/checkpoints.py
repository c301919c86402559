"""Checkpoints: everything the next step depends on, in one file that is read without executing anything."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .errors import UserError
from .files import replacing
from .schedules import scale_rate

if TYPE_CHECKING:
    from .runs import Run
    from .training import Training

__all__ = ["GOOD", "begin", "follow_rate", "go_back", "keep", "load", "save", "state"]

GOOD = "good.ckpt"  # the last checkpoint that no alarm spoke against, of trainings that may die (alarms.py)


def state(training: Training) -> dict[str, Any]:
    """Everything the next step depends on."""
    state = {
        "epoch": training.epoch,
        "step": training.step,
        "images": len(training.pixels),
        "steps": training.steps,
        "best": training.best,
        "lr": training.lr,
        "vae": training.vae.state_dict(),
        "objective": training.objective.state_dict(),
        "optimizers": {name: o.state_dict() for name, o in training.optimizers.items()},
        "schedulers": [s.state_dict() for s in training.schedulers],
        "monitor": training.monitor.state_dict(),
        "random": torch.get_rng_state(),
    }
    if training.average is not None:
        state["average"] = training.average.state_dict()
    if training.fabric.device.type == "cuda":
        state["random_cuda"] = torch.cuda.get_rng_state(training.fabric.device)
    if training.fabric.device.type == "mps":
        state["random_mps"] = torch.mps.get_rng_state()
    return state


def save(training: Training, file: Path) -> None:
    """Writes a checkpoint in one piece."""
    buffer = io.BytesIO()  # written by Python, whose error on a full disk says so
    torch.save(state(training), buffer)
    with replacing(file) as draft:
        draft.write_bytes(buffer.getbuffer())


def load(training: Training, file: Path) -> bool:
    """Goes on from a checkpoint; False where there is none."""
    if not file.exists():
        return False
    try:
        found = torch.load(file, weights_only=True, map_location="cpu")
        before, now = (found["images"], found["steps"]), (len(training.pixels), training.steps)
        if before != now:
            raise UserError(
                f"{file} was trained on {before[0]} images in {before[1]} steps an epoch, now there are {now[0]} and "
                f"{now[1]}; give the same images and --devices to go on, or another --out to start anew."
            )
        training.vae.load_state_dict(found["vae"])
        training.objective.load_state_dict(found["objective"])
        for name, o in training.optimizers.items():
            o.load_state_dict(found["optimizers"][name])
        for s, value in zip(training.schedulers, found["schedulers"], strict=True):
            s.load_state_dict(value)
        if training.average is not None:
            training.average.load_state_dict(found["average"])
        training.monitor.load_state_dict(found["monitor"])
    except UserError:
        raise
    except Exception as error:  # damage shows as any of a dozen exceptions
        why = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise UserError(f"{file} is damaged or of another model ({why}); delete it to start this run anew.") from None
    training.epoch, training.step, training.best = found["epoch"], found["step"], found["best"]
    training.lr = found.get("lr", training.config.lr)  # that of the config it was trained with
    follow_rate(training)
    torch.set_rng_state(found["random"])
    if "random_cuda" in found and training.fabric.device.type == "cuda":
        torch.cuda.set_rng_state(found["random_cuda"], training.fabric.device)
    if "random_mps" in found and training.fabric.device.type == "mps":
        torch.mps.set_rng_state(found["random_mps"])
    return True


def follow_rate(training: Training) -> None:
    """Brings the learning rate, wherever its schedule stands, from the one trained with to the config's."""
    scale_rate(training.optimizers, training.schedulers, training.config.lr / training.lr)
    training.lr = training.config.lr


def begin(training: Training, run: Run) -> None:
    """Takes the present state for good where there is no good checkpoint of this training."""
    file = run.path / GOOD
    if training.fabric.is_global_zero and not training.guarded:
        file.unlink(missing_ok=True)  # no longer looked after
    elif training.fabric.is_global_zero and (training.step == 0 or not file.exists()):
        save(training, file)


def keep(run: Run) -> None:
    """Makes the present checkpoint the good one, in one piece and without a copy where the file system can."""
    with replacing(run.path / GOOD) as draft:
        try:
            os.link(run.path / "state.ckpt", draft)
        except OSError:
            shutil.copyfile(run.path / "state.ckpt", draft)


def go_back(training: Training, run: Run) -> int | None:
    """Goes back to the good checkpoint, model and history too, and says its epoch; None, and nothing done, without one."""
    training.fabric.barrier()
    if not training.guarded or not load(training, run.path / GOOD):
        return None
    if training.fabric.is_global_zero:
        if training.epoch and not training.config.best:
            run.save_model(training.final)
        training.monitor.write_history()
    return int(training.epoch)
