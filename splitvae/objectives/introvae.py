"""The objective of IntroVAE; the formulas of its losses are in objectives/introspective.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from ..errors import UserError, setting
from ..models.vae import VAE
from ..utils.settings import OneOf
from .base import PlayerLosses
from .introspective import (
    SUGGESTED,
    Group,
    Introspective,
    IntrospectiveLoss,
    Schedule,
    check_weight,
    evaluate_schedule,
    frozen,
)
from .variance import mean_over_processes

__all__ = ["HINGES", "Intro", "IntroLoss", "from_official", "from_yukunchen", "hinge"]

HINGES = ("batch", "sample")
OFFICIAL_VAE_BETA = 2.0  # in the first epochs of hhb072's public code, whose weights are 1 there
MAX_NATS_PER_LATENT = 25.0  # a larger margin is not reached


@dataclass(frozen=True)
class Intro(Introspective):
    """Creates the objective of IntroVAE, in the units of its paper: KLs in nats, L_AE half a sum of squares.

    alpha, beta, margin and alpha_decoder may be functions of the training step.

    Arguments:
        alpha: The weight of the hinges that raise the KL of fakes up to the margin; 0 is a plain VAE.
        beta: The weight of the reconstruction L_AE, positive, which is the opposite of the beta of a VAE, a weight of the
            KL. With a larger beta the KL of images and so the margin must be larger.
        margin: The KL m, in nats, up to which the encoder raises the KL of fakes; it should exceed the KL of images.
        alpha_decoder: The weight with which the decoder lowers the KL of fakes; None is alpha, as in the paper.
        hinge: Whether the margin is compared with the mean KL of a batch, as in both public codes, or with each image's.
        margin_ratio: The margin divided by the KL of images, which is its mean over the last plain epoch (`vae_epochs`); 0
            takes `margin` itself.

    Raises:
        UserError: For a weight with which nothing can be trained.
    """

    name = "intro"
    resumable: ClassVar[frozenset[str]] = frozenset({"alpha", "alpha_decoder", "beta", "margin", "hinge", "margin_ratio"})
    alarm_weights: ClassVar[tuple[str, ...]] = ("alpha", "beta", "margin", "alpha_decoder", "margin_ratio")
    alpha: Schedule = 0.25
    beta: Schedule = 0.5
    margin: Schedule = 10.0
    alpha_decoder: Schedule | None = None
    hinge: Annotated[str, OneOf(HINGES)] = "batch"
    margin_ratio: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.alarm_weights:
            value = getattr(self, name)
            if value is not None and not callable(value):
                check_weight(name, value)
        if self.margin_ratio:
            self._check_ratio()

    def _check_ratio(self) -> None:
        """Raises UserError for a ratio of the margin that cannot act."""
        ratio = setting("margin_ratio", self.margin_ratio)
        if self.margin_ratio <= 1:
            raise UserError(f"{ratio} sets the margin below the KL of images, where it does nothing; type more than 1.")
        if not self.vae_epochs:
            raise UserError(
                f"{ratio} needs the KL of images in plain epochs, and {setting('vae_epochs', 0)} has none; type "
                f"{setting('vae_epochs', 1)}, or {setting('margin')} in place of the ratio."
            )
        if self.margin != Intro.margin:
            raise UserError(
                f"{setting('margin')} ({_formatted(self.margin)}) and {ratio} both set the margin; leave one of them "
                f"out, or type {setting('margin_ratio', 0)} to keep the first."
            )

    def build(self, steps_per_epoch: int = 1) -> IntroLoss:
        """Returns a new `IntroLoss`; see `Objective.build`."""
        return IntroLoss(self, steps_per_epoch)

    def constant_weights(self) -> dict[str, float]:
        """Returns the weights that alarms may read and change; an alpha_decoder of None is replaced by alpha."""
        weights = super().constant_weights()
        if weights.get("alpha_decoder", 0.0) is None:
            weights.pop("alpha_decoder")
            weights |= {"alpha_decoder": weights["alpha"]} if "alpha" in weights else {}
        weights.pop("margin" if self.margin_ratio else "margin_ratio", None)
        return weights

    def describe(self) -> tuple[str, str]:
        """Returns the name of a system with this objective and a phrase that states its weights."""
        if not self.alpha and not self.alpha_decoder:
            return "VAE", f"β = {_formatted(self.beta)}"
        decoder = "" if self.alpha_decoder is None else f" (the decoder's {_formatted(self.alpha_decoder)})"
        weights = f"α = {_formatted(self.alpha)}{decoder}, β = {_formatted(self.beta)}"
        if self.margin_ratio:
            return "IntroVAE", f"{weights}, a margin of {self.margin_ratio:g} times the KL of images in the plain VAE"
        return "IntroVAE", f"{weights}, a margin of {_formatted(self.margin)} nats"

    def suggest(self, shape: tuple[int, int, int], latent_dim: int) -> dict[str, Any]:
        """Returns weights like those that were measured with networks that have no preset (results/introvae-trials.md)."""
        beta = 5.0 if shape[0] == 3 else 8.0
        return {**SUGGESTED, "beta": beta, "margin": 2.0 * latent_dim}

    def warnings(self, latent_dim: int, epochs: int) -> list[str]:
        """Returns warnings about settings that are probably a mistake; see `Objective.warnings`."""
        messages = []
        if not self.alpha:
            decoder = (
                ""
                if not self.alpha_decoder
                else (f" but for its decoder, whose alpha_decoder={_formatted(self.alpha_decoder)}")
            )
            messages.append(f"alpha=0 trains a plain VAE{decoder}; alpha=0.25 is the paper's.")
        if not callable(self.margin) and self.margin > MAX_NATS_PER_LATENT * latent_dim:
            messages.append(
                f"margin={self.margin:g} needs more than {MAX_NATS_PER_LATENT:.0f} nats of each of {latent_dim} latent "
                "variables; a margin somewhat above the KL of images is enough."
            )
        return messages + super().warnings(latent_dim, epochs)


class IntroLoss(IntrospectiveLoss):
    """Computes the losses of an `Intro` on batches.

    `logs` also holds `alpha`, `alpha_decoder` and `margin` at the step, and the hinges without their weight, `hinge_rec` of
    reconstructions and `hinge_fake` of samples.
    """

    settings: Intro
    plain_kl: Tensor  # the KL of images, in nats: its mean over the steps of the last plain epoch

    def __init__(self, settings: Intro, steps_per_epoch: int = 1) -> None:
        super().__init__(settings, steps_per_epoch)
        self.last_plain_epoch = range(max(0, self.vae_steps - steps_per_epoch), self.vae_steps)
        self.register_buffer("plain_kl", torch.zeros(()))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        # A checkpoint of an earlier version has no such KL.
        super()._load_from_state_dict({f"{prefix}plain_kl": self.plain_kl} | state_dict, prefix, *args)

    def margin(self, step: int) -> Tensor | float:
        """Returns the margin at a training step, in nats."""
        if self.settings.margin_ratio:
            return self.settings.margin_ratio * self.plain_kl
        return evaluate_schedule("margin", self.settings.margin, step)

    def weights(self, step: int) -> tuple[float, float, float]:
        """Returns alpha, alpha_decoder and beta at a training step."""
        settings, has_begun = self.settings, step >= self.vae_steps
        alpha = evaluate_schedule("alpha", settings.alpha, step) if has_begun else 0.0
        alpha_decoder = alpha
        if has_begun and settings.alpha_decoder is not None:
            alpha_decoder = evaluate_schedule("alpha_decoder", settings.alpha_decoder, step)
        return alpha, alpha_decoder, evaluate_schedule("beta", settings.beta, step)

    def draws_fakes(self, step: int) -> bool:
        """Returns whether samples are drawn in a training step."""
        alpha, alpha_decoder, _ = self.weights(step)
        return bool(alpha or alpha_decoder)

    def forward(self, vae: VAE, x: Tensor, group: Group = None, step: int = 0) -> PlayerLosses:
        """Yields the losses of the encoder and of the decoder; see `IntrospectiveLoss`."""
        alpha, alpha_decoder, beta = self.weights(step)
        reals = self.forward_pass(vae, x, group, beta)
        distortion, loss = reals.mean(beta / 2 * reals.error), reals.mean(reals.kl)
        if self.is_training_step() and step in self.last_plain_epoch:
            kl = mean_over_processes(loss.detach().float().clone())
            self.plain_kl.lerp_(kl, 1 / (1 + step - self.last_plain_epoch.start))
        margin = self.margin(step)
        self.logs |= {"alpha": alpha, "alpha_decoder": alpha_decoder, "margin": margin}
        if not self.is_training_step():
            yield "encoder", loss + distortion
            return
        loss = loss + reals.as_loss_of_z(distortion)
        fakes = {"rec": reals.image}
        if alpha or alpha_decoder:
            fakes["fake"] = self.draw_fake(vae, x, reals)
        for name, image in fakes.items() if alpha else ():
            kl = vae.encode(image.detach(), reals.group).kl()
            distance = hinge(kl, margin, reals.posterior.units, self.settings.hinge)
            loss = loss + alpha * distance
            self.logs |= {f"kl_{name}": reals.mean(kl.detach()), f"hinge_{name}": distance.detach()}
        self.logs["loss_encoder"] = loss.detach()
        yield "encoder", loss
        loss = distortion
        for name, image in fakes.items() if alpha_decoder else ():
            with frozen(vae.encoder):
                kl = reals.mean(vae.encode(image, reals.group).kl())
            loss = loss + alpha_decoder * kl
            self.logs[f"kl_{name}_decoder"] = kl.detach()
        self.logs["loss_decoder"] = loss.detach()
        yield "decoder", loss


def _formatted(value: Schedule) -> str:
    """Returns a weight as text."""
    return "a schedule" if callable(value) else f"{value:g}"


def from_official(
    weight_rec: float,
    weight_neg: float,
    m: float,
    weight_kl: float = 1.0,
    num_vae: int = 0,
    steps_per_epoch: int | None = None,
) -> dict[str, Any]:
    """Returns the arguments of `Intro` for the options of hhb072's public code.

    In that code the reconstruction is a whole sum of squares, the weight of the hinges is weight_neg / 2, and the weight of
    the KLs in the generator's loss is 1/2 for every weight_neg. So beta = 2 weight_rec / weight_kl, alpha = weight_neg / 2,
    and alpha_decoder = 1/2. Gradients are then those of that code divided by weight_kl, a factor that Adam cancels.

    Its first `num_vae` epochs train a plain VAE whose weights are 1 for every weight_rec and weight_kl, which is beta = 2.
    So with `num_vae` beta is a function of the step: 2 in these epochs, then 2 weight_rec / weight_kl. Without it, VAE
    epochs (`vae_epochs`) have the same beta as all others, which that code does not have.

    Arguments:
        weight_rec: The weight of the reconstruction in that code.
        weight_neg: The weight of the hinges in that code.
        m: The margin, in nats.
        weight_kl: The weight of the KL of images in that code.
        num_vae: The number of epochs that train a plain VAE in that code.
        steps_per_epoch: The number of training steps in an epoch, which `num_vae` needs.

    Raises:
        UserError: For a `weight_kl` that is not positive, and a `num_vae` without `steps_per_epoch`.
    """
    beta = 2 * weight_rec / check_weight("weight_kl", weight_kl)
    arguments = {"alpha": weight_neg / 2, "beta": beta, "margin": m, "alpha_decoder": 0.5, "hinge": "batch"}
    if not num_vae:
        return arguments
    if not steps_per_epoch:
        raise UserError(
            f"num_vae={num_vae} needs steps_per_epoch, since beta then depends on the step; give the number of images "
            "divided by the batch size, rounded down."
        )
    check_weight("beta", beta)
    steps = num_vae * steps_per_epoch
    return arguments | {"vae_epochs": num_vae, "beta": lambda step: OFFICIAL_VAE_BETA if step < steps else beta}


def from_yukunchen(alpha: Schedule, m: Schedule, beta: Schedule) -> dict[str, Any]:
    """Returns the arguments of `Intro` for the options of yukunchen113's public code.

    Each is a number or a function of the step, such as that code's own lambda step: min(step / 50_000, 1) for beta. The
    units are the same. That code draws new codes z for the decoder's loss, from the encoder after its step; here both
    losses share their codes.

    Arguments:
        alpha: The weight of the hinges and of the KLs of fakes.
        m: The margin, in nats.
        beta: The weight of the reconstruction.
    """
    return {"alpha": alpha, "beta": beta, "margin": m, "alpha_decoder": None, "hinge": "batch"}


def hinge(kl: Tensor, margin: Tensor | float, units: int, kind: str = "batch") -> Tensor:
    """Returns the hinge [margin - KL]+ of a batch, a scalar in nats.

    Arguments:
        kl: The KL of each image, shape (B,), in nats.
        margin: The margin m, in nats; for images that share a latent it is divided among them.
        units: The number of images, or of groups where images share a latent.
        kind: "batch" for the hinge of the mean KL, "sample" for the mean over images of each image's hinge.
    """
    if kind == "batch":
        return torch.relu(margin - kl.sum() / units)
    return torch.relu(margin * units / len(kl) - kl).sum() / units
