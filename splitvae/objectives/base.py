r"""The base of all objectives: settings (`Objective`) that build a module (`Loss`), which training minimises.

`loss(vae, x, group, step)` is a generator of pairs (player, loss). A player is a set of parameters with an optimizer of its
own, and `loss.players(vae)` returns them. After each pair, training makes one step of that player's optimizer. Detached
terms for the log are in `loss.logs`. In evaluation mode a loss does not change its state, and its value is a bound on
held-out images.

The distortion of an image of D values is that of a Gaussian likelihood. The penalties of the split, whose weights are zero
in the paper, are added to the squared error; the variance v is computed from the squared error only:

    distortion_i = (SSE_i + ambiguity A_i + smoothness TV_i) / (2 v) + D/2 log(2 pi v) .
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..errors import UserError, setting
from ..models.groups import Groups
from ..models.posteriors import GroupedPosterior, Posterior
from ..models.split import Canvas, ambiguity, smoothness
from ..models.vae import VAE
from ..utils.settings import Settings

__all__ = ["Loss", "Objective", "PlayerLosses", "kl_per_member", "kl_terms_for_log", "spread_for_log", "squared_error"]

PlayerLosses = Iterator[tuple[str, Tensor]]
AFTER_SCHEDULES = 2**62  # a step at which all schedules have ended, so that validation losses of all epochs are comparable


@dataclass(frozen=True)
class Objective(Settings):
    """The base of every objective's settings; a subclass has a `name` and `build`.

    Arguments:
        ambiguity: The weight in [0, 1] of the ambiguity A: 0 leaves the split free as in the paper, 1 makes each component
            explain the pixels at which its map is large.
        smoothness: The weight of the total variation TV of the maps, in units of the squared error.
    """

    resumable: ClassVar[frozenset[str]] = frozenset()  # the options that a resumed run may change
    alarm_weights: ClassVar[tuple[str, ...]] = ()  # the weights that the remedy of an alarm may change
    ambiguity: float = field(default=0.0, kw_only=True)
    smoothness: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.ambiguity <= 1:
            raise UserError(
                f"{setting('ambiguity', self.ambiguity)} must lie in [0, 1]; 0 leaves the split free as in the paper, 1 "
                "makes each component explain the pixels at which its map is large."
            )
        if not 0 <= self.smoothness < math.inf:
            raise UserError(f"{setting('smoothness', self.smoothness)} must be a number of at least 0.")

    def build(self, steps_per_epoch: int = 1) -> Loss:
        """Returns a new module that computes this objective.

        Arguments:
            steps_per_epoch: The number of training steps in an epoch, for settings that are counted in epochs.
        """
        raise NotImplementedError

    def __call__(self, vae: VAE, x: Tensor, group: Groups | Tensor | None = None, step: int = 0) -> PlayerLosses:
        """Yields the losses of one batch, computed by a new module.

        In a loop, call `build` once and use its module for all batches, since the module may have a state.
        """
        return self.build()(vae, x, group, step)

    def constant_weights(self) -> dict[str, float]:
        """Returns the weights that alarms may read and change: those that are numbers, not functions of the step."""
        weights = {name: getattr(self, name) for name in self.alarm_weights}
        return {name: value for name, value in weights.items() if not callable(value)}

    def inherit_from(self, previous: Settings) -> dict[str, Any]:
        """Returns what this objective takes over from another one: only the weights of the split mean the same in both."""
        return {name: getattr(previous, name) for name in ("ambiguity", "smoothness") if isinstance(previous, Objective)}

    def describe(self) -> tuple[str, str]:
        """Returns the name of a system with this objective and a phrase that states its weights."""
        return self.name, ""

    def suggest(self, shape: tuple[int, int, int], latent_dim: int) -> dict[str, Any]:
        """Returns settings by flat name for images of which only the shape is known.

        Arguments:
            shape: The channels, height and width of an image.
            latent_dim: The dimension of the latent.
        """
        return {}

    def warnings(self, latent_dim: int, epochs: int) -> list[str]:
        """Returns warnings about settings that are probably a mistake; they are printed before a training.

        Arguments:
            latent_dim: The dimension of the latent.
            epochs: The number of epochs of the training.
        """
        return []


class Loss(nn.Module):
    """The base of all modules that compute an objective: its players, its logs, and the penalties of the split.

    Arguments:
        settings: The settings, stored as an attribute that a training may replace between two steps.
    """

    may_collapse: ClassVar[bool] = False  # whether alarms end its training, which keeps a good checkpoint for that

    def __init__(self, settings: Any) -> None:
        super().__init__()
        self.settings = settings
        self.logs: dict[str, Tensor | float] = {}

    def players(self, vae: VAE) -> dict[str, list[nn.Parameter]]:
        """Returns the parameters of each player; the parameters of this module belong to the first."""
        return {"vae": [*vae.parameters(), *self.parameters()]}

    def terms_per_group(self) -> frozenset[str]:
        """Returns the names of those terms in `logs` that are sums over images divided by the number of groups.

        Training multiplies them by the number of groups in an image, so that its history is in nats per image.
        """
        return frozenset({"kl"})

    def penalty(self, canvas: Canvas) -> Tensor | float:
        """Returns ambiguity A + smoothness TV of each image, shape (B,); 0 if both weights are 0 or the split is 1."""
        total: Tensor | float = 0.0
        if self.settings.ambiguity and canvas.masks.shape[1] > 1:
            total = total + self.settings.ambiguity * ambiguity(canvas)
        if self.settings.smoothness and canvas.masks.shape[1] > 1:
            total = total + self.settings.smoothness * smoothness(canvas.masks)
        return total

    def validation_step(self, step: int) -> int:
        """Returns the step whose weights the validation loss uses.

        Arguments:
            step: The training step after which the validation loss is computed.
        """
        return AFTER_SCHEDULES

    def code_kls(self, means: Mapping[str, float]) -> dict[str, float]:
        """Returns the KLs, in nats, that are large only if codes tell something, by what is encoded ("images", "styles").

        Arguments:
            means: Means over steps of the terms that this loss logs.
        """
        return {}

    def make_passes(self, vae: VAE, x: Tensor, group: Groups | Tensor | None, step: int) -> None:
        """Makes forward passes over a batch from which the statistics of BatchNorm for evaluation are computed.

        Arguments:
            vae: The model, in training mode.
            x: The images, shape (B, C, H, W).
            group: The group of each image, or None.
            step: The training step that was made last.
        """
        vae(x, group)

    def forward(self, vae: VAE, x: Tensor, group: Groups | Tensor | None = None, step: int = 0) -> PlayerLosses:
        """Yields the losses of one batch.

        Arguments:
            vae: The model.
            x: The images, shape (B, C, H, W), floats in [0, 1].
            group: The group of each image, shape (B,); None makes each image a group of its own.
            step: The training step, counted from 0.
        """
        raise NotImplementedError


def squared_error(xhat: Tensor, x: Tensor) -> Tensor:
    """Returns the squared error of each image, summed over pixels and channels, shape (B,), in float32."""
    return (xhat.float() - x.float()).square().flatten(1).sum(1)


def kl_terms_for_log(posterior: Posterior) -> dict[str, Tensor]:
    """Returns the mean of the KL for the log, in nats: `kl`, over images, or over groups where images share a latent.

    For a grouped posterior there are also `kl_style`, over images, and `kl_content`, over groups.
    """
    with torch.no_grad():
        terms = {"kl": posterior.kl().sum() / posterior.units}
        if isinstance(posterior, GroupedPosterior):
            terms |= {"kl_style": posterior.style.kl().mean(), "kl_content": posterior.content.kl().mean()}
        return terms


def spread_for_log(xhat: Tensor, x: Tensor) -> Tensor:
    """Returns the standard deviation of reconstructions over the batch divided by that of the images, a scalar.

    Both are means over pixels. Near 0, all reconstructions are one picture.
    """
    a, b = (images.detach().std(0, correction=0).mean() for images in (xhat, x))
    return a / b.clamp_min(1e-12)


def kl_per_member(posterior: Posterior) -> Tensor:
    """Returns the KL of each image's style plus the whole KL of its group's content, shape (B,), in nats."""
    if not isinstance(posterior, GroupedPosterior):
        return posterior.kl()
    return posterior.style.kl() + posterior.content.kl()[posterior.groups.member_of]
