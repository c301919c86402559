"""Latents: settings that build a head, the module at the end of the encoder that maps features to a posterior.

| latent          | posterior | what the images of a group share |
| --------------- | --- | --- |
| `gaussian`      | `GaussianPosterior` | nothing |
| `deterministic` | `DiracPosterior` | nothing |
| `grouped`       | `GroupedPosterior` | the content, the last `content_dim` dimensions (Bouchacourt et al., 2018) |
| `adaptive`      | `GaussianPosterior` | in a pair, the dimensions whose posteriors differ least (Locatello et al., 2020) |

Heads compute in float32 for every precision of the network.

References: Multi-Level Variational Autoencoder (Bouchacourt et al., 2018), https://arxiv.org/abs/1705.08841;
Weakly-supervised disentanglement without compromises (Locatello et al., 2020), https://arxiv.org/abs/2002.02886.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from ..errors import UserError, setting
from ..networks.layers import glorot_
from ..utils.settings import OneOf, Option, Registry, Settings
from .fusion import FUSIONS, fuse, subsample_members
from .groups import Groups, as_groups
from .posteriors import CONTENT_DRAWS, DiracPosterior, GaussianPosterior, GroupedPosterior

__all__ = [
    "LATENTS",
    "Adaptive",
    "AdaptiveHead",
    "Deterministic",
    "DeterministicHead",
    "Gaussian",
    "GaussianHead",
    "Grouped",
    "GroupedHead",
    "Latent",
]


@dataclass(frozen=True)
class Latent(Settings):
    """The base of all latents' settings; a subclass has a `name` and the method `build`."""

    uses_groups: ClassVar[bool] = False  # whether images of a group share dimensions, so that training needs groups
    needs_pairs: ClassVar[bool] = False  # whether the groups must be pairs
    has_group_terms: ClassVar[bool] = False  # whether the `units` of its posteriors are groups, not images

    def build(self, features: int, dim: int) -> nn.Module:
        """Returns an untrained head: `head(features, group)` maps features (B, F) to a posterior of dimension D.

        Arguments:
            features: The number of features F.
            dim: The dimension D of the latent.

        Raises:
            UserError: For settings that do not fit this dimension.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Gaussian(Latent):
    """Creates the settings of a Gaussian latent: a mean and a variance for each dimension."""

    name = "gaussian"

    def build(self, features: int, dim: int) -> GaussianHead:
        """Returns an untrained `GaussianHead`; see `Latent.build`."""
        return GaussianHead(features, dim)


@dataclass(frozen=True)
class Deterministic(Latent):
    """Creates the settings of a latent without noise, that of a regularized autoencoder."""

    name = "deterministic"

    def build(self, features: int, dim: int) -> DeterministicHead:
        """Returns an untrained `DeterministicHead`; see `Latent.build`."""
        return DeterministicHead(features, dim)


@dataclass(frozen=True)
class Grouped(Latent):
    """Creates the settings of the Multi-Level VAE's latent: a style for each image, a content for each group.

    With `head_units`, style and content each have a hidden layer, and are no longer linear functions of the same features.
    Then a large weight of `independence` separates them; without, both lose information at that weight.

    If all members give evidence, the others hide the error of one member from the loss; `evidence_members` prevents that.

    Arguments:
        content_dim: The number C of dimensions that a group shares, the last ones of z; 0 is half of them.
        fusion: How the posteriors of the members become one Gaussian for the group's content.
        content_draw: Whether the content is drawn once for each group, anew for each image of it (sample), or is the mean.
        eps_std: The standard deviation of eps in content = mean + sigma eps; at 1 it is drawn from the posterior.
        head_units: The number of units of a hidden layer of style and of content; 0 leaves it out, as in the paper.
        evidence_members: The number of members of a group, drawn at random, that give evidence in a training step; 0
            is all of them.
    """

    name = "grouped"
    uses_groups: ClassVar[bool] = True
    has_group_terms: ClassVar[bool] = True
    content_dim: int = 0
    fusion: Annotated[str, OneOf(FUSIONS)] = "poe"
    content_draw: Annotated[str, OneOf(CONTENT_DRAWS)] = "group"
    eps_std: Annotated[float, Option("group_eps_std")] = 1.0
    head_units: Annotated[int, Option("group_head_units")] = 0
    evidence_members: Annotated[int, Option("group_evidence")] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.eps_std < float("inf"):
            raise UserError(
                f"{setting('group_eps_std', self.eps_std)} must be a number of at least 0; 1 draws from the posterior."
            )
        if self.head_units < 0:
            raise UserError(
                f"{setting('group_head_units', self.head_units)} must be a number of units of at least 0; "
                "0 is no hidden layer."
            )
        if self.evidence_members < 0:
            raise UserError(
                f"{setting('group_evidence', self.evidence_members)} must be a number of members of at least 0; "
                "0 is all of a group."
            )
        if self.evidence_members and not self.fusion.startswith("poe"):
            raise UserError(
                f"{setting('group_evidence', self.evidence_members)} needs a product of the members' Gaussians "
                f"(fusion='poe'), not {self.fusion!r}."
            )

    def build(self, features: int, dim: int) -> GroupedHead:
        """Returns an untrained `GroupedHead`; see `Latent.build`."""
        return GroupedHead(features, dim, self)


@dataclass(frozen=True)
class Adaptive(Latent):
    """Creates the settings of a latent that decides for each pair of images which dimensions they share.

    Arguments:
        fusion: How the posteriors of a pair become one Gaussian in the dimensions that it shares.
    """

    name = "adaptive"
    uses_groups: ClassVar[bool] = True
    needs_pairs: ClassVar[bool] = True
    fusion: Annotated[str, OneOf(FUSIONS)] = "poe"

    def build(self, features: int, dim: int) -> AdaptiveHead:
        """Returns an untrained `AdaptiveHead`; see `Latent.build`."""
        return AdaptiveHead(features, dim, self)


LATENTS: Registry[Latent] = Registry("latent", "latent", [Gaussian, Deterministic, Grouped, Adaptive])


class GaussianHead(nn.Module):
    """Maps features (B, F) to a `GaussianPosterior` of dimension D by two dense layers."""

    def __init__(self, features: int, dim: int) -> None:
        super().__init__()
        self.mean = nn.Linear(features, dim)
        self.logvar = nn.Linear(features, dim)
        self.apply(glorot_)

    def forward(self, features: Tensor, group: Groups | Tensor | None = None) -> GaussianPosterior:
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            return GaussianPosterior(self.mean(features), self.logvar(features))


class DeterministicHead(nn.Module):
    """Maps features (B, F) to a `DiracPosterior` of dimension D by a dense layer."""

    def __init__(self, features: int, dim: int) -> None:
        super().__init__()
        self.mean = nn.Linear(features, dim)
        self.apply(glorot_)

    def forward(self, features: Tensor, group: Groups | Tensor | None = None) -> DiracPosterior:
        with torch.autocast(features.device.type, enabled=False):
            return DiracPosterior(self.mean(features.float()))


class GroupedHead(nn.Module):
    """Maps features (B, F) to a `GroupedPosterior` by four dense layers, two of them for the content.

    Without groups each image is a group of its own, and the posterior is an ordinary Gaussian of z = [style, content].

    Arguments:
        features: The number of features F.
        dim: The dimension D of z.
        latent: The settings.

    Raises:
        UserError: For a `content_dim` that leaves no dimension for the style.
    """

    train_content = True  # False stops gradients to the layers of the content, to reproduce public code that does so

    def __init__(self, features: int, dim: int, latent: Grouped) -> None:
        super().__init__()
        content, units = latent.content_dim or dim // 2, latent.head_units
        if not 0 < content < dim:
            raise UserError(
                f"{setting('content_dim', latent.content_dim)} of {setting('latent_dim', dim)} leaves no dimension "
                "for style or content; it must lie between 1 and latent_dim - 1, or be 0 for a half."
            )
        self.settings, self.content_dim = latent, content
        inputs = units or features
        self.style_hidden, self.content_hidden = (nn.Linear(features, units) if units else None for _ in range(2))
        self.style_mean, self.style_logvar = (nn.Linear(inputs, dim - content) for _ in range(2))
        self.content_mean, self.content_logvar = (nn.Linear(inputs, content) for _ in range(2))
        self.apply(glorot_)

    def forward(self, features: Tensor, group: Groups | Tensor | None = None) -> GroupedPosterior:
        groups = as_groups(group, len(features), features.device)
        with torch.autocast(features.device.type, enabled=False):
            members = self.evidence(features)
            if self.training and self.settings.evidence_members:
                members = subsample_members(members, groups, self.settings.evidence_members)
            content = fuse(members, groups, self.settings.fusion)
            return GroupedPosterior(
                self.style(features), content, groups, self.settings.content_draw, self.settings.eps_std
            )

    def evidence(self, features: Tensor) -> GaussianPosterior:
        """Returns the posterior of each image over its group's content, before fusion, shape (B, C)."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.train_content):
            h = _hidden(self.content_hidden, features.float())
            return GaussianPosterior(self.content_mean(h), self.content_logvar(h))

    def style(self, features: Tensor) -> GaussianPosterior:
        """Returns the posterior of each image over its style, shape (B, S)."""
        h = _hidden(self.style_hidden, features.float())
        return GaussianPosterior(self.style_mean(h), self.style_logvar(h))


def _hidden(layer: nn.Module | None, features: Tensor) -> Tensor:
    """Applies a hidden layer with tanh; returns the features themselves if there is no layer."""
    return features if layer is None else torch.tanh(layer(features))


class AdaptiveHead(GaussianHead):
    """Maps features (B, F) of pairs to a `GaussianPosterior` in which the dimensions that a pair shares are fused.

    For each dimension it computes the divergence KL(q_1 || q_2) of the pair's two posteriors. The pair shares a dimension
    if its divergence is below the mean of the pair's smallest and largest divergence. Without groups it is a
    `GaussianHead`.

    Arguments:
        features: The number of features F.
        dim: The dimension D of the latent.
        latent: The settings.

    Raises:
        UserError: In a forward pass, for groups that are not pairs.
    """

    def __init__(self, features: int, dim: int, latent: Adaptive) -> None:
        super().__init__(features, dim)
        self.settings = latent

    def forward(self, features: Tensor, group: Groups | Tensor | None = None) -> GaussianPosterior:
        single = super().forward(features)
        if group is None:
            return single
        groups = as_groups(group, len(features), features.device)
        if groups.members != 2:
            raise UserError(
                "latent='adaptive' compares the two images of a pair, but some group has more or fewer images; give groups "
                f"of two ({setting('group_members', 2)}, and at least two images of each label)."
            )
        with torch.autocast(features.device.type, enabled=False):
            pairs = groups.member_of.sort(stable=True).indices.view(-1, 2)
            first, second = (GaussianPosterior(*(rows[pairs[:, i]] for rows in single)) for i in (0, 1))
            distance = kl_divergence(first, second)
            low, high = distance.amin(1, keepdim=True), distance.amax(1, keepdim=True)
            shared = (distance < (low + high) / 2)[groups.member_of]
            fused = fuse(single, groups, self.settings.fusion)
            return GaussianPosterior(
                *(torch.where(shared, f[groups.member_of], a) for f, a in zip(fused, single, strict=True))
            )


def kl_divergence(a: GaussianPosterior, b: GaussianPosterior) -> Tensor:
    """Returns KL(a || b) in each dimension of two Gaussians, shape (B, D), in nats."""
    squares = (a.mean - b.mean).square()
    return 0.5 * (b.logvar - a.logvar + (a.logvar - b.logvar).exp() + squares * (-b.logvar).exp() - 1)
