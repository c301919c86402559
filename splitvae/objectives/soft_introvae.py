"""The objective of Soft-IntroVAE; the formulas of its losses are in objectives/introspective.py."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..models.vae import VAE
from .base import PlayerLosses
from .introspective import SUGGESTED, Group, Introspective, IntrospectiveLoss, check_weight, frozen

__all__ = ["SoftIntro", "SoftIntroLoss"]


@dataclass(frozen=True)
class SoftIntro(Introspective):
    """Creates the objective of Soft-IntroVAE: there is no margin, and the encoder raises the error and the KL of fakes.

    In the encoder's loss the public code passes the gradient of E(xr) on to xr; here fakes are constants there.

    Arguments:
        beta_rec: The weight of the squared error, positive; it corresponds to beta = 2 beta_rec / beta_kl of `Intro`.
        beta_kl: The weight of the KL, positive.
        beta_neg: The weight of the KL of fakes in the encoder's loss.
        gamma: The weight of the reconstruction of fakes in the decoder's loss; the authors' 1e-8 has almost no effect, 0
            saves two passes of the decoder.

    Raises:
        UserError: For a weight with which nothing can be trained.
    """

    name = "soft-intro"
    resumable: ClassVar[frozenset[str]] = frozenset({"beta_rec", "beta_kl", "beta_neg", "gamma"})
    alarm_weights: ClassVar[tuple[str, ...]] = ("beta_rec", "beta_kl", "beta_neg")
    beta_rec: float = 1.0
    beta_kl: float = 1.0
    beta_neg: float = 256.0
    gamma: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("beta_rec", "beta_kl", "beta_neg", "gamma"):
            check_weight(name, getattr(self, name))

    def build(self, steps_per_epoch: int = 1) -> SoftIntroLoss:
        """Returns a new `SoftIntroLoss`; see `Objective.build`."""
        return SoftIntroLoss(self, steps_per_epoch)

    def describe(self) -> tuple[str, str]:
        """Returns the name of a system with this objective and a phrase that states its weights."""
        weights = {"rec": self.beta_rec, "kl": self.beta_kl, "neg": self.beta_neg}
        return "Soft-IntroVAE", ", ".join(f"β_{name} = {value:g}" for name, value in weights.items())

    def suggest(self, shape: tuple[int, int, int], latent_dim: int) -> dict[str, Any]:
        """Returns weights like those that were measured with networks that have no preset (results/introvae-trials.md)."""
        beta_rec = (5.0 if shape[0] == 3 else 8.0) / 2
        beta_neg = float(2 * math.prod(shape) // latent_dim)
        return {**SUGGESTED, "beta_rec": beta_rec, "beta_neg": beta_neg, "gamma": 0.0}

    def warnings(self, latent_dim: int, epochs: int) -> list[str]:
        """Returns warnings about settings that are probably a mistake; see `Objective.warnings`."""
        messages = []
        if not self.beta_neg:
            messages.append("with beta_neg=0 the encoder does not raise the KL of fakes; beta_neg=256 is the authors'.")
        return messages + super().warnings(latent_dim, epochs)


class SoftIntroLoss(IntrospectiveLoss):
    """Computes the losses of a `SoftIntro` on batches.

    `logs` also holds the means of the exponentials in the encoder's loss, `exp_rec` and `exp_fake`, each in (0, 1].
    """

    settings: SoftIntro

    def draws_fakes(self, step: int) -> bool:
        """Returns whether samples are drawn in a training step."""
        return step >= self.vae_steps

    def forward(self, vae: VAE, x: Tensor, group: Group = None, step: int = 0) -> PlayerLosses:
        """Yields the losses of the encoder and of the decoder; see `IntrospectiveLoss`."""
        settings = self.settings
        reals = self.forward_pass(vae, x, group, beta=2 * settings.beta_rec / settings.beta_kl)
        if not self.is_training_step():
            yield "encoder", reals.mean(reals.kl + settings.beta_rec / settings.beta_kl * reals.error)
            return
        scale = 1 / x[0].numel()
        rec, rate = scale * settings.beta_rec, scale * settings.beta_kl
        distortion = reals.mean(rec * reals.error)
        loss = reals.mean(rate * reals.kl) + reals.as_loss_of_z(distortion)
        fakes = {}
        if self.draws_fakes(step):
            fakes = {"rec": reals.image, "fake": self.draw_fake(vae, x, reals)}
        for name, image in fakes.items():
            image = image.detach()
            posterior = vae.encode(image, reals.group)
            with frozen(vae.decoder):
                reconstruction = vae.decode(posterior.rsample())
            kl = posterior.kl()
            exponential = torch.exp(-2 * (rec * self.error(reconstruction, image) + scale * settings.beta_neg * kl))
            loss = loss + reals.mean(exponential) / 4
            self.logs |= {f"kl_{name}": reals.mean(kl.detach()), f"exp_{name}": exponential.detach().mean()}
        self.logs["loss_encoder"] = loss.detach()
        yield "encoder", loss
        loss = distortion
        for name, image in fakes.items():
            with frozen(vae.encoder):
                posterior = vae.encode(image, reals.group)
            kl = reals.mean(posterior.kl())
            loss = loss + rate * kl / 2
            self.logs[f"kl_{name}_decoder"] = kl.detach()
            if settings.gamma:
                reconstruction = vae.decode(posterior.rsample().detach())
                loss = loss + settings.gamma * rec / 2 * reals.mean(self.error(reconstruction, image.detach()))
        self.logs["loss_decoder"] = loss.detach()
        yield "decoder", loss
