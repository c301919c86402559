r"""Fusion: what the members of a group know of the content they share, as one Gaussian a group and dimension.

| mode        | logvar_G                             | mu_G                      | of                                    |
| ----------- | ------------------------------------ | ------------------------- | ------------------------------------- |
| `poe`       | -log P,  P = sum_i 1 / var_i         | sum_i (mu_i / var_i) / P  | the Multi-Level VAE                   |
| `poe-prior` | -log (P + 1)                         | sum_i (mu_i / var_i) / (P + 1) | the product with N(0, 1), MVAE   |
| `mean`      | log mean_i var_i                     | mean_i mu_i               | the Group VAE, Ada-GVAE               |
| `harmonic`  | log n - log P                        | as `poe`                  | Ada-ML-VAE's code: n times `poe`      |

Everything is computed in log space, log P = M + log sum_i exp(-logvar_i - M) with M = max_i -logvar_i, and is finite and
exact however large or small the variances are.

References: Multi-Level Variational Autoencoder (Bouchacourt et al., 2018); Group-based learning of disentangled
representations (Hosoya, 2019); Weakly-supervised disentanglement without compromises (Locatello et al., 2020); Multimodal
generative models for scalable weakly-supervised learning (Wu, Goodman, 2018).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import UserError, nearest
from .groups import Groups, as_groups
from .posteriors import GaussianPosterior

__all__ = ["FUSIONS", "EvidenceAccumulator", "check_fusion", "fuse", "fuse_all", "subsample_members"]


FUSIONS = ("poe", "poe-prior", "mean", "harmonic")


def check_fusion(mode: str) -> str:
    """The mode, if it is one; raises UserError naming the nearest."""
    if mode not in FUSIONS:
        raise UserError(f"fusion={mode!r} is unknown; {nearest(mode, FUSIONS)}")
    return mode


def fuse(members: GaussianPosterior, groups: Groups, mode: str = "poe") -> GaussianPosterior:
    """The members' Gaussians (B, D) as one a group, (groups.total, D); reads nothing back from the device."""
    counts = groups.sizes.to(members.mean)[:, None]
    if check_fusion(mode) == "mean":
        return _average(members, groups, torch.ones_like(members.mean[:, :1]))
    return _apply_mode(_product(members, groups), counts, mode)


def subsample_members(members: GaussianPosterior, groups: Groups, count: int) -> GaussianPosterior:
    """The members (B, D) with all but `count` of each group, drawn at random, knowing nothing: infinite variances."""
    order = torch.rand(len(groups.member_of), device=groups.member_of.device).argsort()
    order = order[groups.member_of[order].argsort(stable=True)]  # by group, shuffled within each
    sizes = groups.sizes.long()
    first = (sizes.cumsum(0) - sizes)[groups.member_of[order]]
    left_out = torch.empty_like(order, dtype=torch.bool)
    left_out[order] = torch.arange(len(order), device=order.device) - first >= count
    return GaussianPosterior(members.mean, members.logvar.masked_fill(left_out[:, None], math.inf))


def _product(members: GaussianPosterior, groups: Groups) -> GaussianPosterior:
    """The product of the members' Gaussians."""
    precision = -members.logvar
    shift, weight, total = _weights(precision, groups)
    mean = _sums(weight * members.mean, groups) / total
    return GaussianPosterior(mean, -(shift + total.log()))


def _average(members: GaussianPosterior, groups: Groups, counts: Tensor) -> GaussianPosterior:
    """Means of means and of variances, where each member stands for so many, counts (B, 1)."""
    total = _sums(counts, groups)
    shift, _, sums = _weights(members.logvar + counts.log(), groups)
    return GaussianPosterior(_sums(counts * members.mean, groups) / total, shift + sums.log() - total.log())


def _weights(logs: Tensor, groups: Groups) -> tuple[Tensor, Tensor, Tensor]:
    """M, exp(logs - M) and its sums: the maximum of each group, (G, D), (B, D), (G, D)."""
    index = groups.member_of[:, None].expand_as(logs)
    shift = logs.detach().new_full((groups.total, logs.shape[1]), -math.inf)
    shift = shift.scatter_reduce(0, index, logs.detach(), "amax")
    weight = (logs - shift[groups.member_of]).exp()
    return shift, weight, _sums(weight, groups)


def _sums(rows: Tensor, groups: Groups) -> Tensor:
    return rows.new_zeros(groups.total, rows.shape[1]).index_add(0, groups.member_of, rows)


def _apply_mode(product: GaussianPosterior, counts: Tensor, mode: str) -> GaussianPosterior:
    """A product of Gaussians as a mode has it; counts (G, 1) of their members."""
    if mode == "harmonic":
        return GaussianPosterior(product.mean, product.logvar + counts.log())
    if mode == "poe-prior":
        precision = torch.logaddexp(-product.logvar, torch.zeros_like(product.logvar))
        return GaussianPosterior(product.mean * (-product.logvar - precision).exp(), -precision)
    return product


def fuse_all(mean: Tensor, logvar: Tensor, group: Tensor, mode: str = "poe") -> tuple[GaussianPosterior, Tensor]:
    """Evidence of all images at once: one Gaussian a group, (G, D), and the groups' integers (G,), ascending.

    Arguments:
        mean, logvar: of the members, (N, D). group: (N,), any integers. mode: of `FUSIONS`.

    Raises:
        UserError: where shapes differ, or a mean or variance is no number.
    """
    return EvidenceAccumulator(mode).add(mean, logvar, group).result()


class EvidenceAccumulator:
    """Evidence that comes in batches, for sets that do not fit one: what `accumulate` gives of all of it together.

    It is kept in float64; the order of batches does not matter but for rounding.
    """

    def __init__(self, mode: str = "poe") -> None:
        self.mode = check_fusion(mode)
        self.known: tuple[Tensor, GaussianPosterior, Tensor] | None = None  # groups (G,), statistics (G, D), counts (G, 1)

    def add(self, mean: Tensor, logvar: Tensor, group: Tensor) -> EvidenceAccumulator:
        """Takes in members (B, D) of groups (B,); returns itself."""
        if mean.shape != logvar.shape or mean.ndim != 2:
            raise UserError(f"means of shape {tuple(mean.shape)} do not match variances of shape {tuple(logvar.shape)}.")
        as_groups(group, len(mean), group.device)  # which raises where groups are not one integer an image
        if bool((mean.isnan() | logvar.isnan() | logvar.isinf()).any()):
            raise UserError(
                "a mean or log-variance is NaN or infinite: the encoder that gave it is broken (train it anew with a lower "
                "--lr or --precision 32), or the codes are damaged."
            )
        rows, ones = GaussianPosterior(mean.double(), logvar.double()), mean.new_ones(len(mean), 1, dtype=torch.float64)
        if self.known is not None:
            before, known, counts = self.known
            group = torch.cat((before, group.long()))
            rows = GaussianPosterior(torch.cat((known.mean, rows.mean)), torch.cat((known.logvar, rows.logvar)))
            ones = torch.cat((counts, ones))
        names, index = group.long().unique(return_inverse=True)
        groups = Groups(index, len(names))
        merged = _average(rows, groups, ones) if self.mode == "mean" else _product(rows, groups)
        self.known = names, merged, _sums(ones, groups)
        return self

    def result(self) -> tuple[GaussianPosterior, Tensor]:
        """One Gaussian a group, (G, D) in float64, and the groups' integers (G,), ascending."""
        if self.known is None:
            raise UserError("no evidence was given: add images before asking for the result.")
        names, merged, counts = self.known
        return (merged if self.mode == "mean" else _apply_mode(merged, counts, self.mode)), names
