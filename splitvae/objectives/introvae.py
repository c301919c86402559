"""TODO docstring of objectives.introvae."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..errors import UserError, nearest
from ..models.vae import VAE
from .base import Turns
from .introspective import Group, Introspective, Schedule, at, checked, frozen

__all__ = ["HINGES", "Intro", "from_official", "from_yukunchen", "hinge"]


HINGES = ("batch", "sample")


class Intro(Introspective):
    """The IntroVAE's objective, in the paper's units: KLs in nats, L_AE half a sum of squares.

    Arguments:
        alpha: weight of the encoder's hinges; 0 is a plain VAE.
        beta: weight of L_AE; positive. The images' KL grows with it, and the margin must with that.
        margin: m, the KL in nats that fakes are driven to; positive, and above the images' own KL.
        alpha_decoder: weight of the fakes' KLs in the decoder's loss; None is alpha, as in the paper.
        hinge: "batch" takes [m - KL]+ of the batch's mean KL, as both public codes, "sample" the mean of each image's.
        vae_steps: first steps that train a plain VAE, both alphas being 0.
        ambiguity, smoothness: as in `Objective`.

    alpha, beta, margin and alpha_decoder may be functions of the step. `logs` has them too, and the `hinge_rec` and
    `hinge_fake` without their weight.
    """

    def __init__(
        self,
        alpha: Schedule = 0.25,
        beta: Schedule = 0.5,
        margin: Schedule = 10.0,
        alpha_decoder: Schedule | None = None,
        hinge: str = "batch",
        vae_steps: int = 0,
        ambiguity: float = 0.0,
        smoothness: float = 0.0,
    ) -> None:
        super().__init__(vae_steps, ambiguity, smoothness)
        if hinge not in HINGES:
            raise UserError(f"hinge={hinge!r} is unknown; {nearest(hinge, HINGES)}")
        for name, value in {"alpha": alpha, "beta": beta, "margin": margin, "alpha_decoder": alpha_decoder}.items():
            if value is not None and not callable(value):
                checked(name, value)
        self.alpha, self.beta, self.margin, self.alpha_decoder, self.hinge = alpha, beta, margin, alpha_decoder, hinge

    def weights(self, step: int) -> tuple[float, float, float, float]:
        """alpha, alpha_decoder, beta and m at a step."""
        begun = step >= self.vae_steps
        alpha = at("alpha", self.alpha, step) if begun else 0.0
        painted = at("alpha_decoder", self.alpha_decoder, step) if begun and self.alpha_decoder is not None else alpha
        return alpha, painted, at("beta", self.beta, step), at("margin", self.margin, step)

    def forward(self, vae: VAE, x: Tensor, group: Group = None, step: int = 0) -> Turns:
        alpha, painted, beta, margin = self.weights(step)
        seen = self.look(vae, x, group, beta)
        distortion, loss = seen.mean(beta / 2 * seen.error), seen.mean(seen.kl)
        self.logs |= {"alpha": alpha, "alpha_decoder": painted, "margin": margin}
        if not self.learns():
            yield "encoder", loss + distortion
            return
        loss = loss + seen.handed_on(distortion)
        fakes = {"rec": seen.image}
        if alpha or painted:
            fakes["fake"] = vae.decode(seen.prior()).image
        for name, image in fakes.items() if alpha else ():
            kl = vae.encode(image.detach(), seen.group).kl()
            height = hinge(kl, margin, seen.posterior.units, self.hinge)
            loss = loss + alpha * height
            self.logs |= {f"kl_{name}": seen.mean(kl.detach()), f"hinge_{name}": height.detach()}
        self.logs["loss_encoder"] = loss.detach()
        yield "encoder", loss
        loss = distortion
        for name, image in fakes.items() if painted else ():
            with frozen(vae.encoder):
                kl = seen.mean(vae.encode(image, seen.group).kl())
            loss = loss + painted * kl
            self.logs[f"kl_{name}_decoder"] = kl.detach()
        self.logs["loss_decoder"] = loss.detach()
        yield "decoder", loss


def from_official(weight_rec: float, weight_neg: float, m: float, weight_kl: float = 1.0) -> dict[str, Any]:
    """Arguments of `Intro` for the options of hhb072's public code.

    Its reconstruction is a whole sum of squares, its hinges weigh weight_neg / 2, and its generator's KLs 1/2 whatever
    weight_neg is: beta = 2 weight_rec / weight_kl, alpha = weight_neg / 2, alpha_decoder = 1/2. Gradients are then
    1 / weight_kl times that code's, a factor that Adam does not feel. Its VAE epochs have weights of 1, that is beta = 2.
    """
    beta = 2 * weight_rec / checked("weight_kl", weight_kl)
    return {"alpha": weight_neg / 2, "beta": beta, "margin": m, "alpha_decoder": 0.5, "hinge": "batch"}


def from_yukunchen(alpha: Schedule, m: Schedule, beta: Schedule) -> dict[str, Any]:
    """Arguments of `Intro` for the (alpha, m, beta) of yukunchen113's public code and README; each may follow the step.

    The units are the same, but beta must be positive from the first step on, as min((step + 1) / 50_000, 1) is. That code
    draws z anew for the decoder's step, from the encoder after its own.
    """
    return {"alpha": alpha, "beta": beta, "margin": m, "alpha_decoder": None, "hinge": "batch"}


def hinge(kl: Tensor, margin: float, units: int, kind: str = "batch") -> Tensor:
    """[margin - KL]+ of KLs (B,): of their mean ("batch"), or the mean of each one's ("sample").

    Images that share a latent have a share of the margin each.
    """
    if kind == "batch":
        return torch.relu(margin - kl.sum() / units)
    return torch.relu(margin * units / len(kl) - kl).sum() / units
