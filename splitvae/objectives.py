r"""Objectives: what training minimises.

`objective(vae, x, group, step)` is a generator of `(player, loss)` pairs; each asks for one step of that player's
optimizer, and `objective.players(vae)` names each player's parameters. Detached terms for the log are in `objective.logs`.
In evaluation mode an objective learns nothing and its loss is a bound on held-out images.

The distortion of an image of D values is that of a Gaussian likelihood, with the split's penalties (both zero in the
paper) inside the error and the balance following the error alone:

    distortion_i = (SSE_i + ambiguity A_i + smoothness TV_i) / (2 v) + D/2 log(2 pi v) .
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from .balance import Constant, KLWeight, Variance, over_processes, variance_named
from .errors import UserError, nearest
from .groups import Groups
from .independence import dependence
from .posteriors import Grouped, Posterior
from .split import Canvas, ambiguity, smoothness
from .vae import VAE

__all__ = ["ELBO", "RAE", "Objective", "kernels", "squared_error"]

Turns = Iterator[tuple[str, Tensor]]


def squared_error(xhat: Tensor, x: Tensor) -> Tensor:
    """SSE of each image, summed over pixels and channels, shape (B,), in float32."""
    return (xhat.float() - x.float()).square().flatten(1).sum(1)


def rates(posterior: Posterior) -> dict[str, Tensor]:
    """The KL of the mean unit, `kl`, and with groups `kl_style` of the mean image and `kl_content` of the mean group."""
    with torch.no_grad():
        found = {"kl": posterior.kl().sum() / posterior.units}
        if isinstance(posterior, Grouped):
            found |= {"kl_style": posterior.style.kl().mean(), "kl_content": posterior.content.kl().mean()}
        return found


def by_member(posterior: Posterior) -> Tensor:
    """KL of each image's style and the whole of its group's content, (B,), in nats: a content counted once a member."""
    if not isinstance(posterior, Grouped):
        return posterior.kl()
    return posterior.style.kl() + posterior.content.kl()[posterior.groups.member_of]


class Objective(nn.Module):
    """The base of every objective: its players, its logs, and the distortion with the split's penalties.

    Arguments:
        ambiguity: weight in [0, 1] of A: 0 leaves the split free, 1 makes every component explain the pixels it claims.
        smoothness: weight of the maps' total variation, in squared-error units; at least 0.
    """

    def __init__(self, ambiguity: float = 0.0, smoothness: float = 0.0) -> None:
        super().__init__()
        if not 0 <= ambiguity <= 1:
            raise UserError(f"ambiguity={ambiguity} must lie in [0, 1]: 0 is the paper's free split, 1 specialists.")
        if not 0 <= smoothness < math.inf:
            raise UserError(f"smoothness={smoothness} must be a number of at least 0.")
        self.ambiguity, self.smoothness = ambiguity, smoothness
        self.logs: dict[str, Tensor | float] = {}

    def players(self, vae: VAE) -> dict[str, list[nn.Parameter]]:
        """Each player's parameters; an objective's own belong to the first."""
        return {"vae": [*vae.parameters(), *self.parameters()]}

    def penalty(self, canvas: Canvas) -> Tensor | float:
        """ambiguity A + smoothness TV, shape (B,), or 0 where nothing is asked for or nothing is split."""
        total: Tensor | float = 0.0
        if self.ambiguity and canvas.masks.shape[1] > 1:
            total = total + self.ambiguity * ambiguity(canvas)
        if self.smoothness and canvas.masks.shape[1] > 1:
            total = total + self.smoothness * smoothness(canvas.masks)
        return total

    def forward(self, vae: VAE, x: Tensor, group: Groups | Tensor | None = None, step: int = 0) -> Turns:
        raise NotImplementedError


SCALINGS = ("units", "pixels")


class ELBO(Objective):
    """The negative evidence lower bound, in nats per image:

        L = mean_i( distortion_i + beta_t g(KL_i) ) .

    With groups (posteriors.py) the sum over images is divided by the number of groups: nats per group, to which the
    content's KL belongs once. The public code of the Multi-Level VAE owes it once a member and takes the mean over pixels.

    Arguments:
        beta: the KL's weight, a number or a `KLWeight`.
        variance: v, a `Variance` or its name; the paper's is "computed".
        ambiguity, smoothness: as in `Objective`.
        scaling: "units", images or groups; or that code's "pixels", to reproduce it.
        independence: weight, in nats an image, of what styles tell of the groups (independence.py), in training alone.
    """

    def __init__(
        self,
        beta: float | KLWeight = 1.0,
        variance: str | Variance = "computed",
        ambiguity: float = 0.0,
        smoothness: float = 0.0,
        scaling: str = "units",
        independence: float = 0.0,
    ) -> None:
        super().__init__(ambiguity, smoothness)
        if scaling not in SCALINGS:
            raise UserError(f"scaling={scaling!r} is unknown; {nearest(scaling, SCALINGS)}")
        if not 0 <= independence < math.inf:
            raise UserError(f"independence={independence} must be a number of at least 0, such as 100.")
        self.scaling, self.independence = scaling, independence
        self.weight = beta if isinstance(beta, KLWeight) else Constant(beta)
        self.variance = variance if isinstance(variance, Variance) else variance_named(variance)

    def forward(self, vae: VAE, x: Tensor, group: Groups | Tensor | None = None, step: int = 0) -> Turns:
        posterior = vae.encode(x, group)
        canvas = vae.decode(posterior.rsample())
        sse, kl = squared_error(canvas.image, x), posterior.kl()
        size, units = x[0].numel(), posterior.units
        if self.scaling == "pixels":
            kl, units = by_member(posterior), x.numel()
        mse = over_processes(sse.detach().mean() / size)
        v = self.variance(mse)
        rec = (sse + self.penalty(canvas)) / (2 * v)
        loss = (rec + 0.5 * size * (2 * math.pi * v).log() + self.weight(kl, step)).sum() / units
        beta, v = self.weight.at(step), v.detach()
        self.logs = {
            "loss": loss.detach(),
            "mse": mse,
            "rec": rec.detach().mean(),
            **rates(posterior),
            "beta": beta,
            "v": v,
            "beta_v": beta * v,
        }
        if self.independence and self.training and isinstance(posterior, Grouped):
            told = dependence(posterior.style.mean, posterior.groups)
            self.logs["dependence"] = told.detach()
            loss = loss + self.independence * told * len(x) / units
        yield "vae", loss


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
