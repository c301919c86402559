"""Alarms: how a training dies, said while the last good checkpoint is whole.

| alarm               | what the means over a window show                | what is moved, in IntroVAE (Soft-IntroVAE)     |
| ------------------- | ------------------------------------------------ | ---------------------------------------------- |
| `non-finite`        | a loss, gradient or weight is no number          | lr / 2                                         |
| `codes-empty`       | KL of images < 1 nat                             | beta * 2 (beta_kl / 2)                         |
| `one-picture`       | reconstructions vary by < 1/5 of what images do  | alpha / 2, before fakes beta * 2 (beta_kl / 2) |
| `reals-over-margin` | KL of images > margin                            | margin = 1.5 KL, or alpha > 1 to .25           |
| `fakes-under-reals` | KL of samples < KL of images - 1 nat             | alpha_decoder / 2 (beta_neg / 2)               |
| `hinges-idle`       | both hinges 0: KLs of what is painted > margin   | the same                                       |
| `hinges-full`       | both hinges full: those KLs < 1/100 of it        | margin = 3 KL, or alpha_decoder / 2            |

The first is looked for within epochs too. A window is an epoch, or as many as make `WINDOW` steps. It is judged by those
terms alone that were there for a whole window before it: a beginning, of a training or of its fakes, looks like a death.
Terms that a loss does not log raise no alarm, so all but the first concern introspective losses.

`on_alarm` says what follows. "stop" ends at the last good checkpoint, "rollback" goes on from there with the weight
moved, `ROLLBACKS` times at most, and "warn" goes on as if nothing were; where values are not finite it stops too. The last
good checkpoint of an introspective loss is good.ckpt: the end of the last window that was judged by all its terms and
raised no alarm, or the beginning; of others it is state.ckpt. The history tells what happened, in `notes`.

References: which ways runs die is known from pictures of the README of yukunchen113's public code and from the guards of
Soft-IntroVAE's (Daniel, Tamar, 2021); thresholds beyond theirs are ours. Theirs of a nat is no caution too many: samples of
faces turned into noise in the very epochs in which their KL fell below that of images (results/README.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..errors import UserError
from ..objectives.base import Objective
from ..objectives.introspective import Introspective

__all__ = ["Alarm", "Alarmed", "Windows", "judge", "non_finite", "weights_of"]


WINDOW = 500  # steps at least, over which means are taken


GAP = 1.0  # nats by which samples must be under images: Soft-IntroVAE's guard


EMPTY = 1.0  # nats


SPREAD = 0.2


IDLE, FULL = 1e-3, 0.99  # of the margin


PAPERS = 0.25  # alpha; above 1 images weigh less than what is painted


TERMS = ("kl_real", "kl_rec", "kl_fake", "spread")  # without which a checkpoint has not been judged


class Alarm(NamedTuple):
    """What was seen, why, what to do about it, and the fields of `Config` that do it; none where they are functions."""

    name: str
    seen: str
    cause: str
    cure: str
    change: dict[str, float]

    def __str__(self) -> str:
        new = ", ".join(f"{name}={value:g}" for name, value in self.change.items())
        return f"{self.name}: {self.seen}; {self.cause}. {self.cure}{': ' if new else ' in its schedule'}{new}."


class Alarmed(UserError):
    """Training must not go on as it does; nothing has been written since."""

    def __init__(self, alarms: list[Alarm]) -> None:
        super().__init__(" ".join(map(str, alarms)))
        self.alarms = alarms

    @property
    def change(self) -> dict[str, float]:
        """What mends all of them; where two move one weight the first does."""
        found: dict[str, float] = {}
        for alarm in self.alarms:
            found = alarm.change | found
        return found


# ---------------------------------------------------------------- the alarms, as functions of means


def non_finite(what: str, step: int, lr: float) -> Alarm:
    """The alarm for what was first seen at a step to be no number, trained with a learning rate."""
    seen, cause = f"{what} became non-finite at step {step}", "a step was too long, or too small a number was divided by"
    return Alarm("non-finite", seen, cause, "Take a lower learning rate, or --precision 32", {"lr": short(lr / 2)})


def judge(means: Mapping[str, float], weights: Mapping[str, float], painted: bool | None = None) -> list[Alarm]:
    """The alarms raised by the means of a window's terms, with `weights` as `weights_of` gives them; the gravest first.

    `painted` tells whether there were fakes in the window, which may be too new to be among the means.
    """
    found: list[Alarm] = []
    soft = "beta_neg" in weights

    def alarm(name: str, seen: str, cause: str, cure: str, **change: float) -> None:
        found.append(Alarm(name, seen, cause, cure, {k: short(v) for k, v in change.items() if k in weights}))

    def times(name: str, factor: float) -> dict[str, float]:
        return {name: weights.get(name, 0.0) * factor}

    real, fake, rec = (means.get(f"kl_{name}") for name in ("real", "fake", "rec"))
    if real is not None and real < EMPTY:
        seen, cause = f"the KL of images is {real:.3g} nats", "codes say nothing of their images"
        if soft:
            alarm("codes-empty", seen, cause, "Lower beta_kl, the KL's weight", **times("beta_kl", 0.5))
        else:
            alarm("codes-empty", seen, cause, "Raise beta, the reconstruction's weight", **times("beta", 2))
    painted = fake is not None if painted is None else painted
    if (spread := means.get("spread", 1.0)) < SPREAD:
        seen = f"reconstructions of a batch vary by {spread:.2g} of what its images do"
        cause = "the decoder paints nearly one picture whatever the code"
        if soft:
            alarm("one-picture", seen, cause, "Lower beta_kl, the KL's weight", **times("beta_kl", 0.5))
        elif not painted:
            alarm("one-picture", seen, cause, "Raise beta, the reconstruction's weight", **times("beta", 2))
        else:
            both = times("alpha", 0.5) | times("alpha_decoder", 0.5)
            alarm("one-picture", seen, cause, "Lower alpha, or raise beta, with which copies must be true", **both)
    if real is None or fake is None or rec is None:
        return found
    margin, strong = means.get("margin"), weights.get("alpha", 0.0) > 1
    if margin is not None and real > margin:
        seen = f"the KL of images is {real:.3g} nats, above the margin of {margin:.3g}"
        cause = "their KL and that of what is painted are no longer held apart"
        if strong:
            alarm("reals-over-margin", seen, cause, "Lower alpha, which outweighs the images' own KL", alpha=PAPERS)
        else:
            cure = "Raise margin, or lower beta, with which that KL grows"
            alarm("reals-over-margin", seen, cause, cure, margin=1.5 * real)
    if fake < real - GAP:
        seen = f"the KL of samples is {fake:.3g} nats, below that of images, {real:.3g}"
        cause = "the encoder takes what is painted for likelier than images, so it judges no more"
        if soft:
            alarm("fakes-under-reals", seen, cause, "Lower beta_neg, whose exponentials fade", **times("beta_neg", 0.5))
        else:
            cure = "Lower alpha_decoder, which draws that KL down"
            alarm("fakes-under-reals", seen, cause, cure, **times("alpha_decoder", 0.5))
    hinges = [means[name] for name in ("hinge_rec", "hinge_fake") if name in means]
    if margin is not None and len(hinges) == 2 and max(hinges) <= IDLE * margin and real <= margin:
        seen = f"the KLs of reconstructions, {rec:.3g} nats, and samples, {fake:.3g}, are beyond margin, {margin:.3g}"
        cause = "both hinges are 0, and the encoder learns as in a plain VAE"
        if strong:
            alarm("hinges-idle", seen, cause, "Lower alpha, which drove them there", alpha=PAPERS)
        else:
            alarm("hinges-idle", seen, cause, "Raise margin above them", margin=1.5 * max(fake, rec))
    if margin is not None and len(hinges) == 2 and min(hinges) >= FULL * margin:
        seen = f"the KLs of reconstructions, {rec:.3g} nats, and samples, {fake:.3g}, are far from margin, {margin:.3g}"
        cause = "both hinges are full, and never let go"
        if EMPTY <= (most := max(real, fake, rec)) < margin / 3:
            alarm("hinges-full", seen, cause, "Lower margin to where it can be reached", margin=3 * most)
        else:
            cure = "Lower alpha_decoder, which draws those KLs down"
            alarm("hinges-full", seen, cause, cure, **times("alpha_decoder", 0.5))
    return found


def weights_of(objective: Objective) -> dict[str, float]:
    """The weights of an introspective objective that are numbers, not functions of the step."""
    if not isinstance(objective, Introspective):
        return {}
    names = ("alpha", "beta", "margin", "alpha_decoder", "beta_rec", "beta_kl", "beta_neg")
    found: dict[str, Any] = {name: getattr(objective, name) for name in names if hasattr(objective, name)}
    if "alpha_decoder" in found and found["alpha_decoder"] is None:
        found["alpha_decoder"] = found["alpha"]
    return {name: value for name, value in found.items() if not callable(value)}


def short(value: float) -> float:
    """A number to three digits, as one types it."""
    return float(f"{value:.3g}")


@dataclass
class Windows:
    """Sums and counts of terms over a window, the steps in it, and how often each term was there before."""

    totals: dict[str, tuple[float, int]] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)
    steps: int = 0

    def add(self, totals: Mapping[str, tuple[float, int]], steps: int) -> dict[str, float] | None:
        """Adds an epoch's sums and counts; where it ends a window, the means of its seasoned terms."""
        self.steps += steps
        for name, (value, count) in totals.items():
            old, times = self.totals.get(name, (0.0, 0))
            self.totals[name] = (old + value, times + count)
        if self.steps < WINDOW:
            return None
        means = {name: v / n for name, (v, n) in self.totals.items() if self.before.get(name, 0) >= WINDOW}
        for name, (_, count) in self.totals.items():
            self.before[name] = self.before.get(name, 0) + count
        self.totals, self.steps = {}, 0
        return means
