"""Alarms: signs that a training dies, judged while the last good checkpoint is whole.

| alarm               | what the means over a window show                | remedy in IntroVAE (Soft-IntroVAE)             |
| ------------------- | ------------------------------------------------ | ---------------------------------------------- |
| `non-finite`        | a loss, gradient or weight is not a number       | lr / 2                                         |
| `codes-empty`       | KL of images < 1 nat                             | beta * 2 (beta_kl / 2)                         |
| `one-picture`       | reconstructions vary by < 1/5 of what images do  | alpha / 2, before fakes beta * 2 (beta_kl / 2) |
| `reals-over-margin` | KL of images > margin                            | margin = 1.5 KL, or alpha > 1 to .25           |
| `fakes-under-reals` | KL of samples < KL of images - 1 nat             | alpha_decoder / 2 (beta_neg / 2)               |
| `hinges-idle`       | both hinges 0: KLs of fakes > margin             | margin = 1.5 KL, or alpha > 1 to .25           |
| `hinges-full`       | both hinges full: those KLs < 1/100 of it        | margin = 3 KL, or alpha_decoder / 2            |

The first is checked within epochs too. A window is an epoch, or as many as make `WINDOW_STEPS` steps. Only those terms are
judged that were logged for a whole window before it: the beginning of a training, or of its fakes, looks like a death.
Terms that a loss does not log raise no alarm, so all alarms but the first concern introspective losses.

The setting `on_alarm` decides the response (training/recovery.py). The last good checkpoint of a loss that may collapse is
good.ckpt: the end of the last window that was judged by all its terms and raised no alarm, or the beginning. That of other
losses is state.ckpt.

References: pictures in the README of yukunchen113's public code and the guards of Soft-IntroVAE's public code (Daniel,
Tamar, 2021) show how trainings die; thresholds beyond theirs are ours. Their guard of one nat is justified: samples of
faces turned into noise in the very epochs in which their KL fell below that of images (results/README.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..errors import UserError
from ..objectives.base import Loss

__all__ = ["Alarm", "Alarmed", "Windows", "find_alarms", "judge_window", "non_finite"]

WINDOW_STEPS = 500  # at least, over which means are taken
MIN_KL_GAP = 1.0  # nats by which samples may lie below images: the guard of Soft-IntroVAE
MIN_KL = 1.0  # nats
MIN_SPREAD = 0.2  # standard deviation of reconstructions over that of images
HINGE_IDLE, HINGE_FULL = 1e-3, 0.99  # shares of the margin
PAPER_ALPHA = 0.25  # above 1 images weigh less than fakes
JUDGED_TERMS = ("kl_real", "kl_rec", "kl_fake", "spread")  # a good checkpoint was judged by those that are logged


class Alarm(NamedTuple):
    """A sign that a training dies.

    name: One of the names above. observation, cause, remedy: Sentences. config_changes: The settings that are the remedy;
    none where the weights are functions of the step.
    """

    name: str
    observation: str
    cause: str
    remedy: str
    config_changes: dict[str, float]

    def __str__(self) -> str:
        changes = ", ".join(f"{name}={value:g}" for name, value in self.config_changes.items())
        end = f": {changes}." if changes else " in its schedule."
        return f"{self.name}: {self.observation}; {self.cause}. {self.remedy}{end}"


class Alarmed(UserError):
    """Training must not go on as it does; nothing was written since the alarms.

    Arguments:
        alarms: The alarms, the gravest first.
    """

    def __init__(self, alarms: list[Alarm]) -> None:
        super().__init__(" ".join(map(str, alarms)))
        self.alarms = alarms

    @property
    def config_changes(self) -> dict[str, float]:
        """The remedies of all alarms; where two change one setting, that of the first."""
        changes: dict[str, float] = {}
        for alarm in self.alarms:
            changes = alarm.config_changes | changes
        return changes


def non_finite(what: str, step: int, lr: float) -> Alarm:
    """Returns the alarm for a value that is not finite.

    Arguments:
        what: What the value is: the loss, the gradient or a weight.
        step: The first step at which it was not finite.
        lr: The learning rate.
    """
    observation = f"{what} became non-finite at step {step}"
    cause = "a step was too long, or too small a number was divided by"
    remedy = "Take a lower learning rate, or --precision 32"
    return Alarm("non-finite", observation, cause, remedy, {"lr": round_to_three_digits(lr / 2)})


def find_alarms(means: Mapping[str, float], weights: Mapping[str, float], has_fakes: bool | None = None) -> list[Alarm]:
    """Returns the alarms that the means of a window raise, the gravest first.

    Arguments:
        means: The mean of each term over the window.
        weights: The weights of the loss that are numbers, as `Introspective.constant_weights` returns them.
        has_fakes: Whether fakes were drawn in the window; they may be too new to be among the means.
    """
    alarms: list[Alarm] = []
    soft = "beta_neg" in weights

    def alarm(name: str, observation: str, cause: str, remedy: str, **changes: float) -> None:
        known = {k: round_to_three_digits(v) for k, v in changes.items() if k in weights}
        alarms.append(Alarm(name, observation, cause, remedy, known))

    def times(name: str, factor: float) -> dict[str, float]:
        return {name: weights.get(name, 0.0) * factor}

    real, fake, rec = (means.get(f"kl_{name}") for name in ("real", "fake", "rec"))
    if real is not None and real < MIN_KL:
        observation, cause = f"the KL of images is {real:.3g} nats", "codes tell nothing about their images"
        if soft:
            alarm("codes-empty", observation, cause, "Lower beta_kl, the KL's weight", **times("beta_kl", 0.5))
        else:
            alarm("codes-empty", observation, cause, "Raise beta, the reconstruction's weight", **times("beta", 2))
    has_fakes = fake is not None if has_fakes is None else has_fakes
    if (spread := means.get("spread", 1.0)) < MIN_SPREAD:
        observation = f"reconstructions of a batch vary by {spread:.2g} of what its images do"
        cause = "the decoder generates nearly one picture whatever the code"
        if soft:
            alarm("one-picture", observation, cause, "Lower beta_kl, the KL's weight", **times("beta_kl", 0.5))
        elif not has_fakes:
            alarm("one-picture", observation, cause, "Raise beta, the reconstruction's weight", **times("beta", 2))
        else:
            both = times("alpha", 0.5) | times("alpha_decoder", 0.5)
            alarm("one-picture", observation, cause, "Lower alpha, or raise beta, with which copies must be true", **both)
    if real is None or fake is None or rec is None:
        return alarms
    margin, strong = means.get("margin"), weights.get("alpha", 0.0) > 1
    if margin is not None and real > margin:
        observation = f"the KL of images is {real:.3g} nats, above the margin of {margin:.3g}"
        cause = "their KL and that of fakes are no longer held apart"
        if strong:
            alarm(
                "reals-over-margin",
                observation,
                cause,
                "Lower alpha, which outweighs the images' own KL",
                alpha=PAPER_ALPHA,
            )
        else:
            remedy = "Raise margin, or lower beta, with which that KL grows"
            alarm("reals-over-margin", observation, cause, remedy, margin=1.5 * real)
    if fake < real - MIN_KL_GAP:
        observation = f"the KL of samples is {fake:.3g} nats, below that of images, {real:.3g}"
        cause = "the encoder takes fakes for likelier than images, so it no longer judges"
        if soft:
            alarm(
                "fakes-under-reals", observation, cause, "Lower beta_neg, whose exponentials fade", **times("beta_neg", 0.5)
            )
        else:
            remedy = "Lower alpha_decoder, which draws that KL down"
            alarm("fakes-under-reals", observation, cause, remedy, **times("alpha_decoder", 0.5))
    hinges = [means[name] for name in ("hinge_rec", "hinge_fake") if name in means]
    if margin is not None and len(hinges) == 2 and max(hinges) <= HINGE_IDLE * margin and real <= margin:
        observation = (
            f"the KLs of reconstructions, {rec:.3g} nats, and samples, {fake:.3g}, are beyond margin, {margin:.3g}"
        )
        cause = "both hinges are 0, and the encoder learns as in a plain VAE"
        if strong:
            alarm("hinges-idle", observation, cause, "Lower alpha, which drove them there", alpha=PAPER_ALPHA)
        else:
            alarm("hinges-idle", observation, cause, "Raise margin above them", margin=1.5 * max(fake, rec))
    if margin is not None and len(hinges) == 2 and min(hinges) >= HINGE_FULL * margin:
        observation = (
            f"the KLs of reconstructions, {rec:.3g} nats, and samples, {fake:.3g}, are far from margin, {margin:.3g}"
        )
        cause = "both hinges are full, and never let go"
        if MIN_KL <= (most := max(real, fake, rec)) < margin / 3:
            alarm("hinges-full", observation, cause, "Lower margin to where it can be reached", margin=3 * most)
        else:
            remedy = "Lower alpha_decoder, which draws those KLs down"
            alarm("hinges-full", observation, cause, remedy, **times("alpha_decoder", 0.5))
    return alarms


def round_to_three_digits(value: float) -> float:
    """Returns a number rounded to three digits, short enough to type."""
    return float(f"{value:.3g}")


@dataclass
class Windows:
    """The window in progress.

    Arguments:
        totals: The sum and the count of each term.
        before: How often each term was logged before the window.
        steps: The number of steps in the window.
    """

    totals: dict[str, tuple[float, int]] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)
    steps: int = 0

    def add(self, totals: Mapping[str, tuple[float, int]], steps: int) -> dict[str, float] | None:
        """Adds an epoch; returns the means of those terms that may be judged where it ends a window, else None.

        Arguments:
            totals: The sum and the count of each term in the epoch.
            steps: The number of steps in the epoch.
        """
        self.steps += steps
        for name, (value, count) in totals.items():
            old, times = self.totals.get(name, (0.0, 0))
            self.totals[name] = (old + value, times + count)
        if self.steps < WINDOW_STEPS:
            return None
        means = {name: v / n for name, (v, n) in self.totals.items() if self.before.get(name, 0) >= WINDOW_STEPS}
        for name, (_, count) in self.totals.items():
            self.before[name] = self.before.get(name, 0) + count
        self.totals, self.steps = {}, 0
        return means


def judge_window(
    windows: Windows, totals: Mapping[str, tuple[float, int]], steps: int, loss: Loss
) -> tuple[bool, list[Alarm]]:
    """Adds an epoch to the window and judges it.

    Arguments:
        windows: The window in progress, which is changed.
        totals: The sum and the count of each term in the epoch.
        steps: The number of steps in the epoch.
        loss: The loss that is trained.

    Returns:
        Whether the epoch ends in a good checkpoint, and the alarms, the gravest first.
    """
    means = windows.add(totals, steps)
    if not loss.may_collapse:
        return True, []
    alarms = find_alarms(means or {}, loss.settings.constant_weights(), "kl_fake" in totals)
    is_good = means is not None and not alarms and all(name in means for name in JUDGED_TERMS if name in totals)
    return is_good, alarms
