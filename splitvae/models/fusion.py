r"""Fusion: the posteriors of a group's members over the content that they share become one Gaussian for the group.

| mode        | logvar_G                             | mu_G                           | method                            |
| ----------- | ------------------------------------ | ------------------------------ | --------------------------------- |
| `poe`       | -log P,  P = sum_i 1 / var_i         | sum_i (mu_i / var_i) / P       | Multi-Level VAE                   |
| `poe-prior` | -log (P + 1)                         | sum_i (mu_i / var_i) / (P + 1) | MVAE: the product with N(0, 1)    |
| `mean`      | log mean_i var_i                     | mean_i mu_i                    | Group VAE, Ada-GVAE               |
| `harmonic`  | log n - log P                        | as `poe`                       | Ada-ML-VAE's code: n times `poe`  |

Each line holds for every dimension of the content. Everything is computed in log space, by log P = M + log sum_i
exp(-logvar_i - M) with M = max_i -logvar_i, so that results are finite and exact for all sizes of the variances.

References: Multi-Level Variational Autoencoder (Bouchacourt et al., 2018), https://arxiv.org/abs/1705.08841; Group-based
learning of disentangled representations with generalizability for novel contents (Hosoya, 2019),
https://arxiv.org/abs/1809.02383; Weakly-supervised disentanglement without compromises (Locatello et al., 2020),
https://arxiv.org/abs/2002.02886; Multimodal generative models for scalable weakly-supervised learning (Wu, Goodman, 2018),
https://arxiv.org/abs/1802.05335.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import UserError, nearest, setting
from .groups import Groups, as_groups
from .posteriors import GaussianPosterior

__all__ = ["FUSIONS", "EvidenceAccumulator", "check_fusion", "fuse", "fuse_all", "fuse_alone", "subsample_members"]

FUSIONS = ("poe", "poe-prior", "mean", "harmonic")


def check_fusion(mode: str) -> str:
    """Returns the mode; raises UserError if it is unknown."""
    if mode not in FUSIONS:
        raise UserError(f"fusion={mode!r} is unknown; {nearest(mode, FUSIONS)}")
    return mode


def fuse(members: GaussianPosterior, groups: Groups, mode: str = "poe") -> GaussianPosterior:
    """Returns one Gaussian for each group, shape (G, D); no value is read back from the device.

    Arguments:
        members: The Gaussians of the members, shape (B, D).
        groups: The groups of the members.
        mode: One of `FUSIONS`.

    Raises:
        UserError: For an unknown mode.
    """
    counts = groups.sizes.to(members.mean)[:, None]
    if check_fusion(mode) == "mean":
        return _average_gaussians(members, groups, torch.ones_like(members.mean[:, :1]))
    return _apply_mode(_multiply_gaussians(members, groups), counts, mode)


def fuse_alone(members: GaussianPosterior, mode: str = "poe") -> GaussianPosterior:
    """Returns one Gaussian for each member, which is a group of its own, shape (B, D): `fuse` without sums over groups.

    Arguments:
        members: The Gaussians of the members, shape (B, D).
        mode: One of `FUSIONS`.
    """
    return _apply_mode(members, torch.ones_like(members.mean[:, :1]), check_fusion(mode))


def subsample_members(members: GaussianPosterior, groups: Groups, count: int) -> GaussianPosterior:
    """Returns the members with infinite variances, except for `count` of each group.

    A product of Gaussians does not depend on members of infinite variance. The remaining members are drawn at random; of a
    group that has no more than `count`, all remain.

    Arguments:
        members: The Gaussians of the members, shape (B, D).
        groups: The groups of the members.
        count: The number of members of each group that remain as they are.
    """
    order = torch.rand(len(groups.member_of), device=groups.member_of.device).argsort()
    order = order[groups.member_of[order].argsort(stable=True)]  # by group, shuffled within each
    sizes = groups.sizes.long()
    first = (sizes.cumsum(0) - sizes)[groups.member_of[order]]
    left_out = torch.empty_like(order, dtype=torch.bool)
    left_out[order] = torch.arange(len(order), device=order.device) - first >= count
    return GaussianPosterior(members.mean, members.logvar.masked_fill(left_out[:, None], math.inf))


def fuse_all(mean: Tensor, logvar: Tensor, group: Tensor, mode: str = "poe") -> tuple[GaussianPosterior, Tensor]:
    """Fuses the evidence of all images at once, in float64.

    Arguments:
        mean: The means of the members, shape (N, D).
        logvar: The log-variances of the members, shape (N, D).
        group: The group of each member, shape (N,), any integers.
        mode: One of `FUSIONS`.

    Returns:
        One Gaussian for each group, shape (G, D), and the integers of the groups, shape (G,), in ascending order.

    Raises:
        UserError: For an unknown mode, shapes that do not match, and values that are NaN or infinite.
    """
    return EvidenceAccumulator(mode).add(mean, logvar, group).result()


class EvidenceAccumulator:
    """Fuses evidence that is given in batches; the result is that of `fuse_all` for all batches together.

    It computes in float64. The order of the batches changes the result only by rounding.

    Arguments:
        mode: One of `FUSIONS`.

    Raises:
        UserError: For an unknown mode.
    """

    def __init__(self, mode: str = "poe") -> None:
        self.mode = check_fusion(mode)
        self.labels: Tensor | None = None  # the integers of the groups so far, (G,), in ascending order
        self.fused: GaussianPosterior  # their averages in mode "mean", else their products, (G, D)
        self.counts: Tensor  # the number of their members, (G, 1)

    def add(self, mean: Tensor, logvar: Tensor, group: Tensor) -> EvidenceAccumulator:
        """Adds the evidence of a batch and returns the accumulator itself.

        Arguments:
            mean: The means of the members, shape (B, D).
            logvar: The log-variances of the members, shape (B, D).
            group: The group of each member, shape (B,), any integers.

        Raises:
            UserError: For shapes that do not match, and values that are NaN or infinite.
        """
        if mean.shape != logvar.shape or mean.ndim != 2:
            raise UserError(f"means of shape {tuple(mean.shape)} do not match variances of shape {tuple(logvar.shape)}.")
        as_groups(group, len(mean), group.device)  # checks that there is one integer for each image
        if not bool((mean.isfinite() & logvar.isfinite()).all()):
            raise UserError(
                "a mean or log-variance is NaN or infinite: the training of the encoder failed (train it anew with a lower "
                f"{setting('lr')} or with {setting('precision', '32')}), or the codes are damaged."
            )
        rows, counts = GaussianPosterior(mean.double(), logvar.double()), mean.new_ones(len(mean), 1, dtype=torch.float64)
        if self.labels is not None:  # a fused group is one more row, which stands for its members
            group = torch.cat((self.labels, group.long()))
            rows = GaussianPosterior(*(torch.cat(parts) for parts in zip(self.fused, rows, strict=True)))
            counts = torch.cat((self.counts, counts))
        self.labels, index = group.long().unique(return_inverse=True)
        groups = Groups(index, len(self.labels))
        self.fused = _average_gaussians(rows, groups, counts) if self.mode == "mean" else _multiply_gaussians(rows, groups)
        self.counts = _sum_by_group(counts, groups)
        return self

    def result(self) -> tuple[GaussianPosterior, Tensor]:
        """Returns one Gaussian for each group, shape (G, D), in float64, and the groups' integers (G,), ascending.

        Raises:
            UserError: If nothing was added.
        """
        if self.labels is None:
            raise UserError("no evidence was added; call add(mean, logvar, group) before result().")
        return self.fused if self.mode == "mean" else _apply_mode(self.fused, self.counts, self.mode), self.labels


def _multiply_gaussians(members: GaussianPosterior, groups: Groups) -> GaussianPosterior:
    """Returns the normalised product of the members' Gaussians, shape (G, D)."""
    precision = -members.logvar
    shift, weight, total = _exponentials_by_group(precision, groups)
    mean = _sum_by_group(weight * members.mean, groups) / total
    return GaussianPosterior(mean, -(shift + total.log()))


def _average_gaussians(members: GaussianPosterior, groups: Groups, counts: Tensor) -> GaussianPosterior:
    """Returns the means of the members' means and of their variances, shape (G, D).

    Arguments:
        members: The Gaussians of the members, shape (B, D).
        groups: The groups of the members.
        counts: The weight of each member, shape (B, 1).
    """
    total = _sum_by_group(counts, groups)
    shift, _, sums = _exponentials_by_group(members.logvar + counts.log(), groups)
    return GaussianPosterior(_sum_by_group(counts * members.mean, groups) / total, shift + sums.log() - total.log())


def _apply_mode(product: GaussianPosterior, counts: Tensor, mode: str) -> GaussianPosterior:
    """Returns the Gaussian of a mode other than "mean".

    Arguments:
        product: The products of the members' Gaussians, shape (G, D).
        counts: The number of members of each group, shape (G, 1).
        mode: The mode.
    """
    if mode == "harmonic":
        return GaussianPosterior(product.mean, product.logvar + counts.log())
    if mode == "poe-prior":
        precision = torch.logaddexp(-product.logvar, torch.zeros_like(product.logvar))
        return GaussianPosterior(product.mean * (-product.logvar - precision).exp(), -precision)
    return product


def _exponentials_by_group(logs: Tensor, groups: Groups) -> tuple[Tensor, Tensor, Tensor]:
    """Returns M, exp(logs - M) and their sums, with M the maximum of a group: shapes (G, D), (B, D) and (G, D)."""
    index = groups.member_of[:, None].expand_as(logs)
    shift = logs.detach().new_full((groups.total, logs.shape[1]), -math.inf)
    shift = shift.scatter_reduce(0, index, logs.detach(), "amax")
    weight = (logs - shift[groups.member_of]).exp()
    return shift, weight, _sum_by_group(weight, groups)


def _sum_by_group(rows: Tensor, groups: Groups) -> Tensor:
    """Returns the sum of the rows of each group, (B, D) -> (G, D)."""
    return rows.new_zeros(groups.total, rows.shape[1]).index_add(0, groups.member_of, rows)
