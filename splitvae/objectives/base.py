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

from ..errors import UserError
from ..models.groups import Groups
from ..models.posteriors import Grouped, Posterior
from ..models.split import Canvas, ambiguity, smoothness
from ..models.vae import VAE

__all__ = ["Objective", "squared_error"]


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
