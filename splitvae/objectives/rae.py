"""The objective of regularized autoencoders: small codes without noise, and a smooth decoder."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from ..errors import UserError, setting
from ..models.groups import Groups
from ..models.vae import VAE
from ..utils.settings import OneOf, Option
from .base import Loss, Objective, PlayerLosses, kl_terms_for_log, spread_for_log, squared_error
from .variance import mean_over_processes

__all__ = ["PENALTIES", "RAE", "RAELoss", "layer_weights"]

PENALTIES = ("none", "l2", "gradient")


@dataclass(frozen=True)
class RAE(Objective):
    """Creates the regularized autoencoder's loss, in the scaling of its authors' code:

        L = mean_i( SSE_i / D + beta mean_d z_d^2 ) + weight R .

    The penalty R keeps the decoder smooth. "l2" is the sum of squares of its dense and convolutional weights. "gradient" is
    mean_i mean_d (d sum xhat_i^2 / dz_d)^2, one product with the decoder's Jacobian as in that code; it is added in
    training only. "none" is for a network whose weights are normalised by their spectra. An ELBO with variance v has the
    same optimum at the weight beta D / (v latent_dim).

    Arguments:
        beta: The weight of the squared size of the code.
        penalty: The penalty that keeps the decoder smooth: of its weights (l2), of its gradients (gradient), or none.
        weight: The weight of that penalty.

    Reference: From variational to deterministic autoencoders (Ghosh et al., 2020). https://arxiv.org/abs/1903.12436

    Raises:
        UserError: For weights that are negative or not finite, and an unknown penalty.
    """

    name = "rae"
    alarm_weights: ClassVar[tuple[str, ...]] = ("beta",)
    beta: float = 1e-4
    penalty: Annotated[str, OneOf(PENALTIES)] = "none"
    weight: Annotated[float, Option("penalty_weight")] = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for option, value in {"beta": self.beta, "penalty_weight": self.weight}.items():
            if not 0 <= value < math.inf:
                raise UserError(f"{setting(option, value)} must be a number of at least 0.")

    def build(self, steps_per_epoch: int = 1) -> RAELoss:
        """Returns a new `RAELoss`; see `Objective.build`."""
        return RAELoss(self)

    def describe(self) -> tuple[str, str]:
        """Returns the name of a system with this objective and a phrase that states its weights."""
        return "regularized autoencoder", f"β = {self.beta:g}"


class RAELoss(Loss):
    """Computes the loss of an `RAE` on batches."""

    settings: RAE

    def forward(self, vae: VAE, x: Tensor, group: Groups | Tensor | None = None, step: int = 0) -> PlayerLosses:
        """Yields the player "vae" and its loss; see `Loss.forward`."""
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
            (gradient,) = torch.autograd.grad(canvas.image.float().square().sum(), z, create_graph=True)
            penalty = gradient.square().mean()
        elif kind == "l2" and weight > 0:
            penalty = torch.stack([w.square().sum() for w in layer_weights(vae.decoder)]).sum()
        loss = loss + weight * penalty
        self.logs = {
            "loss": loss.detach(),
            "mse": mean_over_processes(sse.detach().mean() / size),
            "rec": sse.detach().mean() / size,
            **kl_terms_for_log(posterior),
            "code": code.detach().mean(),
            "penalty": penalty.detach(),
            "spread": spread_for_log(canvas.image, x),
        }
        yield "vae", loss


def layer_weights(module: nn.Module) -> list[Tensor]:
    """Returns the weights, without biases, of all dense and convolutional layers of a network."""
    return [m.weight for m in module.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
