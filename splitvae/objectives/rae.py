r"""The loss of regularized autoencoders: a code without noise, kept small, and a smooth decoder."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..models.groups import Groups
from ..models.vae import VAE
from ..utils.settings import OneOf, Option
from .base import Loss, Objective, PlayerLosses, kl_terms_for_log, squared_error
from .variance import mean_over_processes

__all__ = ["PENALTIES", "RAE", "RAELoss", "kernels"]

PENALTIES = ("none", "l2", "gradient")


@dataclass(frozen=True)
class RAE(Objective):
    """Creates the regularized autoencoder's loss, in the scaling of its authors' code:

        L = mean_i( SSE_i / D + beta mean_d z_d^2 ) + weight R .

    R smooths the decoder: "l2" is the sum of squares of its kernels, "gradient" is mean_i mean_d (d sum xhat_i^2 / dz_d)^2,
    one product with the decoder's Jacobian as in that code; "none" leaves it to spectral normalisation of the network. The
    gradient penalty is added in training alone. In the units of the ELBO with variance v, beta is beta D / (v latent_dim).

    Arguments:
        beta: The weight of the size of the code.
        penalty: What keeps the decoder smooth besides: small weights, or small gradients.
        weight: The weight of that penalty.

    Reference: From variational to deterministic autoencoders (Ghosh et al., 2020). https://arxiv.org/abs/1903.12436

    Raises:
        UserError: For weights that are negative or not finite, and an unknown penalty.
    """

    name = "rae"
    beta: float = 1e-4
    penalty: Annotated[str, OneOf(PENALTIES)] = "none"
    weight: Annotated[float, Option("penalty_weight")] = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for option, value in {"beta": self.beta, "penalty_weight": self.weight}.items():
            if not 0 <= value < math.inf:
                raise UserError(f"{option}={value} must be a number of at least 0.")

    def build(self, steps_per_epoch: int = 1) -> RAELoss:
        """Returns a new `RAELoss`; see `Objective.build`."""
        return RAELoss(self)

    def describe(self) -> tuple[str, str]:
        """Returns what a system with this objective is called, and its weights in a phrase."""
        return "regularized autoencoder", f"β = {self.beta:g}"


class RAELoss(Loss):
    """Computes the loss of an `RAE` on batches."""

    settings: RAE

    def forward(self, vae: VAE, x: Tensor, group: Groups | Tensor | None = None, step: int = 0) -> PlayerLosses:
        """Yields the player `vae` and its loss; see `Loss.forward`."""
        kind, weight = self.settings.penalty, self.settings.weight
        posterior = vae.encode(x, group)
        z = posterior.rsample()
        penalises_gradient = kind == "gradient" and weight > 0 and torch.is_grad_enabled() and self.training
        if penalises_gradient and not z.requires_grad:
            z.requires_grad_()
        canvas = vae.decode(z)
        size = x[0].numel()
        sse, code = squared_error(canvas.image, x), z.square().mean(1)
        loss = ((sse + self.penalty(canvas)) / size + self.settings.beta * code).mean()
        penalty = loss.new_zeros(())
        if penalises_gradient:
            (slope,) = torch.autograd.grad(canvas.image.float().square().sum(), z, create_graph=True)
            penalty = slope.square().mean()
        elif kind == "l2" and weight > 0:
            penalty = torch.stack([w.square().sum() for w in kernels(vae.decoder)]).sum()
        loss = loss + weight * penalty
        self.logs = {
            "loss": loss.detach(),
            "mse": mean_over_processes(sse.detach().mean() / size),
            "rec": sse.detach().mean() / size,
            **kl_terms_for_log(posterior),
            "code": code.detach().mean(),
            "penalty": penalty.detach(),
        }
        yield "vae", loss


def kernels(module: nn.Module) -> list[Tensor]:
    """Returns the weights of a network's dense and convolutional layers."""
    return [m.weight for m in module.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
