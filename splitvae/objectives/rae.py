"""TODO docstring of objectives.rae."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..errors import UserError, nearest
from ..models.groups import Groups
from ..models.vae import VAE
from .base import Objective, Turns, rates, squared_error
from .variance import over_processes

__all__ = ["RAE", "kernels"]


PENALTIES = ("none", "l2", "gradient")


class RAE(Objective):
    """The regularized autoencoder's loss, in the scaling of its authors' code:

        L = mean_i( SSE_i / D + beta mean_d z_d^2 ) + weight R .

    R smooths the decoder: "l2" is the sum of squares of its kernels, "gradient" is mean_i mean_d (d sum xhat_i^2 / dz_d)^2,
    one product with the decoder's Jacobian as in that code; "none" leaves it to spectral normalisation of the network.
    The gradient is asked for in training alone. In the units of the ELBO with variance v, beta is beta D / (v latent_dim).

    Arguments:
        beta: weight of the code's size. penalty: R. weight: of R.
        ambiguity, smoothness: as in `Objective`.

    Reference: From variational to deterministic autoencoders (Ghosh et al., 2020).
    """

    def __init__(
        self,
        beta: float = 1e-4,
        penalty: str = "none",
        weight: float = 0.0,
        ambiguity: float = 0.0,
        smoothness: float = 0.0,
    ) -> None:
        super().__init__(ambiguity, smoothness)
        if penalty not in PENALTIES:
            raise UserError(f"penalty={penalty!r} is unknown; {nearest(penalty, PENALTIES)}")
        for name, value in {"beta": beta, "penalty_weight": weight}.items():
            if not 0 <= value < math.inf:
                raise UserError(f"{name}={value} must be a number of at least 0.")
        self.beta, self.kind, self.strength = beta, penalty, weight

    def forward(self, vae: VAE, x: Tensor, group: Groups | Tensor | None = None, step: int = 0) -> Turns:
        posterior = vae.encode(x, group)
        z = posterior.rsample()
        smooth = self.kind == "gradient" and self.strength > 0 and torch.is_grad_enabled() and self.training
        if smooth and not z.requires_grad:
            z.requires_grad_()
        canvas = vae.decode(z)
        size = x[0].numel()
        sse, code = squared_error(canvas.image, x), z.square().mean(1)
        loss = ((sse + self.penalty(canvas)) / size + self.beta * code).mean()
        regular = loss.new_zeros(())
        if smooth:
            (slope,) = torch.autograd.grad(canvas.image.float().square().sum(), z, create_graph=True)
            regular = slope.square().mean()
        elif self.kind == "l2" and self.strength > 0:
            regular = torch.stack([w.square().sum() for w in kernels(vae.decoder)]).sum()
        loss = loss + self.strength * regular
        self.logs = {
            "loss": loss.detach(),
            "mse": over_processes(sse.detach().mean() / size),
            "rec": sse.detach().mean() / size,
            **rates(posterior),
            "code": code.detach().mean(),
            "penalty": regular.detach(),
        }
        yield "vae", loss


def kernels(module: nn.Module) -> list[Tensor]:
    """The weights of a network's dense and convolutional layers."""
    return [m.weight for m in module.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
