"""Latents: the heads that turn an encoder's features into a posterior, computed in float32 whatever the precision.

| latent          | posterior  | what images of a group share                                                            |
| --------------- | ---------- | --------------------------------------------------------------------------------------- |
| `gaussian`      | `Gaussian` | nothing                                                                                 |
| `deterministic` | `Dirac`    | nothing                                                                                 |
| `grouped`       | `Grouped`  | the content, the last `content_dim` dimensions (Bouchacourt et al., 2018)               |
| `adaptive`      | `Gaussian` | of a pair, the dimensions whose posteriors differ least (Locatello et al., 2020)        |
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..errors import UserError, nearest
from ..networks.layers import glorot_
from .fusion import fuse, known_fusion, thinned
from .groups import Groups, grouped
from .posteriors import DRAWS, Dirac, Gaussian, Grouped

__all__ = ["LATENTS", "AdaptiveLatent", "DeterministicLatent", "GaussianLatent", "GroupedLatent", "Sharing", "latent_named"]


class Sharing(NamedTuple):
    """What images of a group share, as in `VAE`."""

    content_dim: int = 0
    fusion: str = "poe"
    content_draw: str = "group"
    eps_std: float = 1.0
    head_units: int = 0
    evidence: int = 0


HALF = Sharing()


class GaussianLatent(nn.Module):
    """Two dense heads, features (B, F) -> `Gaussian` of dimension D."""

    shares = False  # whether groups change what it gives
    pairs = False  # whether they must be pairs

    def __init__(self, features: int, dim: int, sharing: Sharing = HALF) -> None:
        super().__init__()
        self.mean = nn.Linear(features, dim)
        self.logvar = nn.Linear(features, dim)
        self.apply(glorot_)

    def forward(self, features: Tensor, group: Groups | Tensor | None = None) -> Gaussian:
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            return Gaussian(self.mean(features), self.logvar(features))


class DeterministicLatent(nn.Module):
    """One dense head, features (B, F) -> `Dirac` of dimension D: the code of a regularized autoencoder."""

    shares = pairs = False

    def __init__(self, features: int, dim: int, sharing: Sharing = HALF) -> None:
        super().__init__()
        self.mean = nn.Linear(features, dim)
        self.apply(glorot_)

    def forward(self, features: Tensor, group: Groups | Tensor | None = None) -> Dirac:
        with torch.autocast(features.device.type, enabled=False):
            return Dirac(self.mean(features.float()))


class GroupedLatent(nn.Module):
    """Four dense heads, features (B, F) -> `Grouped`: a style for each image, a content for each group.

    With `head_units` U either code has a hidden layer of its own, tanh of U units, before its heads. Style and content then
    need not be linear functions of features that serve both, which keeps them apart at a weight of independence at which
    features that they share lose both.

    With `evidence` n only n members of each group, drawn anew each time, say what its content is while training: where all
    do, nobody is missed who errs.

    Without groups every image is its own, and the posterior is the ordinary Gaussian of [style, content].
    """

    shares, pairs = True, False
    train_content = True  # False cuts the gradient of the content's heads, as public code does: to reproduce it

    def __init__(self, features: int, dim: int, sharing: Sharing = HALF) -> None:
        super().__init__()
        content, units = sharing.content_dim or dim // 2, sharing.head_units
        if not 0 < content < dim:
            raise UserError(
                f"content_dim={sharing.content_dim} of latent_dim={dim} leaves no room for both codes; it must lie between "
                "1 and latent_dim - 1, or be 0 for a half."
            )
        if sharing.content_draw not in DRAWS:
            raise UserError(f"content_draw={sharing.content_draw!r} is unknown; {nearest(sharing.content_draw, DRAWS)}")
        if not 0 <= sharing.eps_std < float("inf"):
            raise UserError(f"eps_std={sharing.eps_std} must be a number of at least 0; 1 is the posterior's.")
        if units < 0:
            raise UserError(f"head_units={units} must be a number of units, 0 for heads without a hidden layer.")
        if sharing.evidence < 0:
            raise UserError(f"evidence={sharing.evidence} must be a number of members, 0 for all of a group.")
        if sharing.evidence and not sharing.fusion.startswith("poe"):
            raise UserError(f"evidence of some members is for products of theirs (--fusion poe), not {sharing.fusion!r}.")
        self.witnesses = sharing.evidence
        self.fusion = known_fusion(sharing.fusion)
        self.draw, self.eps_std, self.content_dim = sharing.content_draw, sharing.eps_std, content
        inputs = units or features
        self.style_hidden, self.content_hidden = (nn.Linear(features, units) if units else None for _ in range(2))
        self.style_mean, self.style_logvar = (nn.Linear(inputs, dim - content) for _ in range(2))
        self.content_mean, self.content_logvar = (nn.Linear(inputs, content) for _ in range(2))
        self.apply(glorot_)

    def forward(self, features: Tensor, group: Groups | Tensor | None = None) -> Grouped:
        groups = grouped(group, len(features), features.device)
        with torch.autocast(features.device.type, enabled=False):
            members = self.evidence(features)
            if self.training and self.witnesses:
                members = thinned(members, groups, self.witnesses)
            content = fuse(members, groups, self.fusion)
            return Grouped(self.style(features), content, groups, self.draw, self.eps_std)

    def evidence(self, features: Tensor) -> Gaussian:
        """What each image says of its group's content, (B, C)."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.train_content):
            h = _hidden(self.content_hidden, features.float())
            return Gaussian(self.content_mean(h), self.content_logvar(h))

    def style(self, features: Tensor) -> Gaussian:
        """The style of each image, (B, S)."""
        h = _hidden(self.style_hidden, features.float())
        return Gaussian(self.style_mean(h), self.style_logvar(h))


def _hidden(layer: nn.Module | None, features: Tensor) -> Tensor:
    return features if layer is None else torch.tanh(layer(features))


class AdaptiveLatent(GaussianLatent):
    """Two dense heads, features (B, F) of pairs -> `Gaussian`, with what the two share fused, found anew each time.

    In each dimension the two posteriors are a divergence KL(q_1 || q_2) apart; those below the middle between the pair's
    least and largest are taken as shared and fused. Without groups it is a `GaussianLatent`.

    Raises UserError for groups that are no pairs.
    """

    shares = pairs = True

    def __init__(self, features: int, dim: int, sharing: Sharing = HALF) -> None:
        super().__init__(features, dim)
        self.fusion = known_fusion(sharing.fusion)

    def forward(self, features: Tensor, group: Groups | Tensor | None = None) -> Gaussian:
        alone = super().forward(features)
        if group is None:
            return alone
        groups = grouped(group, len(features), features.device)
        if groups.members != 2:
            raise UserError(
                "latent='adaptive' compares the two images of a pair, and some group has more or fewer; give groups of two "
                "(--members 2, and at least two images of each label)."
            )
        with torch.autocast(features.device.type, enabled=False):
            pairs = groups.member_of.sort(stable=True).indices.view(-1, 2)
            first, second = (Gaussian(*(rows[pairs[:, i]] for rows in alone)) for i in (0, 1))
            distance = divergence(first, second)
            low, high = distance.amin(1, keepdim=True), distance.amax(1, keepdim=True)
            shared = (distance < (low + high) / 2)[groups.member_of]
            fused = fuse(alone, groups, self.fusion)
            return Gaussian(*(torch.where(shared, f[groups.member_of], a) for f, a in zip(fused, alone, strict=True)))


def divergence(a: Gaussian, b: Gaussian) -> Tensor:
    """KL(a || b) of each dimension of Gaussians (B, D), in nats."""
    gap = (a.mean - b.mean).square()
    return 0.5 * (b.logvar - a.logvar + (a.logvar - b.logvar).exp() + gap * (-b.logvar).exp() - 1)


LATENTS: dict[str, type[nn.Module]] = {
    "gaussian": GaussianLatent,
    "deterministic": DeterministicLatent,
    "grouped": GroupedLatent,
    "adaptive": AdaptiveLatent,
}


def latent_named(name: str, features: int, dim: int, sharing: Sharing = HALF) -> nn.Module:
    """The head called `name`; raises UserError naming the nearest."""
    if name not in LATENTS:
        raise UserError(f"no latent is called {name!r}; {nearest(name, LATENTS)}")
    return LATENTS[name](features, dim, sharing)
