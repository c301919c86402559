"""Windows: the steps over which terms are averaged before alarms are found in them.

A window is an epoch, or as many epochs as have `WINDOW_STEPS` steps. A term is checked only if it was logged for a whole
window before: in the first steps of a training, and in the first steps with fakes, terms look like those of a collapse. A
training that is too short for that says so at its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..objectives.base import Loss
from ..utils.text import count_noun
from .alarms import Alarm, find_alarms

__all__ = ["Windows", "check_window", "describe_end"]

WINDOW_STEPS = 500  # the number of steps of a window, at least
CHECKED_TERMS = (
    "kl_real",
    "kl_rec",
    "kl_fake",
    "spread",
)  # those of them that are logged must be checked for a good checkpoint
WARNING_ONLY = "samples-alike"  # the alarm that ends no training
TERMS_OF_ALARMS = {  # the term that an alarm checks
    "codes-empty": ("kl_real", "kl_style", "kl_content", "kl"),
    "one-picture": ("spread",),
    "reals-over-margin": ("hinge_fake",),
    "fakes-under-reals": ("kl_fake",),
    "hinges-idle": ("hinge_fake",),
    "hinges-full": ("hinge_fake",),
    "samples-alike": ("correlation_fake",),
}


@dataclass
class Windows:
    """The sums of the present window.

    Arguments:
        totals: The sum of each term in the window, and the number of steps that logged it.
        before: The number of steps before the window that logged each term.
        steps: The number of steps in the window.
        checked: The terms that were checked in any window.
        warnings: The names of the alarms that the last window raised as warnings.
    """

    totals: dict[str, tuple[float, int]] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)
    steps: int = 0
    checked: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, totals: Mapping[str, tuple[float, int]], steps: int) -> dict[str, float] | None:
        """Adds an epoch to the window.

        Arguments:
            totals: The sum of each term in the epoch, and the number of steps that logged it.
            steps: The number of steps in the epoch.

        Returns:
            The means over the window of the terms that may be checked, if the epoch ends the window; else None.
        """
        self.steps += steps
        for name, (value, count) in totals.items():
            old_value, old_count = self.totals.get(name, (0.0, 0))
            self.totals[name] = (old_value + value, old_count + count)
        if self.steps < WINDOW_STEPS:
            return None
        means = {name: v / n for name, (v, n) in self.totals.items() if self.before.get(name, 0) >= WINDOW_STEPS}
        for name, (_, count) in self.totals.items():
            self.before[name] = self.before.get(name, 0) + count
        self.totals, self.steps = {}, 0
        self.checked = sorted({*self.checked, *means})
        return means

    def steps_with(self, term: str) -> int:
        """Returns the number of steps that logged a term."""
        return self.before.get(term, 0) + self.totals.get(term, (0.0, 0))[1]


def check_window(
    windows: Windows, totals: Mapping[str, tuple[float, int]], steps: int, loss: Loss
) -> tuple[bool, list[Alarm], list[Alarm]]:
    """Adds an epoch to the window and finds the alarms of a window that ends.

    Arguments:
        windows: The sums of the window, which are changed.
        totals: The sum of each term in the epoch, and the number of steps that logged it.
        steps: The number of steps in the epoch.
        loss: The loss that is trained.

    Returns:
        Whether the state after the epoch is a good checkpoint; the alarms, the gravest first; and alarms that only warn and
        that the window before did not raise.
    """
    means = windows.add(totals, steps)
    if means is None:
        return not loss.may_collapse, [], []
    alarms = find_alarms(means, loss.settings.constant_weights(), "kl_fake" in totals, loss.code_kls(means))
    grave = [alarm for alarm in alarms if loss.may_collapse and alarm.name != WARNING_ONLY]
    warnings = [alarm for alarm in alarms if alarm not in grave]
    new = [alarm for alarm in warnings if alarm.name not in windows.warnings]
    windows.warnings = [alarm.name for alarm in warnings]
    is_good = not grave and all(name in means for name in CHECKED_TERMS if name in totals)
    return is_good or not loss.may_collapse, grave, new


def describe_end(windows: Windows, loss: Loss) -> list[str]:
    """Returns what is to say of alarms at the end of a training: which still warn, and which could not be checked.

    Arguments:
        windows: The sums of the last window, and what earlier windows found.
        loss: The loss that was trained.
    """
    lines = []
    if windows.warnings:
        lines.append(f"Warning: the training ends with {', '.join(windows.warnings)}; see the notes in history.jsonl.")
    logged = windows.before.keys() | windows.totals.keys()
    unchecked: dict[int, list[str]] = {}
    for alarm, terms in TERMS_OF_ALARMS.items():
        present = [term for term in terms if term in logged]
        has_codes = alarm != "codes-empty" or loss.code_kls(dict.fromkeys(logged, 0.0))
        if present and has_codes and present[0] not in windows.checked:
            unchecked.setdefault(windows.steps_with(present[0]), []).append(alarm)
    if unchecked:
        found = "; ".join(f"{', '.join(names)} ({count_noun(steps, 'step')})" for steps, names in unchecked.items())
        lines.append(f"Note: not checked, since an alarm needs two windows of {WINDOW_STEPS} steps: {found}.")
    return lines
