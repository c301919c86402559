r"""The IntroVAE's objective; the losses stand at the head of objectives/introspective.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from ..models.vae import VAE
from ..utils.settings import OneOf
from .base import PlayerLosses
from .introspective import (
    SUGGESTED_LR,
    Group,
    Introspective,
    IntrospectiveLoss,
    Schedule,
    check_weight,
    evaluate_schedule,
    frozen,
)

__all__ = ["HINGES", "Intro", "IntroLoss", "from_official", "from_yukunchen", "hinge"]

HINGES = ("batch", "sample")
MAX_NATS_PER_LATENT = 25.0  # a margin above that is not reached


@dataclass(frozen=True)
class Intro(Introspective):
    """Creates the IntroVAE's objective, in the paper's units: KLs in nats, L_AE half a sum of squares.

    alpha, beta, margin and alpha_decoder may be functions of the training step.

    Arguments:
        alpha: The weight of the hinges that raise the KL of fakes up to the margin; 0 is a plain VAE.
        beta: The weight of the reconstruction L_AE, positive; the KL of images grows with it, and so must the margin.
        margin: The KL m, in nats, that fakes are driven to; somewhat above the images' own KL.
        alpha_decoder: The weight with which the decoder lowers the KL of fakes; None is alpha, as in the paper.
        hinge: Whether the margin is compared with the mean KL of a batch, as in both public codes, or with each image's.

    Raises:
        UserError: For a weight with which nothing could be trained.
    """

    name = "intro"
    resumable: ClassVar[frozenset[str]] = frozenset({"alpha", "alpha_decoder", "beta", "margin", "hinge"})
    alarm_weights: ClassVar[tuple[str, ...]] = ("alpha", "beta", "margin", "alpha_decoder")
    alpha: Schedule = 0.25
    beta: Schedule = 0.5
    margin: Schedule = 10.0
    alpha_decoder: Schedule | None = None
    hinge: Annotated[str, OneOf(HINGES)] = "batch"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.alarm_weights:
            value = getattr(self, name)
            if value is not None and not callable(value):
                check_weight(name, value)

    def build(self, steps_per_epoch: int = 1) -> IntroLoss:
        """Returns a new `IntroLoss`; see `Objective.build`."""
        return IntroLoss(self, steps_per_epoch)

    def constant_weights(self) -> dict[str, float]:
        """Returns the weights that alarms judge and change; alpha_decoder is alpha where it is None."""
        weights = super().constant_weights()
        if weights.get("alpha_decoder", 0.0) is None:
            weights.pop("alpha_decoder")
            weights |= {"alpha_decoder": weights["alpha"]} if "alpha" in weights else {}
        return weights

    def describe(self) -> tuple[str, str]:
        """Returns what a system with this objective is called, and its weights in a phrase."""
        if not self.alpha and not self.alpha_decoder:
            return "VAE", f"β = {_formatted(self.beta)}"
        decoder = "" if self.alpha_decoder is None else f" (the decoder's {_formatted(self.alpha_decoder)})"
        weights = f"α = {_formatted(self.alpha)}{decoder}, β = {_formatted(self.beta)}"
        return "IntroVAE", f"{weights}, a margin of {_formatted(self.margin)} nats"

    def suggest(self, shape: tuple[int, int, int], latent_dim: int) -> dict[str, Any]:
        """Returns weights like those of the presets that were measured (presets/introvae.py)."""
        beta = 5.0 if shape[0] == 3 else 8.0
        return {"vae_epochs": 1, "lr": SUGGESTED_LR, "beta": beta, "margin": 2.0 * latent_dim}

    def warnings(self, latent_dim: int, epochs: int) -> list[str]:
        """Returns what to tell before a training about settings that are seldom meant."""
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
                "variables; a margin somewhat above the images' own KL is enough."
            )
        return messages + super().warnings(latent_dim, epochs)


class IntroLoss(IntrospectiveLoss):
    """Computes the losses of an `Intro` on batches.

    `logs` also holds `alpha`, `alpha_decoder` and `margin` at the step, and `hinge_rec` and `hinge_fake` without their
    weight.
    """

    settings: Intro

    def weights(self, step: int) -> tuple[float, float, float, float]:
        """Returns alpha, alpha_decoder, beta and m at a step."""
        settings, has_begun = self.settings, step >= self.vae_steps
        alpha = evaluate_schedule("alpha", settings.alpha, step) if has_begun else 0.0
        alpha_decoder = alpha
        if has_begun and settings.alpha_decoder is not None:
            alpha_decoder = evaluate_schedule("alpha_decoder", settings.alpha_decoder, step)
        beta, margin = (evaluate_schedule(name, getattr(settings, name), step) for name in ("beta", "margin"))
        return alpha, alpha_decoder, beta, margin

    def forward(self, vae: VAE, x: Tensor, group: Group = None, step: int = 0) -> PlayerLosses:
        """Yields the losses of the encoder and of the decoder; see `IntrospectiveLoss`."""
        alpha, alpha_decoder, beta, margin = self.weights(step)
        reals = self.forward_pass(vae, x, group, beta)
        distortion, loss = reals.mean(beta / 2 * reals.error), reals.mean(reals.kl)
        self.logs |= {"alpha": alpha, "alpha_decoder": alpha_decoder, "margin": margin}
        if not self.is_training_step():
            yield "encoder", loss + distortion
            return
        loss = loss + reals.as_loss_of_z(distortion)
        fakes = {"rec": reals.image}
        if alpha or alpha_decoder:
            fakes["fake"] = vae.decode(reals.posterior.draw_prior()).image
        for name, image in fakes.items() if alpha else ():
            kl = vae.encode(image.detach(), reals.group).kl()
            height = hinge(kl, margin, reals.posterior.units, self.settings.hinge)
            loss = loss + alpha * height
            self.logs |= {f"kl_{name}": reals.mean(kl.detach()), f"hinge_{name}": height.detach()}
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
    return "a schedule" if callable(value) else f"{value:g}"


def from_official(weight_rec: float, weight_neg: float, m: float, weight_kl: float = 1.0) -> dict[str, Any]:
    """Returns the arguments of `Intro` for the options of hhb072's public code.

    Its reconstruction is a whole sum of squares, its hinges weigh weight_neg / 2, and its generator's KLs 1/2 whatever
    weight_neg is: beta = 2 weight_rec / weight_kl, alpha = weight_neg / 2, alpha_decoder = 1/2. Gradients are then
    1 / weight_kl times that code's, a factor that Adam cancels. Its VAE epochs have weights of 1, that is beta = 2.
    """
    beta = 2 * weight_rec / check_weight("weight_kl", weight_kl)
    return {"alpha": weight_neg / 2, "beta": beta, "margin": m, "alpha_decoder": 0.5, "hinge": "batch"}


def from_yukunchen(alpha: Schedule, m: Schedule, beta: Schedule) -> dict[str, Any]:
    """Returns the arguments of `Intro` for (alpha, m, beta) of yukunchen113's public code, each a number or a function.

    The units are the same, but beta must be positive from the first step on, as min((step + 1) / 50_000, 1) is. That code
    draws z anew for the decoder's step, from the encoder after its own.
    """
    return {"alpha": alpha, "beta": beta, "margin": m, "alpha_decoder": None, "hinge": "batch"}


def hinge(kl: Tensor, margin: float, units: int, kind: str = "batch") -> Tensor:
    """Returns [margin - KL]+ of KLs.

    Arguments:
        kl: The KL of each image, shape (B,), in nats.
        margin: The margin m, in nats; images that share a latent divide it among them.
        units: The number of images, or of groups where images share a latent.
        kind: Whether the hinge is that of the mean KL ("batch") or the mean of each image's hinge ("sample").
    """
    if kind == "batch":
        return torch.relu(margin - kl.sum() / units)
    return torch.relu(margin * units / len(kl) - kl).sum() / units
