"""The evidence lower bound (ELBO), the objective of a plain VAE and of the Split-VAE."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from ..errors import UserError, setting
from ..models.groups import Groups
from ..models.posteriors import GroupedPosterior
from ..models.vae import VAE
from ..utils.settings import ActsWith, OneOf
from .base import Loss, Objective, PlayerLosses, kl_per_member, kl_terms_for_log, spread_for_log, squared_error
from .independence import dependence, moment_information, paired_dependence
from .kl_weight import KL_SCHEDULES, Capacity, Constant, KLSchedule
from .variance import VARIANCES, Computed, Variance, mean_over_processes

__all__ = ["ELBO", "SCALINGS", "ELBOLoss"]

SCALINGS = ("units", "pixels")
IF_GROUPED = ActsWith(lambda config: config.model.latent.name == "grouped", "a latent of groups", ("latent", "grouped"))
MIN_KL = 1.0  # nats, of styles and of contents, above which codes tell something about their images


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
        independence: The weight, in nats per image, of the dependence (HSIC) between styles and groups; 0 in the paper, 20
            to 40 in the presets.
        independence_steps: The number of training steps in which that weight rises linearly from 0; only steps count in
            which the KLs of styles and of contents are above one nat, so that the weight is 0 until codes tell something.
        independence_moments: The weight of the information about groups, in nats per image, in the means and covariances of
            styles; it rises in the same steps. 0 leaves it out, 10 is large.
        independence_pairs: The weight of the dependence over pairs of different images, which does not empty the styles, so
            that it may be large; it rises in the same steps. 0 leaves it out.

    Raises:
        UserError: For weights that are negative or not finite, and unknown names.
    """

    name = "elbo"
    alarm_weights: ClassVar[tuple[str, ...]] = ("beta", "independence")
    beta: float = 1.0
    variance: Annotated[Variance, VARIANCES] = Computed()
    kl: Annotated[KLSchedule, KL_SCHEDULES] = Constant()
    scaling: Annotated[str, OneOf(SCALINGS)] = "units"
    independence: Annotated[float, IF_GROUPED] = 0.0
    independence_steps: Annotated[int, IF_GROUPED] = 0
    independence_moments: Annotated[float, IF_GROUPED] = 0.0
    independence_pairs: Annotated[float, IF_GROUPED] = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 <= self.beta < math.inf):
            raise UserError(f"{setting('beta', self.beta)} must be a number of at least 0.")
        for name, example in (("independence", 100), ("independence_moments", 5), ("independence_pairs", 500)):
            if not 0 <= getattr(self, name) < math.inf:
                raise UserError(f"{setting(name, getattr(self, name))} must be a number of at least 0, such as {example}.")
        if self.independence_steps < 0:
            raise UserError(
                f"{setting('independence_steps', self.independence_steps)} must be a number of steps of at least 0; "
                "0 has the whole weight from the first step."
            )

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
    told_steps: Tensor  # the number of training steps in which codes told something

    def __init__(self, settings: ELBO) -> None:
        super().__init__(settings)
        self.variance = settings.variance.build()
        if settings.independence_steps:
            self.register_buffer("told_steps", torch.zeros(()))

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
            "spread": spread_for_log(canvas.image, x),
        }
        if self.training and isinstance(posterior, GroupedPosterior):
            loss = loss + self.penalise_dependence(posterior) * len(x) / units
        yield "vae", loss

    def code_kls(self, means: Mapping[str, float]) -> dict[str, float]:
        """Returns the KL of images, or those of styles and of contents; none if a schedule sets it, see `Loss.code_kls`."""
        if isinstance(self.settings.kl, Capacity):
            return {}
        names = {"kl_style": "styles", "kl_content": "contents"}
        kls = {what: means[name] for name, what in names.items() if name in means}
        return kls or ({"images": means["kl"]} if "kl" in means else {})

    def penalise_dependence(self, posterior: GroupedPosterior) -> Tensor | float:
        """Returns the weighted dependence between the styles and the groups of a training step, in nats per image."""
        settings = self.settings
        penalty: Tensor | float = 0.0
        if not (settings.independence or settings.independence_moments or settings.independence_pairs):
            return penalty
        style, groups, ramp = posterior.style.mean, posterior.groups, self.ramp()
        if settings.independence:
            hsic = dependence(style, groups)
            self.logs |= {"dependence": hsic.detach(), "independence": settings.independence * ramp}
            penalty = penalty + settings.independence * ramp * hsic
        if settings.independence_moments:
            information = moment_information(style, groups)
            self.logs["moment_information"] = information.detach()
            penalty = penalty + settings.independence_moments * ramp * information
        if settings.independence_pairs:
            pairs = paired_dependence(style, groups)
            self.logs["paired_dependence"] = pairs.detach()
            penalty = penalty + settings.independence_pairs * ramp * pairs
        return penalty

    def ramp(self) -> Tensor | float:
        """Returns the share of the weights of independence in this step, and counts the step if codes tell something."""
        steps = self.settings.independence_steps
        if not steps:
            return 1.0
        kls = torch.stack([torch.as_tensor(self.logs[name]) for name in ("kl_style", "kl_content")])
        self.told_steps += mean_over_processes(kls).amin() > MIN_KL
        return (self.told_steps / steps).clamp_max(1)
