"""What a person sees of a training: progress bar, history, TensorBoard, pictures, alarms, Ctrl-C."""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from .errors import UserError
from .files import write_text
from .runs import Run

__all__ = ["Interrupted", "Monitor", "interruptible"]

NORM_EVERY = 10  # steps between gradient norms
ALARM = 20.0  # times its moving average at which a gradient norm is alarming


class Interrupted(UserError):
    """Ctrl-C was pressed and the checkpoint is written."""

    status = 130

    def __init__(self, folder: Path, epoch: int, step: int, more: str = "") -> None:
        self.epoch, self.step = epoch, step
        super().__init__(
            f"stopped at epoch {epoch + 1}, step {step}, nothing lost; "
            f"`splitvae train --resume --out {folder}{more}` goes on."
        )


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Yields a function that says whether Ctrl-C (or SIGTERM) came; the step in progress ends first, a second one kills."""
    came: list[int] = []

    def note(number: int, frame: Any) -> None:
        if came:
            raise KeyboardInterrupt
        came.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Monitor:
    """Sums the terms of an epoch on the device and looks at them now and then.

    Arguments:
        device: where the terms are.
        batch: images a step, over all devices.
    """

    def __init__(self, device: torch.device, batch: int) -> None:
        self.device, self.batch = device, batch
        self.sums: dict[str, Tensor] = {}
        self.bad = torch.full((), math.inf, device=device)  # the first step whose loss was not finite
        self.norm = torch.zeros((), device=device)  # moving average of the gradient norm
        self.rows: list[dict[str, Any]] = []
        self.steps, self.seconds, self.clock = 0, 0.0, time.perf_counter()
        self.before, self.progress = 0, False  # steps of earlier epochs; whether a bar is wanted
        self.run: Run | None = None
        self.bar: Any = None
        self.board: Any = None

    # -- within a step: no value is read back ----------------------------------------------------------------------

    def count(self, step: int, loss: Tensor, parameters: Iterable[nn.Parameter]) -> None:
        """Notes whether the loss is finite and, now and then, how large the gradient is."""
        self.bad = torch.minimum(self.bad, torch.where(loss.detach().isfinite(), math.inf, float(step)))
        if step % NORM_EVERY == 0:
            norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
            alarm = (self.norm > 0) & (norm > ALARM * self.norm)
            self.norm = torch.where(self.norm > 0, torch.lerp(self.norm, norm, 0.1), norm)
            self.sum({"grad_norm": norm, "grad_norms": 1.0, "alarms": alarm})

    def add(self, logs: dict[str, Tensor | float]) -> None:
        """Adds the terms of one step to the epoch's sums."""
        self.sum(logs)
        self.steps += 1

    def sum(self, terms: dict[str, Tensor | float]) -> None:
        for name, value in terms.items():
            self.sums[name] = self.sums.get(name, torch.zeros((), device=self.device)) + value

    # -- between steps ---------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raises UserError if any loss so far was not finite."""
        bad = float(self.bad)
        if math.isfinite(bad):
            raise UserError(
                f"the loss became non-finite at step {int(bad)}; nothing was written since the last good checkpoint. Go on "
                "from there with --resume and a learning rate of a third (--lr) or --precision 32, or start anew in "
                "another folder (--out) with a KL that sets in slowly (--kl warmup)."
            )

    def begin(self, epoch: int, epochs: int, steps: int) -> None:
        """Opens an epoch; the bar counts the steps of the whole run, so that its time left is the run's."""
        self.clock = time.perf_counter()
        self.before = epoch * steps
        if self.bar is None and self.progress:
            total, done = epochs * steps, self.before + self.steps
            self.bar = tqdm(unit="step", total=total, initial=done, leave=False, dynamic_ncols=True)
        if self.bar is not None:
            self.bar.set_description_str(f"epoch {epoch + 1}/{epochs}", refresh=False)

    def look(self) -> None:
        """Checks the losses so far and moves the progress bar."""
        self.check()
        now = time.perf_counter()
        self.seconds, self.clock = self.seconds + now - self.clock, now
        if self.bar is not None and self.steps:
            terms = {name: float(self.sums[name]) / self.steps for name in ("rec", "kl") if name in self.sums}
            text = ", ".join([f"{self.rate():,.0f} images/s", *(f"{k} {v:.4g}" for k, v in terms.items())])
            self.bar.set_postfix_str(text, refresh=False)
            self.bar.update(self.before + self.steps - self.bar.n)

    def rate(self) -> float:
        """Images a second of this epoch."""
        return self.steps * self.batch / max(self.seconds, 1e-9)

    def close(self, epoch: int, step: int, lr: float, held: dict[str, float]) -> None:
        """Ends an epoch: its means become a row of the history."""
        sums = {name: float(value) for name, value in self.sums.items()}
        norms, alarms = sums.pop("grad_norms", 0.0), int(sums.pop("alarms", 0))
        means = {k: v / max(norms if k == "grad_norm" else self.steps, 1) for k, v in sums.items()}
        speed = {"seconds": round(self.seconds, 2), "images_per_second": round(self.rate(), 1)}
        self.rows.append({"epoch": epoch, "step": step, **means, **held, "lr": lr, "alarms": alarms, **speed})
        if alarms:
            self.say(
                f"Warning: in epoch {epoch} the gradient was {alarms} times more than {ALARM:.0f} times its average; "
                "if the loss rises, lower --lr."
            )
        self.sums, self.steps, self.seconds = {}, 0, 0.0

    def say(self, text: str) -> None:
        if self.bar is not None:
            self.bar.write(text)

    # -- what is written -------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self, run: Run, progress: bool) -> Iterator[Monitor]:
        """Opens TensorBoard's events, and closes them and the progress bar at the end."""
        from torch.utils.tensorboard import SummaryWriter  # a second to import, and only training needs it

        self.run = run
        purge = self.rows[-1]["step"] + 1 if self.rows else 0
        self.board = SummaryWriter(str(run.path / "tensorboard"), purge_step=purge)
        self.progress = progress
        try:
            yield self
        finally:
            if self.bar is not None:
                self.bar.close()
            with suppress(OSError):
                self.board.close()
            self.bar = self.board = None

    def write(self) -> None:
        """Writes the history, and the last row for TensorBoard."""
        self.write_history()
        row = self.rows[-1]
        for name, value in row.items():
            if name not in ("epoch", "step"):
                self.board.add_scalar(f"{'held out' if name.startswith('val_') else 'train'}/{name}", value, row["step"])
        self.board.flush()
        self.say(summary(row))

    def write_history(self) -> None:
        """Writes history.jsonl in one piece."""
        assert self.run is not None
        write_text(self.run.path / "history.jsonl", "".join(json.dumps(row) + "\n" for row in self.rows))

    def state_dict(self) -> dict[str, Any]:
        """What a resumed epoch needs to report as an uninterrupted one."""
        return {
            "sums": {name: value.cpu() for name, value in self.sums.items()},
            "norm": self.norm.cpu(),
            "steps": self.steps,
            "seconds": self.seconds,
            "rows": self.rows,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.sums = {name: value.to(self.device) for name, value in state["sums"].items()}
        self.norm = state["norm"].to(self.device)
        self.steps, self.seconds, self.rows = state["steps"], state["seconds"], state["rows"]


def summary(row: dict[str, Any]) -> str:
    """One line about an epoch."""
    parts = [f"epoch {row['epoch']:>3}", f"rec {row['rec']:.4g}", f"kl {row['kl']:.2f}", f"mse {row['mse']:.5f}"]
    if "val_mse" in row:
        parts.append(f"held-out mse {row['val_mse']:.5f}")
    return "  ".join([*parts, f"{row['images_per_second']:,.0f} images/s"])
