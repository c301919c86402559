"""Posteriors: what an encoder believes about the latent of each image.

A posterior is a NamedTuple with `mean`, `logvar` (None where there is no noise), `rsample()`, `kl()` of shape (B,) in nats,
and `units`, the number by which a summed loss is divided (the batch, unless images share a latent).

With groups, z = [style, content]: each image has a style of its own, and a group has one content, whose KL is owed once.
Each of its members carries 1 / |G| of it, and the number of groups divides the sum: the loss is the mean group's bound

    sum_{i in G} ( distortion_i + KL(q(s_i | x_i) || N) ) + KL(q(c_G | x_G) || N) .
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from .groups import Groups

__all__ = ["CONTENT_DRAWS", "DiracPosterior", "GaussianPosterior", "GroupedPosterior", "Posterior"]


CONTENT_DRAWS = ("group", "sample", "mean")


class Posterior(Protocol):
    """What objectives, samplers and figures ask of a latent."""

    @property
    def mean(self) -> Tensor: ...

    @property
    def logvar(self) -> Tensor | None: ...

    @property
    def units(self) -> int: ...

    def rsample(self) -> Tensor: ...

    def draw_prior(self) -> Tensor: ...

    def kl_terms(self) -> Tensor: ...

    def kl(self) -> Tensor: ...


class GaussianPosterior(NamedTuple):
    """The diagonal Gaussian N(mean, exp(logvar)); mean and logvar have shape (B, D)."""

    mean: Tensor
    logvar: Tensor

    @property
    def units(self) -> int:
        return len(self.mean)

    def rsample(self) -> Tensor:
        """A draw z = mean + exp(logvar / 2) eps that gradients pass through, shape (B, D)."""
        return torch.addcmul(self.mean, torch.exp(0.5 * self.logvar), torch.randn_like(self.mean))

    def draw_prior(self) -> Tensor:
        """Returns as many draws of the prior N(0, I), shape (B, D)."""
        return torch.randn_like(self.mean)

    def kl_terms(self) -> Tensor:
        """KL(q || N(0, 1)) of each dimension, (mean^2 + exp(logvar) - logvar - 1) / 2, shape (B, D), in nats."""
        return 0.5 * (self.mean.square() + self.logvar.exp() - self.logvar - 1)

    def kl(self) -> Tensor:
        """KL(q || N(0, I)), summed over dimensions, shape (B,), in nats."""
        return self.kl_terms().sum(1)


class DiracPosterior(NamedTuple):
    """A code without noise, of shape (B, D); its rate is the negative log prior up to a constant."""

    mean: Tensor

    @property
    def logvar(self) -> None:
        return None

    @property
    def units(self) -> int:
        return len(self.mean)

    def rsample(self) -> Tensor:
        """Returns the code itself."""
        return self.mean

    def draw_prior(self) -> Tensor:
        """Returns as many draws of N(0, I), shape (B, D)."""
        return torch.randn_like(self.mean)

    def kl_terms(self) -> Tensor:
        """z^2 / 2 of each dimension, shape (B, D)."""
        return 0.5 * self.mean.square()

    def kl(self) -> Tensor:
        """||z||^2 / 2, shape (B,)."""
        return self.kl_terms().sum(1)


class GroupedPosterior(NamedTuple):
    """A style for each image and a content for each group; z = [style, content] has shape (B, S + C).

    style: (B, S). content: of the groups, (G, C), their members' evidence fused. groups: who belongs to which.
    draw: the content is drawn once a "group", anew for each "sample", or is its "mean".
    eps_std: standard deviation of the noise that a content is drawn with, mean + sigma eps; at 1 it follows the posterior.
    """

    style: GaussianPosterior
    content: GaussianPosterior
    groups: Groups
    draw: str = "group"
    eps_std: float = 1.0

    @property
    def mean(self) -> Tensor:
        return torch.cat((self.style.mean, self.content.mean[self.groups.member_of]), 1)

    @property
    def logvar(self) -> Tensor:
        return torch.cat((self.style.logvar, self.content.logvar[self.groups.member_of]), 1)

    @property
    def units(self) -> int:
        return self.groups.total

    def rsample(self) -> Tensor:
        """A draw of all styles, then of the contents, that gradients pass through, shape (B, S + C)."""
        return torch.cat((self.style.rsample(), self.draw_content()), 1)

    def draw_prior(self) -> Tensor:
        """Returns as many draws of the prior N(0, I), shape (B, S + C); the members of a group share their content."""
        style, content = torch.randn_like(self.style.mean), torch.randn_like(self.content.mean)
        return torch.cat((style, content[self.groups.member_of]), 1)

    def draw_content(self) -> Tensor:
        """The content that each image is decoded with, shape (B, C)."""
        mean, index = self.content.mean, self.groups.member_of
        if self.draw == "mean" or self.eps_std == 0:
            return mean[index]
        sigma = torch.exp(0.5 * self.content.logvar)
        if self.draw == "group":
            return torch.addcmul(mean, sigma, torch.randn_like(mean), value=self.eps_std)[index]
        return torch.addcmul(mean[index], sigma[index], torch.randn_like(mean[index]), value=self.eps_std)

    def kl_terms(self) -> Tensor:
        """KL of each image's style, and its share 1 / |G| of its group's content KL, shape (B, S + C), in nats."""
        content = self.content.kl_terms() / self.groups.sizes[:, None]
        return torch.cat((self.style.kl_terms(), content[self.groups.member_of]), 1)

    def kl(self) -> Tensor:
        """KL of each image's style and its share of the content's, shape (B,), in nats; over a group it sums to one KL."""
        return self.kl_terms().sum(1)
