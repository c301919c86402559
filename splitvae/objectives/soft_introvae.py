"""TODO docstring of objectives.soft_introvae."""

from __future__ import annotations

import torch
from torch import Tensor

from ..models.vae import VAE
from .base import Turns
from .introspective import Group, Introspective, checked, frozen

__all__ = ["SoftIntro"]


class SoftIntro(Introspective):
    """The Soft-IntroVAE's objective: no margin, and the whole bound of fakes, not their KL alone, is what is raised.

    Arguments:
        beta_rec, beta_kl: weights of the sum of squares and of the KL; positive. The bound is that of Intro's
            beta = 2 beta_rec / beta_kl.
        beta_neg: weight of fakes' KLs in the encoder's loss.
        gamma: weight of the fakes' reconstruction in the decoder's; the authors' 1e-8 is nearly none, 0 saves two passes.
        vae_steps: first steps that train a plain VAE.
        ambiguity, smoothness: as in `Objective`.

    `logs` has also the mean of the encoder's exponentials, `exp_rec` and `exp_fake`, each in (0, 1]. In the encoder's loss
    the public code lets the gradient of E(xr) into xr as well; here, as everywhere, what was painted is held fixed.
    """

    def __init__(
        self,
        beta_rec: float = 1.0,
        beta_kl: float = 1.0,
        beta_neg: float = 256.0,
        gamma: float = 1e-8,
        vae_steps: int = 0,
        ambiguity: float = 0.0,
        smoothness: float = 0.0,
    ) -> None:
        super().__init__(vae_steps, ambiguity, smoothness)
        self.beta_rec, self.beta_kl = checked("beta_rec", beta_rec), checked("beta_kl", beta_kl)
        self.beta_neg, self.gamma = checked("beta_neg", beta_neg), checked("gamma", gamma)

    def forward(self, vae: VAE, x: Tensor, group: Group = None, step: int = 0) -> Turns:
        seen = self.look(vae, x, group, beta=2 * self.beta_rec / self.beta_kl)
        if not self.learns():
            yield "encoder", seen.mean(seen.kl + self.beta_rec / self.beta_kl * seen.error)
            return
        scale = 1 / x[0].numel()
        rec, rate = scale * self.beta_rec, scale * self.beta_kl
        distortion = seen.mean(rec * seen.error)
        loss = seen.mean(rate * seen.kl) + seen.handed_on(distortion)
        fakes = {}
        if step >= self.vae_steps:
            fakes = {"rec": seen.image, "fake": vae.decode(seen.prior()).image}
        for name, image in fakes.items():
            image = image.detach()
            posterior = vae.encode(image, seen.group)
            with frozen(vae.decoder):
                again = vae.decode(posterior.rsample())
            kl = posterior.kl()
            rise = torch.exp(-2 * (rec * self.error(again, image) + scale * self.beta_neg * kl))
            loss = loss + seen.mean(rise) / 4
            self.logs |= {f"kl_{name}": seen.mean(kl.detach()), f"exp_{name}": rise.detach().mean()}
        self.logs["loss_encoder"] = loss.detach()
        yield "encoder", loss
        loss = distortion
        for name, image in fakes.items():
            with frozen(vae.encoder):
                posterior = vae.encode(image, seen.group)
            kl = seen.mean(posterior.kl())
            loss = loss + rate * kl / 2
            self.logs[f"kl_{name}_decoder"] = kl.detach()
            if self.gamma:
                again = vae.decode(posterior.rsample().detach())
                loss = loss + self.gamma * rec / 2 * seen.mean(self.error(again, image.detach()))
        self.logs["loss_decoder"] = loss.detach()
        yield "decoder", loss
