"""The evidence lower bound (ELBO), the objective of a plain VAE and of the Split-VAE."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

from torch import Tensor

from ..errors import UserError
from ..models.groups import Groups
from ..models.posteriors import GroupedPosterior
from ..models.vae import VAE
from ..utils.settings import ActsWith, OneOf
from .base import Loss, Objective, PlayerLosses, kl_per_member, kl_terms_for_log, squared_error
from .independence import dependence
from .kl_weight import KL_SCHEDULES, Constant, KLSchedule
from .variance import VARIANCES, Computed, Variance, mean_over_processes

__all__ = ["ELBO", "SCALINGS", "ELBOLoss"]

SCALINGS = ("units", "pixels")


@dataclass(frozen=True)
class ELBO(Objective):
    r"""Creates the negative evidence lower bound, in nats per image:

        L = mean_i( distortion_i + beta_t g(KL_i) ) .

    With groups (models/posteriors.py) the sum over images is divided by the number of groups, so that the unit is nats per
    group and the KL of a content counts once. The public code of the Multi-Level VAE counts it once per member and divides
    by the number of pixels.

    Arguments:
        beta: The weight of the KL.
        variance: The likelihood's variance v; the paper's is "computed".
        kl: The schedule of the KL's weight.
        scaling: Whether the bound is in nats per image or group ("units"), or per pixel as in that public code ("pixels").
        independence: The weight, in nats per image, of the dependence (HSIC) between styles and groups; 0 in the paper, 100
            is large.

    Raises:
        UserError: For weights that are negative or not finite, and unknown names.
    """

    name = "elbo"
    beta: float = 1.0
    variance: Annotated[Variance, VARIANCES] = Computed()
    kl: Annotated[KLSchedule, KL_SCHEDULES] = Constant()
    scaling: Annotated[str, OneOf(SCALINGS)] = "units"
    independence: Annotated[
        float, ActsWith(lambda config: config.model.latent.name == "grouped", "latent='grouped' (--latent grouped)")
    ] = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 <= self.beta < math.inf):
            raise UserError(f"beta={self.beta} must be a number of at least 0.")
        if not 0 <= self.independence < math.inf:
            raise UserError(f"independence={self.independence} must be a number of at least 0, such as 100.")

    def build(self, steps_per_epoch: int = 1) -> ELBOLoss:
        """Returns a new `ELBOLoss`; see `Objective.build`."""
        return ELBOLoss(self)

    def describe(self) -> tuple[str, str]:
        """Returns the name of a system with this objective and a phrase that states its weights."""
        return "VAE", f"β = {self.beta:g}"

    def suggest(self, shape: tuple[int, int, int], latent_dim: int) -> dict[str, Any]:
        """Returns the paper's beta: that for CelebA if images have colours, that for MNIST if they are gray."""
        return {"beta": 3.0 if shape[0] == 3 else 8.0}


class ELBOLoss(Loss):
    """Computes the `ELBO` of batches and holds the state of its variance."""

    settings: ELBO

    def __init__(self, settings: ELBO) -> None:
        super().__init__(settings)
        self.variance = settings.variance.build()

    def terms_per_group(self) -> frozenset[str]:
        """Returns the names of the terms that are divided by the number of groups; see `Loss.terms_per_group`."""
        return frozenset({"kl", "loss"} if self.settings.scaling == "units" else {"kl"})

    def forward(self, vae: VAE, x: Tensor, group: Groups | Tensor | None = None, step: int = 0) -> PlayerLosses:
        """Yields the player "vae" and its loss; see `Loss.forward`."""
        posterior = vae.encode(x, group)
        canvas = vae.decode(posterior.rsample())
        sse, kl = squared_error(canvas.image, x), posterior.kl()
        size, units = x[0].numel(), posterior.units
        if self.settings.scaling == "pixels":
            kl, units = kl_per_member(posterior), x.numel()
        mse = mean_over_processes(sse.detach().mean() / size)
        v = self.variance(mse)
        rec = (sse + self.penalty(canvas)) / (2 * v)
        weighted = self.settings.kl.weigh(kl, self.settings.beta, step)
        loss = (rec + 0.5 * size * (2 * math.pi * v).log() + weighted).sum() / units
        beta, v = self.settings.beta * self.settings.kl.factor(step), v.detach()
        self.logs = {
            "loss": loss.detach(),
            "mse": mse,
            "rec": rec.detach().mean(),
            **kl_terms_for_log(posterior),
            "beta": beta,
            "v": v,
            "beta_v": beta * v,
        }
        if self.settings.independence and self.training and isinstance(posterior, GroupedPosterior):
            hsic = dependence(posterior.style.mean, posterior.groups)
            self.logs["dependence"] = hsic.detach()
            loss = loss + self.settings.independence * hsic * len(x) / units
        yield "vae", loss
