"""What follows an alarm: back to the last good checkpoint, and there either on with a gentler weight or the end.

The setting `on_alarm` decides: "stop" ends at the last good checkpoint; "rollback" goes on from there with changed
settings, `MAX_ROLLBACKS` times at most; "warn" goes on as if nothing had happened, but where values are not finite it stops
too. The history records what happened, in `notes`.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import UserError
from ..runs import Run
from .alarms import Alarm, Alarmed
from .checkpoints import GOOD, STATE, damaged, load, save
from .trainer import Trainer

__all__ = ["MAX_ROLLBACKS", "TrainingStopped", "handle_alarm", "initialise_good", "load_checkpoint"]

MAX_ROLLBACKS = 3


class TrainingStopped(UserError):
    """A training that alarms ended.

    Arguments:
        message: What happened, and what to type to go on.
        alarms: The alarms.
    """

    def __init__(self, message: str, alarms: list[Alarm]) -> None:
        super().__init__(message)
        self.alarms = alarms


def handle_alarm(trainer: Trainer, run: Run, alarmed: Alarmed) -> None:
    """Restores the last good checkpoint and changes the settings there, or ends the training.

    Arguments:
        trainer: The trainer, which is changed.
        run: The run, whose files are changed.
        alarmed: The alarms.

    Raises:
        TrainingStopped: Where the training ends; the message tells how to go on.
    """
    monitor, changes = trainer.monitor, alarmed.config_changes
    notes, rollbacks = monitor.notes, monitor.rollbacks
    epoch = restore_good(trainer, run)
    goes_on = trainer.config.monitoring.on_alarm == "rollback" and bool(changes) and rollbacks < MAX_ROLLBACKS
    has_begun = epoch or (epoch is None and (run.path / STATE).exists())
    place = "its last checkpoint" if has_begun else "its beginning"
    if epoch:
        place = f"the last good checkpoint, of epoch {epoch}"
    if goes_on:
        trainer.change_settings(**changes)
        rollbacks += 1
    monitor.rollbacks, monitor.notes = rollbacks if goes_on else 0, notes
    went = f"Went back ({rollbacks} of {MAX_ROLLBACKS} times) to" if goes_on else "Stopped, and went back to"
    monitor.note(f"{went} {place}. {alarmed}")
    if trainer.fabric.is_global_zero and epoch is not None:
        run.reconfigure(trainer.config, trainer.vae.counts())
        trainer.save(run)
    trainer.fabric.barrier()
    if not goes_on:
        options = "".join(f" --{name.replace('_', '-')} {value:g}" for name, value in changes.items())
        regardless = "" if alarmed.alarms[0].name == "non-finite" else ", or regardless with --on-alarm warn"
        tried = f" It had gone back {rollbacks} times before." if rollbacks else ""
        raise TrainingStopped(
            f"stopped by an alarm. {alarmed}{tried} {run.path} is at {place}. "
            f"Go on with `splitvae train --resume --out {run.path}{options}`{regardless}.",
            alarmed.alarms,
        ) from None


def initialise_good(trainer: Trainer, run: Run) -> None:
    """Makes the present state the good checkpoint where this training has none."""
    file = run.path / GOOD
    if trainer.fabric.is_global_zero and not trainer.keeps_good_checkpoint:
        file.unlink(missing_ok=True)  # of an earlier training that kept one
    elif trainer.fabric.is_global_zero and (trainer.step == 0 or not file.exists()):
        save(file, trainer.state_dict())


def restore_good(trainer: Trainer, run: Run) -> int | None:
    """Goes back to the good checkpoint, with model and history.

    Returns:
        The epoch of the checkpoint; None, and nothing is changed, where there is none.
    """
    trainer.fabric.barrier()
    if not trainer.keeps_good_checkpoint or not load_checkpoint(trainer, run.path / GOOD):
        return None
    if trainer.fabric.is_global_zero:
        if trainer.epoch and not trainer.config.training.best:
            run.save_model(trainer.saved_model)
        trainer.monitor.write_history()
    return int(trainer.epoch)


def load_checkpoint(trainer: Trainer, file: Path) -> bool:
    """Goes on from a checkpoint; returns False where there is none.

    Raises:
        UserError: For a damaged file, or one of another model or of other images.
    """
    state = load(file)
    if state is None:
        return False
    try:
        trainer.load_state_dict(state)
    except UserError as error:
        raise UserError(f"{file} {error}") from None
    except Exception as error:  # damage shows as any of a dozen exceptions
        raise damaged(file, error) from None
    return True
