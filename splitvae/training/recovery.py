"""The response to an alarm: the training goes back to the last good checkpoint, and ends there or goes on.

The setting `on_alarm` chooses it: "stop" ends the training at the last good checkpoint; "rollback" goes on from there with
changed settings, at most `MAX_ROLLBACKS` times; "warn" goes on as before, but also stops if a value is not finite. The
history records the response in `notes`.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import UserError, setting
from ..runs import Run
from ..utils.collectives import barrier
from .alarms import Alarm, Alarmed
from .checkpoints import GOOD, STATE, checkpoint_error, read_checkpoint, write_checkpoint
from .lost_model import mark_restored
from .previews import remove_previews
from .trainer import Trainer

__all__ = ["MAX_ROLLBACKS", "TrainingStopped", "handle_alarm", "initialise_good", "load_checkpoint"]

MAX_ROLLBACKS = 3
WENT_BACK = ("Went back", "Stopped, and went back")  # how the notes on responses to alarms begin


class TrainingStopped(UserError):
    """Is raised when alarms end a training.

    Arguments:
        message: The alarms, and the command that continues the run.
        alarms: The alarms.
    """

    raised_by_all = True

    def __init__(self, message: str, alarms: list[Alarm]) -> None:
        super().__init__(message)
        self.alarms = alarms


def handle_alarm(trainer: Trainer, run: Run, alarmed: Alarmed) -> None:
    """Goes back to the last good checkpoint, and changes the settings there or ends the training.

    Arguments:
        trainer: The trainer, which is changed.
        run: The run, whose files are changed.
        alarmed: The alarms.

    Raises:
        TrainingStopped: If the training ends.
    """
    monitor, changes = trainer.monitor, alarmed.config_changes
    rows, notes, rollbacks = monitor.rows, monitor.notes, monitor.rollbacks
    epoch = restore_good(trainer, run)
    if epoch is not None:
        # The history loses the rows of later epochs, but not that it went back from them.
        lost = [note for row in rows[len(monitor.rows) :] for note in row.get("notes", ())]
        notes = [note for note in lost if note.startswith(WENT_BACK)] + notes
    goes_on = trainer.config.monitoring.on_alarm == "rollback" and bool(changes) and rollbacks < MAX_ROLLBACKS
    has_begun = epoch or (epoch is None and (run.path / STATE).exists())
    place = "its last checkpoint" if has_begun else "its beginning"
    if epoch:
        place = f"the last good checkpoint, of epoch {epoch}"
    if goes_on:
        trainer.change_settings(**changes)
        rollbacks += 1
    monitor.rollbacks, monitor.notes = rollbacks if goes_on else 0, notes
    action = f"{WENT_BACK[0]} ({rollbacks} of {MAX_ROLLBACKS} times) to" if goes_on else f"{WENT_BACK[1]} to"
    monitor.note(f"{action} {place}. {alarmed}")
    if epoch is not None:
        if trainer.fabric.is_global_zero:
            run.reconfigure(trainer.config, trainer.vae.counts(), tuple(changes) if goes_on else ())
        trainer.save(run)
    barrier(trainer.fabric.device)
    if not goes_on:
        options = "".join(f" --{name.replace('_', '-')} {value:g}" for name, value in changes.items())
        in_spite = f", or in spite of the alarm with {setting('on_alarm', 'warn')}"
        regardless = "" if alarmed.alarms[0].name == "non-finite" else in_spite
        earlier = f" It had gone back {rollbacks} times before." if rollbacks else ""
        raise TrainingStopped(
            f"stopped by an alarm. {alarmed}{earlier} {run.path} is at {place}. "
            f"Continue with `splitvae train --resume --out {run.path}{options}`{regardless}.",
            alarmed.alarms,
        ) from None


def initialise_good(trainer: Trainer, run: Run) -> None:
    """Makes the present state the good checkpoint if this training has none yet."""
    file, state = run.path / GOOD, trainer.state_dict()
    if trainer.fabric.is_global_zero and not trainer.keeps_good_checkpoint:
        file.unlink(missing_ok=True)  # of an earlier training that kept one
    elif trainer.fabric.is_global_zero and (trainer.step == 0 or not file.exists()):
        write_checkpoint(file, state)


def restore_good(trainer: Trainer, run: Run) -> int | None:
    """Goes back to the good checkpoint, with the model, the history, the log and the previews.

    At the beginning there is no model. With `best`, a model of an epoch before the checkpoint stays; one of a later epoch
    is replaced by that of the checkpoint.

    Returns:
        The epoch of the checkpoint; None if there is no good checkpoint, and then nothing is changed.
    """
    barrier(trainer.fabric.device)
    best_before = trainer.best
    if not trainer.keeps_good_checkpoint or not load_checkpoint(trainer, run.path / GOOD):
        return None
    monitor, keeps_best = trainer.monitor, trainer.config.training.best
    replaces_best = keeps_best and trainer.epoch > 0 and best_before < trainer.best
    if replaces_best:
        trainer.best = mark_restored(monitor.rows)
        state = trainer.state_dict()
        if trainer.fabric.is_global_zero:
            write_checkpoint(run.path / GOOD, state)
    if trainer.fabric.is_global_zero:
        if not trainer.epoch:
            run.remove_model()
        elif replaces_best or not keeps_best:
            run.save_model(trainer.saved_model)
        remove_previews(run.path / "figures", trainer.epoch)
        monitor.write_history()
        monitor.rewrite_log()
    return int(trainer.epoch)


def load_checkpoint(trainer: Trainer, file: Path) -> bool:
    """Loads a checkpoint into a trainer; returns whether the file exists.

    Raises:
        UserError: For a damaged file, or one of another model or of other images.
    """
    state = read_checkpoint(file)
    if state is None:
        return False
    try:
        trainer.load_state_dict(state)
    except UserError as error:
        raise UserError(f"{file} {error}") from None
    except Exception as error:  # a damaged file may raise any of a dozen exceptions
        raise checkpoint_error(file, error) from None
    return True
