"""Posteriors: the distributions of the latent that an encoder returns for a batch of images.

With groups, z = [style, content]: each image has a style of its own, and each group has one content, whose KL counts once.
The KL of an image contains the share 1 / |G| of its group's content, and the sum over images is divided by the number of
groups. So the loss is the mean over groups G of the bound

    sum_{i in G} ( distortion_i + KL(q(s_i | x_i) || N) ) + KL(q(c_G | x_G) || N) .
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from .groups import Groups

__all__ = ["CONTENT_DRAWS", "DiracPosterior", "GaussianPosterior", "GroupedPosterior", "Posterior"]

CONTENT_DRAWS = ("group", "sample", "mean")  # drawn once for each group, anew for each image, or not drawn


class Posterior(Protocol):
    """The protocol of all posteriors."""

    @property
    def mean(self) -> Tensor:
        """The mean of z, shape (B, D)."""

    @property
    def logvar(self) -> Tensor | None:
        """The log-variance of z, shape (B, D); None for a posterior without noise."""

    @property
    def units(self) -> int:
        """The number by which a sum over images is divided: B, or the number of groups where images share a latent."""

    def rsample(self) -> Tensor:
        """Returns a draw of z that gradients pass through, shape (B, D)."""

    def draw_prior(self) -> Tensor:
        """Returns as many draws of the prior N(0, I), shape (B, D)."""

    def kl_terms(self) -> Tensor:
        """Returns the KL of each dimension, shape (B, D), in nats."""

    def kl(self) -> Tensor:
        """Returns the KL, summed over dimensions, shape (B,), in nats."""


class GaussianPosterior(NamedTuple):
    """The diagonal Gaussian N(mean, exp(logvar)).

    Arguments:
        mean: The means, shape (B, D).
        logvar: The logarithms of the variances, shape (B, D).
    """

    mean: Tensor
    logvar: Tensor

    @property
    def units(self) -> int:
        """The number B of images."""
        return len(self.mean)

    def rsample(self) -> Tensor:
        """Returns z = mean + exp(logvar / 2) eps with eps ~ N(0, I), through which gradients pass, shape (B, D)."""
        return torch.addcmul(self.mean, torch.exp(0.5 * self.logvar), torch.randn_like(self.mean))

    def draw_prior(self) -> Tensor:
        """Returns as many draws of the prior N(0, I), shape (B, D)."""
        return torch.randn_like(self.mean)

    def kl_terms(self) -> Tensor:
        """Returns KL(q || N(0, 1)) = (mean^2 + exp(logvar) - logvar - 1) / 2 of each dimension, shape (B, D), in nats."""
        return 0.5 * (self.mean.square() + self.logvar.exp() - self.logvar - 1)

    def kl(self) -> Tensor:
        """Returns KL(q || N(0, I)), summed over dimensions, shape (B,), in nats."""
        return self.kl_terms().sum(1)


class DiracPosterior(NamedTuple):
    """A code without noise; in place of a KL it has -log N(z; 0, I) without its constant.

    Arguments:
        mean: The codes, shape (B, D).
    """

    mean: Tensor

    @property
    def logvar(self) -> None:
        """None, since the code has no noise."""
        return None

    @property
    def units(self) -> int:
        """The number B of images."""
        return len(self.mean)

    def rsample(self) -> Tensor:
        """Returns the code itself."""
        return self.mean

    def draw_prior(self) -> Tensor:
        """Returns as many draws of the prior N(0, I), shape (B, D)."""
        return torch.randn_like(self.mean)

    def kl_terms(self) -> Tensor:
        """Returns z^2 / 2 of each dimension, shape (B, D)."""
        return 0.5 * self.mean.square()

    def kl(self) -> Tensor:
        """Returns ||z||^2 / 2, shape (B,)."""
        return self.kl_terms().sum(1)


class GroupedPosterior(NamedTuple):
    """A style for each image and a content for each group; z = [style, content] has shape (B, S + C).

    Arguments:
        style: The posteriors of the styles, shape (B, S).
        content: The posteriors of the groups' contents, fused from their members' evidence, shape (G, C).
        groups: The groups of the images.
        draw: Whether the content is drawn once for each "group", anew for each image ("sample"), or is the "mean".
        eps_std: The standard deviation of eps in content = mean + sigma eps; at 1 it is drawn from the posterior.
    """

    style: GaussianPosterior
    content: GaussianPosterior
    groups: Groups
    draw: str = "group"
    eps_std: float = 1.0

    @property
    def mean(self) -> Tensor:
        """The mean of z, shape (B, S + C); the members of a group have the same mean of the content."""
        return torch.cat((self.style.mean, self.content.mean[self.groups.member_of]), 1)

    @property
    def logvar(self) -> Tensor:
        """The log-variance of z, shape (B, S + C)."""
        return torch.cat((self.style.logvar, self.content.logvar[self.groups.member_of]), 1)

    @property
    def units(self) -> int:
        """The number of groups."""
        return self.groups.total

    def rsample(self) -> Tensor:
        """Returns a draw of all styles and contents that gradients pass through, shape (B, S + C)."""
        return torch.cat((self.style.rsample(), self.draw_content()), 1)

    def draw_prior(self) -> Tensor:
        """Returns as many draws of the prior N(0, I), shape (B, S + C); the members of a group share their content."""
        style, content = torch.randn_like(self.style.mean), torch.randn_like(self.content.mean)
        return torch.cat((style, content[self.groups.member_of]), 1)

    def draw_content(self) -> Tensor:
        """Returns the content with which each image is decoded, shape (B, C)."""
        mean, index = self.content.mean, self.groups.member_of
        if self.draw == "mean" or self.eps_std == 0:
            return mean[index]
        sigma = torch.exp(0.5 * self.content.logvar)
        if self.draw == "group":
            return torch.addcmul(mean, sigma, torch.randn_like(mean), value=self.eps_std)[index]
        return torch.addcmul(mean[index], sigma[index], torch.randn_like(mean[index]), value=self.eps_std)

    def kl_terms(self) -> Tensor:
        """Returns the KL of the style and the share 1 / |G| of the KL of the content, shape (B, S + C), in nats."""
        content = self.content.kl_terms() / self.groups.sizes[:, None]
        return torch.cat((self.style.kl_terms(), content[self.groups.member_of]), 1)

    def kl(self) -> Tensor:
        """Returns the sums of `kl_terms`, shape (B,), in nats; summed over a group, the KL of its content counts once."""
        return self.kl_terms().sum(1)
