"""TODO docstring of objectives.elbo."""

from __future__ import annotations

import math

from torch import Tensor

from ..errors import UserError, nearest
from ..models.groups import Groups
from ..models.posteriors import Grouped
from ..models.vae import VAE
from .base import Objective, Turns, by_member, rates, squared_error
from .independence import dependence
from .kl_weight import Constant, KLWeight
from .variance import Variance, over_processes, variance_named

__all__ = ["ELBO"]


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
