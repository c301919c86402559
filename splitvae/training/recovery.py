"""TODO docstring of training.recovery."""

from __future__ import annotations

from pathlib import Path

from ..errors import UserError
from ..presets.registry import override
from ..runs import Run
from .alarms import Alarm, Alarmed, weights_of
from .checkpoints import GOOD, damaged, load, save
from .trainer import Training

__all__ = ["Stopped", "answer", "begin", "go_back"]


ROLLBACKS = 3


class Stopped(UserError):
    """A training that alarms ended; the message says how to go on, `alarms` what was seen."""

    def __init__(self, message: str, alarms: list[Alarm]) -> None:
        super().__init__(message)
        self.alarms = alarms


def answer(training: Training, run: Run, alarmed: Alarmed) -> None:
    """Goes back to the last good checkpoint, and there moves the weights or raises Stopped, which says how to go on."""
    monitor, change = training.monitor, alarmed.change
    notes, rolled = monitor.notes, monitor.rollbacks
    epoch = go_back(training, run)
    again = training.config.on_alarm == "rollback" and bool(change) and rolled < ROLLBACKS
    begun = epoch or (epoch is None and (run.path / "state.ckpt").exists())
    place = f"the last good checkpoint, of epoch {epoch}" if epoch else "its last checkpoint" if begun else "its beginning"
    if again:
        training.config = override(training.config, **change)
        training.follow_rate()
        for name in change.keys() & weights_of(training.objective).keys():
            setattr(training.objective, name, change[name])
        rolled += 1
    monitor.rollbacks, monitor.notes = rolled if again else 0, notes
    done = f"Went back ({rolled} of {ROLLBACKS} times) to {place}" if again else f"Stopped, and went back to {place}"
    monitor.note(f"{done}. {alarmed}")
    if training.fabric.is_global_zero and epoch is not None:
        run.reconfigure(training.config, training.vae.counts())
        training.save(run)
    training.fabric.barrier()
    if not again:
        options = "".join(f" --{name.replace('_', '-')} {value:g}" for name, value in change.items())
        regardless = "" if alarmed.alarms[0].name == "non-finite" else ", or regardless with --on-alarm warn"
        tried = f" It had gone back {rolled} times before." if rolled else ""
        raise Stopped(
            f"stopped by an alarm. {alarmed}{tried} {run.path} is at {place}. "
            f"Go on with `splitvae train --resume --out {run.path}{options}`{regardless}.",
            alarmed.alarms,
        ) from None


def begin(training: Training, run: Run) -> None:
    """Takes the present state for good where there is no good checkpoint of this training."""
    file = run.path / GOOD
    if training.fabric.is_global_zero and not training.guarded:
        file.unlink(missing_ok=True)  # no longer looked after
    elif training.fabric.is_global_zero and (training.step == 0 or not file.exists()):
        save(file, training.state_dict())


def go_back(training: Training, run: Run) -> int | None:
    """Goes back to the good checkpoint, model and history too, and says its epoch; None, and nothing done, without one."""
    training.fabric.barrier()
    if not training.guarded or not resume(training, run.path / GOOD):
        return None
    if training.fabric.is_global_zero:
        if training.epoch and not training.config.best:
            run.save_model(training.final)
        training.monitor.write_history()
    return int(training.epoch)


def resume(training: Training, file: Path) -> bool:
    """Goes on from a checkpoint; False where there is none."""
    state = load(file)
    if state is None:
        return False
    try:
        training.load_state_dict(state)
    except UserError as error:
        raise UserError(f"{file}: {error}") from None
    except Exception as error:  # damage shows as any of a dozen exceptions
        raise damaged(file, error) from None
    return True
