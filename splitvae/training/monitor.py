"""The record of a training: sums of terms, the history, the progress bar and warnings."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import setting
from ..runs import Run
from ..utils.collectives import all_gather, all_reduce
from ..utils.files import write_json_lines
from ..utils.progress import ProgressBar
from ..utils.text import count_noun
from .loggers import TrainingLog, open_log
from .windows import Windows

__all__ = ["Monitor"]

GRADIENT_NORM_EVERY_STEPS = 10  # between two computations of the gradient norm
LAST_VALUES = ("v",)  # terms of which the history has the value in the last step of an epoch, not the mean
GRADIENT_SPIKE_FACTOR = 20.0  # a gradient norm above so many times its moving average is counted as a spike
PER_IMAGE = ", an image"  # ends the name of the sum of a term per image, which is logged per group
TERMS_OF_LINES = ("loss", "rec", "kl", "kl_real", "kl_fake", "v")  # are read for the progress bar


class Monitor:
    """Sums the terms of an epoch on the device, and reports them.

    Arguments:
        device: The device of the terms.
        batch_size: The number of images in a step, on all devices together.
    """

    def __init__(self, device: torch.device, batch_size: int) -> None:
        self.device, self.batch_size = device, batch_size
        self.sums: dict[str, Tensor] = {}  # of each term in this epoch
        self.counts: dict[str, int] = {}  # the number of steps of this epoch that logged each term
        self.last: dict[str, Tensor | float] = {}  # the `LAST_VALUES` of the last step
        self.first_bad_step = self._all_finite()
        self.norms: dict[str, Tensor] = {}  # the moving average of the gradient norm of each player
        self.rows: list[dict[str, Any]] = []  # of the history
        self.windows = Windows()  # the sums by which alarms are found
        self.notes: list[str] = []  # on alarms, for the next row of the history
        self.rollbacks = 0
        self.steps, self.seconds, self.clock = 0, 0.0, time.perf_counter()  # of this epoch
        self.steps_before, self.shows_progress = 0, False  # the number of steps of earlier epochs
        self.run: Run | None = None
        self.has_announced_stop = False
        self.bar: ProgressBar | None = None
        self.log: TrainingLog | None = None

    # -- within a step: no value is read back from the device ------------------------------------------------------

    def _all_finite(self) -> dict[str, Tensor]:
        """Returns the first step at which each value was not finite, for values that were always finite: infinity."""
        return {what: torch.full((), math.inf, device=self.device) for what in ("the loss", "the gradient", "a weight")}

    def record_gradient(self, step: int, player: str, loss: Tensor, parameters: Iterable[nn.Parameter]) -> None:
        """Records whether the loss of a player is finite and, in some steps, the norm of its gradient.

        Arguments:
            step: The training step.
            player: The name of the player.
            loss: The loss of the player.
            parameters: The parameters of the player.
        """
        self.record_non_finite("the loss", loss.detach(), step)
        if step % GRADIENT_NORM_EVERY_STEPS == 0:
            norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
            self.record_non_finite("the gradient", norm, step)
            average = self.norms.get(player, norm)
            self.norms[player] = torch.where(average > 0, torch.lerp(average, norm, 0.1), norm)
            name = "grad_norm" if player == "vae" else f"grad_norm_{player}"
            self._sum({name: norm, "alarms": (average > 0) & (norm > GRADIENT_SPIKE_FACTOR * average)})

    def record_non_finite(self, what: str, value: Tensor, step: int) -> None:
        """Records the step if a value is not finite.

        Arguments:
            what: "the loss", "the gradient" or "a weight".
            value: The value, a scalar.
            step: The training step.
        """
        self.first_bad_step[what] = torch.minimum(
            self.first_bad_step[what], torch.where(value.isfinite(), math.inf, float(step))
        )

    def add_terms(
        self, logs: dict[str, Tensor | float], per_group: Collection[str] = (), groups_per_image: float = 1.0
    ) -> None:
        """Adds the terms of one step to the sums of the epoch.

        Arguments:
            logs: The terms.
            per_group: The names of the terms that are per group; alarms read these, and the history has them per image.
            groups_per_image: The number of groups in the batch, divided by that of its images.
        """
        self._sum(logs)
        self._sum({name + PER_IMAGE: logs[name] * groups_per_image for name in per_group if name in logs})
        self.last = {name: logs[name] for name in LAST_VALUES if name in logs}
        self.steps += 1

    def _sum(self, terms: dict[str, Tensor | float]) -> None:
        """Adds terms to their sums, and counts for each term the steps that logged it."""
        for name, value in terms.items():
            before = self.sums.get(name)
            self.sums[name] = value + (torch.zeros((), device=self.device) if before is None else before)
            self.counts[name] = self.counts.get(name, 0) + 1

    # -- between steps ---------------------------------------------------------------------------------------------

    def first_non_finite(self, step: int, weights: Iterable[Tensor]) -> tuple[str, int] | None:
        """Returns what was not finite first in any process, and its step; None if all values were finite.

        Arguments:
            step: The present training step.
            weights: The weights, which are checked now.
        """
        floats = [w.detach() for w in weights if w.is_floating_point()]
        self.record_non_finite("a weight", torch.nn.utils.get_total_norm(floats, math.inf), step)
        first = all_reduce(torch.stack(list(self.first_bad_step.values())), "min").tolist()
        earliest, what = min(zip(first, self.first_bad_step, strict=True), key=lambda pair: pair[0])
        return (what, int(earliest)) if math.isfinite(earliest) else None

    def totals(self) -> dict[str, tuple[float, int]]:
        """Returns the sum of each term in this epoch, averaged over processes, and the number of steps that logged it."""
        values = all_reduce(torch.stack(list(self.sums.values())), "mean").tolist()
        return {name: (value, self.counts[name]) for name, value in zip(self.sums, values, strict=True)}

    def begin_epoch(self, epoch: int, epochs: int, steps: int) -> None:
        """Begins an epoch; the progress bar counts the steps of the whole run, so that it shows the time that remains.

        Arguments:
            epoch: The number of finished epochs.
            epochs: The number of all epochs.
            steps: The number of steps in an epoch.
        """
        self.clock = time.perf_counter()
        self.steps_before = epoch * steps
        if self.bar is None and self.shows_progress:
            self.bar = ProgressBar("epoch", epochs * steps, "step", self.steps_before + self.steps)
        if self.bar is not None:
            self.bar.rename(f"epoch {epoch + 1}/{epochs}")

    def update_progress_bar(self) -> None:
        """Updates the time of the epoch and the progress bar."""
        now = time.perf_counter()
        self.seconds, self.clock = self.seconds + now - self.clock, now
        if self.bar is not None and self.steps:
            names = [name for name in self.sums if name.removesuffix(PER_IMAGE) in TERMS_OF_LINES]
            means = in_units_of_images({name: float(self.sums[name]) / self.counts[name] for name in names})
            parts = [f"{self.images_per_second():,.0f} images/s", *list_terms(means)]
            self.bar.update(self.steps_before + self.steps, parts)

    def images_per_second(self) -> float:
        """Returns the number of images per second in this epoch."""
        return self.steps * self.batch_size / max(self.seconds, 1e-9)

    def close_epoch(
        self, epoch: int, step: int, lr: float, held_out: dict[str, float], totals: dict[str, tuple[float, int]]
    ) -> None:
        """Ends an epoch: appends its means to the history and begins new sums.

        Arguments:
            epoch: The number of finished epochs.
            step: The number of finished steps.
            lr: The learning rate.
            held_out: The terms of held-out images.
            totals: The sum of each term, and the number of steps that logged it.
        """
        means = in_units_of_images({name: value / n for name, (value, n) in totals.items() if name != "alarms"})
        means |= {name: float(value) for name, value in self.last.items()}
        spikes = round(totals.get("alarms", (0.0, 0))[0])
        speed = {"seconds": round(self.seconds, 2), "images_per_second": round(self.images_per_second(), 1)}
        self.rows.append({"epoch": epoch, "step": step, **means, **held_out, "lr": lr, "alarms": spikes, **speed})
        if self.notes:
            self.rows[-1]["notes"] = self.notes
        if spikes:
            self.print(
                f"Warning: in {count_noun(spikes, 'step')} of epoch {epoch} the gradient was more than "
                f"{GRADIENT_SPIKE_FACTOR:.0f} times its average; if the loss rises, lower {setting('lr')}."
            )
        self.sums, self.counts, self.notes, self.steps, self.seconds = {}, {}, [], 0, 0.0

    def note(self, text: str) -> None:
        """Prints a text, and adds it to the next row of the history."""
        self.notes = [*self.notes, text]
        self.print(text)

    def announce_stop(self, stops: bool, step: int) -> None:
        """Prints once after Ctrl-C at which step several processes will stop."""
        if stops and not self.has_announced_stop:
            self.has_announced_stop = True
            self.print(f"Stopping after step {step}, where all processes meet and write the checkpoint.")

    def print(self, text: str) -> None:
        """Prints a text above the progress bar."""
        if self.bar is not None:
            self.bar.print(text)

    # -- files -----------------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self, run: Run, progress: bool, writes: bool = True) -> Iterator[Monitor]:
        """Opens the log of the run's logger for the block; closes it and the progress bar after it.

        Arguments:
            run: The run, whose folder receives the files.
            progress: Whether to show a progress bar.
            writes: Whether this is the process of several that writes files.
        """
        self.run = run
        if writes:
            self.log = open_log(run.config.monitoring.logger, run)
            self.rewrite_log()
        self.shows_progress, is_complete = progress, False
        try:
            yield self
            is_complete = True
        finally:
            if self.bar is not None:
                self.bar.close()
            if self.log is not None:
                self.log.close(is_complete)
            self.bar = self.log = None

    def rewrite_log(self) -> None:
        """Makes the log agree with the history."""
        if self.log is not None:
            self.log.rewrite(self.rows)

    def write_epoch(self) -> None:
        """Writes the history, writes its last row to the log, and prints it."""
        assert self.log is not None
        self.write_history()
        if note := self.log.add(self.rows):
            self.print(note)
        self.print(summarise_epoch(self.rows[-1]))

    def write_history(self) -> None:
        """Writes history.jsonl."""
        assert self.run is not None
        write_json_lines(self.run.path / "history.jsonl", self.rows)

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that a resumed epoch needs to report the same as one without interruption.

        Each process has sums of its own, which are gathered; all processes must call this.
        """
        sums = all_gather(torch.stack(list(self.sums.values()))).cpu().unbind(-1) if self.sums else ()
        return {
            "sums": dict(zip(self.sums, sums, strict=True)),  # scalars, or of several processes shape (processes,)
            "counts": self.counts,
            "last": {name: float(value) for name, value in self.last.items()},
            "norms": {player: norm.cpu() for player, norm in self.norms.items()},
            "steps": self.steps,
            "seconds": self.seconds,
            "rows": self.rows,
            "windows": vars(self.windows),
            "notes": self.notes,
            "rollbacks": self.rollbacks,
        }

    def load_state_dict(self, state: dict[str, Any], rank: int, processes: int) -> None:
        """Restores what `state_dict` returned.

        Arguments:
            state: The state.
            rank: The number of this process.
            processes: The number of processes; if it is another than it was, each takes the mean of the sums.
        """
        own = {
            name: value if not value.ndim else value[rank] if len(value) == processes else value.mean()
            for name, value in state["sums"].items()
        }
        self.sums = {name: value.to(self.device) for name, value in own.items()}
        self.norms = {player: norm.to(self.device) for player, norm in state["norms"].items()}
        self.counts, self.steps, self.seconds = dict(state["counts"]), state["steps"], state["seconds"]
        self.last = dict(state.get("last", {}))
        self.rows, self.notes, self.rollbacks = state["rows"], state["notes"], state["rollbacks"]
        self.windows, self.first_bad_step = Windows(**state["windows"]), self._all_finite()


def in_units_of_images(means: Mapping[str, float]) -> dict[str, float]:
    """Returns the means of terms, those that are known per group and per image in the latter unit alone."""
    return {name: means.get(name + PER_IMAGE, value) for name, value in means.items() if not name.endswith(PER_IMAGE)}


def describe_terms(means: Mapping[str, float]) -> str:
    """Returns the distortion SSE / 2v and the KLs of an image as text in one unit, which is named; without v the loss.

    Arguments:
        means: The means of terms, or a row of the history.
    """
    is_in_nats = {"v", "rec", "kl"} <= means.keys()
    return ", ".join(list_terms(means)) + (" nats" if is_in_nats else "")


def list_terms(means: Mapping[str, float]) -> list[str]:
    """Returns the terms of `describe_terms` without their unit."""
    if not {"v", "rec", "kl"} <= means.keys():
        return [f"loss {means['loss']:.4g}"]
    is_introspective = "kl_real" in means  # its `rec` is SSE / 2, and its loss is that divided by v, plus the KL
    terms = {"rec": means["loss"] - means["kl"] if is_introspective else means["rec"], "kl": means["kl"]}
    if "kl_fake" in means:
        terms["kl of samples"] = means["kl_fake"]
    return [f"{name} {value:.4g}" for name, value in terms.items()]


def summarise_epoch(row: dict[str, Any]) -> str:
    """Returns a line of text about an epoch, which fits 80 columns but for introspective models.

    Arguments:
        row: The row of the history.
    """
    errors = f"mse {row['mse']:.5f}" + (f", held out {row['val_mse']:.5f}" if "val_mse" in row else "")
    return "  ".join([f"epoch {row['epoch']:>2}", describe_terms(row), errors, f"{row['images_per_second']:,.0f} images/s"])
