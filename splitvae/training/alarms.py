"""Alarms: signs that a training collapses, which are found before the last good checkpoint is overwritten.

| alarm               | what the means over a window show                 | remedy in IntroVAE (Soft-IntroVAE)             |
| ------------------- | ------------------------------------------------- | ---------------------------------------------- |
| `non-finite`        | a loss, gradient or weight is not a number        | lr / 2                                         |
| `validation`        | a loss of held-out images is not a number         | lr / 2                                         |
| `codes-empty`       | KL of images, styles or contents < 1 nat          | beta * 2 (beta_kl / 2)                         |
| `one-picture`       | spread of reconstructions < 1/5 of that of images | alpha / 2, before fakes beta * 2 (beta_kl / 2) |
| `reals-over-margin` | KL of images > margin                             | margin = 1.5 KL, or alpha > 1 to 0.25          |
| `fakes-under-reals` | KL of samples < KL of images - 1 nat              | alpha_decoder / 2 (beta_neg / 2)               |
| `hinges-idle`       | both hinges are 0: KLs of fakes > margin          | margin = 1.5 KL, or alpha > 1 to 0.25          |
| `hinges-full`       | both hinges are full: KLs of fakes < margin / 100 | margin = 3 KL, or alpha_decoder / 2            |
| `samples-alike`     | samples correlate by 0.15 more than images do     | beta * 2 (beta_kl / 2)                         |

`non-finite` is checked within epochs too, `validation` after each, the others at the end of a window of steps
(training/windows.py). The others end the training of an introspective loss only, and `samples-alike` not even that: it is
a warning, as all of them are with other losses. Of these the ELBO has `codes-empty` and `one-picture`, a regularized
autoencoder `one-picture`. They warn only, because codes may fill again by themselves (those of a convolutional network on
MNIST were empty for two epochs, and then it learned), and a large beta may empty them on purpose. A warning is printed when
it begins, and at the end.

The setting `on_alarm` chooses the response (training/recovery.py). The last good checkpoint of a loss that may collapse is
good.ckpt, which is written at the beginning and at the end of each window in which all terms were checked and none raised
an alarm. For other losses it is state.ckpt.

References: pictures in the README of yukunchen113's public code, and conditions in Soft-IntroVAE's public code (Daniel,
Tamar, 2021, https://arxiv.org/abs/2012.13253) under which it ends a training. Both show how trainings collapse. The
threshold of one nat for `fakes-under-reals` is from the latter, and measurements confirm it: samples of faces turned into
noise in the epochs in which their KL fell below that of images (results/introvae-trials.md). That of `samples-alike` lies
between measured ones: samples correlate by 0.06 more than images do in IntroVAEs of digits, by 0.13 in plain VAEs of them,
by 0.26 in an IntroVAE of faces that lacked variety, by 0.62 before digits differ. The other thresholds were chosen here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..errors import UserError, setting

__all__ = ["Alarm", "Alarmed", "find_alarms", "non_finite_alarm", "non_finite_validation_alarm"]

MIN_KL = 1.0  # nats, of images
MIN_KL_GAP = 1.0  # nats by which the KL of samples may be below that of images
MIN_SPREAD = 0.2  # the standard deviation of reconstructions over the batch divided by that of images
MAX_CORRELATION_GAP = 0.15  # by which samples may correlate more than images
HINGE_IDLE, HINGE_FULL = 1e-3, 0.99  # a hinge divided by the margin, below and above which it is idle and full
PAPER_ALPHA = 0.25  # replaces an alpha above 1, at which fakes have a larger weight than images


class Alarm(NamedTuple):
    """A sign that a training collapses.

    Arguments:
        name: One of the names in the table above.
        observation: What the means show, as a sentence.
        cause: What that means, as a sentence.
        remedy: What to change, as a sentence.
        config_changes: The remedy as new values of settings; empty if the weights are functions of the step.
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
    """Is raised when a training must not go on with its settings; no file was written since the alarms.

    Arguments:
        alarms: The alarms, the gravest first.
    """

    def __init__(self, alarms: list[Alarm]) -> None:
        super().__init__(" ".join(map(str, alarms)))
        self.alarms = alarms

    @property
    def config_changes(self) -> dict[str, float]:
        """The remedies of all alarms; if two change the same setting, that of the first."""
        changes: dict[str, float] = {}
        for alarm in self.alarms:
            changes = alarm.config_changes | changes
        return changes


def non_finite_alarm(what: str, step: int, lr: float) -> Alarm:
    """Returns the alarm for a value that is not finite.

    Arguments:
        what: The value: "the loss", "the gradient" or "a weight".
        step: The first step at which it was not finite.
        lr: The learning rate.
    """
    observation = f"{what} became non-finite at step {step}"
    cause = "a step was too long, or too small a number was divided by"
    remedy = f"Take a lower learning rate, or {setting('precision', '32')}"
    return Alarm("non-finite", observation, cause, remedy, {"lr": round_to_three_digits(lr / 2)})


def non_finite_validation_alarm(terms: Sequence[str], lr: float) -> Alarm:
    """Returns the alarm for a loss of held-out images that is not finite, where that of training images is.

    Arguments:
        terms: The terms that are not finite, such as "val_kl".
        lr: The learning rate.
    """
    observation = f"{', '.join(terms)} of held-out images became non-finite"
    cause = "in evaluation mode the network computes what it does not in training, as where images hardly differ in a batch"
    remedy = f"Give images that differ more, or take a lower learning rate or {setting('norm', 'group')}"
    return Alarm("validation", observation, cause, remedy, {"lr": round_to_three_digits(lr / 2)})


def find_alarms(
    means: Mapping[str, float],
    weights: Mapping[str, float],
    has_fakes: bool | None = None,
    code_kls: Mapping[str, float] | None = None,
) -> list[Alarm]:
    """Returns the alarms that the means of a window raise, the gravest first.

    Arguments:
        means: The mean of each term over the window.
        weights: The weights of the loss that are numbers, as `Objective.constant_weights` returns them.
        has_fakes: Whether fakes were drawn in the window, which may be so although their KL is not yet checked; by default
            whether their KL is among the means.
        code_kls: The KLs that are large only if codes tell something, as `Loss.code_kls` returns them; by default that of
            images.
    """
    if code_kls is None:
        code_kls = {"images": means["kl_real"]} if "kl_real" in means else {}
    window = _WindowMeans(means, weights, "kl_fake" in means if has_fakes is None else has_fakes, code_kls)
    rules = RULES_OF_IMAGES + (RULES_OF_FAKES if {"kl_real", "kl_fake", "kl_rec"} <= means.keys() else ())
    rules += (_find_alike_samples,)
    return [alarm for rule in rules if (alarm := rule(window)) is not None]


class _WindowMeans(NamedTuple):
    """The values that the rules of alarms read.

    Arguments:
        means: The mean of each term over the window.
        weights: The weights of the loss that are numbers.
        has_fakes: Whether fakes were drawn in the window.
        code_kls: The KLs that are large only if codes tell something.
    """

    means: Mapping[str, float]
    weights: Mapping[str, float]
    has_fakes: bool
    code_kls: Mapping[str, float]

    @property
    def is_introspective(self) -> bool:
        """Whether the loss has fakes, sooner or later."""
        return "kl_real" in self.means

    @property
    def is_soft(self) -> bool:
        """Whether the loss is that of Soft-IntroVAE."""
        return "beta_neg" in self.weights

    @property
    def has_strong_alpha(self) -> bool:
        """Whether fakes have a larger weight than images."""
        return self.weights.get("alpha", 0.0) > 1

    @property
    def has_hinges(self) -> bool:
        """Whether the terms include the margin and both hinges."""
        return {"margin", "hinge_rec", "hinge_fake"} <= self.means.keys()

    def alarm(self, name: str, observation: str, cause: str, remedy: str, **changes: float) -> Alarm:
        """Returns an alarm that changes only weights that are numbers; a ratio changes as its margin would."""
        if "margin" in changes and "margin_ratio" in self.weights:
            changes["margin_ratio"] = changes["margin"] / self.means["margin"] * self.weights["margin_ratio"]
        constant = {k: round_to_three_digits(v) for k, v in changes.items() if k in self.weights}
        return Alarm(name, observation, cause, remedy, constant)

    def times(self, name: str, factor: float) -> dict[str, float]:
        """Returns a weight multiplied by a factor, by name."""
        return {name: self.weights.get(name, 0.0) * factor}

    def raise_reconstruction(self, name: str, observation: str, cause: str) -> Alarm:
        """Returns an alarm that gives the reconstruction twice the weight, relative to what empties codes."""
        if not self.is_introspective and self.weights.get("independence"):
            remedy = "Lower independence, or let it rise slowly by independence_steps"
            return self.alarm(name, observation, cause, remedy, **self.times("independence", 0.5))
        if not self.is_introspective:
            return self.alarm(name, observation, cause, "Lower beta, the weight of codes", **self.times("beta", 0.5))
        if self.is_soft:
            return self.alarm(name, observation, cause, "Lower beta_kl, the KL's weight", **self.times("beta_kl", 0.5))
        return self.alarm(name, observation, cause, "Raise beta, the reconstruction's weight", **self.times("beta", 2))


# A rule returns its alarm or None. Comparisons are negated so that a mean that is NaN raises no alarm: `non-finite` does.


def _find_empty_codes(window: _WindowMeans) -> Alarm | None:
    empty = {what: kl for what, kl in window.code_kls.items() if kl < MIN_KL}
    if not empty:
        return None
    observation = " and ".join(f"the KL of {what} is {kl:.3g} nats" for what, kl in empty.items())
    told = "groups" if set(empty) == {"contents"} else "images"
    return window.raise_reconstruction("codes-empty", observation, f"codes tell nothing about their {told}")


def _find_one_picture(window: _WindowMeans) -> Alarm | None:
    if not (spread := window.means.get("spread", 1.0)) < MIN_SPREAD:
        return None
    observation = f"reconstructions of a batch vary by {spread:.2g} of what its images do"
    cause = "the decoder generates nearly one picture whatever the code"
    if window.is_soft or not window.has_fakes:
        return window.raise_reconstruction("one-picture", observation, cause)
    changes = window.times("alpha", 0.5) | window.times("alpha_decoder", 0.5)
    remedy = "Lower alpha, or raise beta, with which copies must be true"
    return window.alarm("one-picture", observation, cause, remedy, **changes)


def _find_reals_over_margin(window: _WindowMeans) -> Alarm | None:
    real, margin = window.means["kl_real"], window.means.get("margin", math.inf)
    if not real > margin:
        return None
    observation = f"the KL of images is {real:.3g} nats, above the margin of {margin:.3g}"
    cause = "their KL and that of fakes are no longer held apart"
    if window.has_strong_alpha:
        remedy, changes = "Lower alpha, which outweighs the images' own KL", {"alpha": PAPER_ALPHA}
    else:
        remedy, changes = "Raise margin, or lower beta, with which that KL grows", {"margin": 1.5 * real}
    return window.alarm("reals-over-margin", observation, cause, remedy, **changes)


def _find_fakes_under_reals(window: _WindowMeans) -> Alarm | None:
    real, fake = window.means["kl_real"], window.means["kl_fake"]
    if not fake < real - MIN_KL_GAP:
        return None
    observation = f"the KL of samples is {fake:.3g} nats, below that of images, {real:.3g}"
    cause = "the encoder takes fakes for likelier than images, so it no longer judges"
    if window.is_soft:
        remedy, changes = "Lower beta_neg, whose exponentials fade", window.times("beta_neg", 0.5)
    else:
        remedy, changes = "Lower alpha_decoder, which draws that KL down", window.times("alpha_decoder", 0.5)
    return window.alarm("fakes-under-reals", observation, cause, remedy, **changes)


def _find_idle_hinges(window: _WindowMeans) -> Alarm | None:
    means = window.means
    if not window.has_hinges or not max(means["hinge_rec"], means["hinge_fake"]) <= HINGE_IDLE * means["margin"]:
        return None
    rec, fake, margin = means["kl_rec"], means["kl_fake"], means["margin"]
    if not means["kl_real"] <= margin:
        return None
    observation = f"the KLs of reconstructions, {rec:.3g} nats, and samples, {fake:.3g}, are beyond margin, {margin:.3g}"
    cause = "both hinges are 0, and the encoder learns as in a plain VAE"
    if window.has_strong_alpha:
        remedy, changes = "Lower alpha, which drove them there", {"alpha": PAPER_ALPHA}
    else:
        remedy, changes = "Raise margin above them", {"margin": 1.5 * max(fake, rec)}
    return window.alarm("hinges-idle", observation, cause, remedy, **changes)


def _find_full_hinges(window: _WindowMeans) -> Alarm | None:
    means = window.means
    if not window.has_hinges or not min(means["hinge_rec"], means["hinge_fake"]) >= HINGE_FULL * means["margin"]:
        return None
    rec, fake, margin = means["kl_rec"], means["kl_fake"], means["margin"]
    observation = f"the KLs of reconstructions, {rec:.3g} nats, and samples, {fake:.3g}, are far from margin, {margin:.3g}"
    cause = "both hinges are full, and never let go"
    largest_kl = max(means["kl_real"], fake, rec)
    if MIN_KL <= largest_kl < margin / 3:
        remedy, changes = "Lower margin to where it can be reached", {"margin": 3 * largest_kl}
    else:
        remedy, changes = "Lower alpha_decoder, which draws those KLs down", window.times("alpha_decoder", 0.5)
    return window.alarm("hinges-full", observation, cause, remedy, **changes)


def _find_alike_samples(window: _WindowMeans) -> Alarm | None:
    fake, real = (window.means.get(f"correlation_{name}", math.nan) for name in ("fake", "real"))
    if not fake > real + MAX_CORRELATION_GAP:
        return None
    observation = f"two samples have a correlation of {fake:.2g} on average, two images of {real:.2g}"
    return window.raise_reconstruction("samples-alike", observation, "samples vary less than images")


RULES_OF_IMAGES = (_find_empty_codes, _find_one_picture)  # for windows with or without fakes
RULES_OF_FAKES = (  # for windows in which the KLs of images, reconstructions and samples are checked
    _find_reals_over_margin,
    _find_fakes_under_reals,
    _find_idle_hinges,
    _find_full_hinges,
)


def round_to_three_digits(value: float) -> float:
    """Returns a number rounded to three digits, short enough to type."""
    return float(f"{value:.3g}")
