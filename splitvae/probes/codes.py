"""Codes with labels: what probes are trained and tested on, of single images or of groups of images of one label."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import UserError
from ..models.fusion import fuse_all
from ..models.posteriors import DiracPosterior, GaussianPosterior

__all__ = [
    "LabelledCodes",
    "fuse_label_groups",
    "majority_accuracy",
    "mean_and_sample_codes",
    "member_counts",
    "rows_of_other_label",
]


class LabelledCodes(NamedTuple):
    """Codes with the labels that a probe predicts from them.

    Arguments:
        codes: The codes, (N, D).
        labels: The labels, any integers, (N,).
        noise: The standard deviation of each code, (N, D); None for codes without noise.
        independent: The number of rows that share no image, for the standard error; 0 if no rows share an image.
    """

    codes: Tensor
    labels: Tensor
    noise: Tensor | None = None
    independent: int = 0


def mean_and_sample_codes(
    posterior: GaussianPosterior | DiracPosterior, labels: Tensor, noise_scale: float = 1.0, independent: int = 0
) -> tuple[LabelledCodes, LabelledCodes]:
    """Returns posterior means, and codes mean + sigma eps with eps ~ N(0, noise_scale^2); both are means without noise.

    Arguments:
        posterior: The posterior of N images or groups.
        labels: Their labels, (N,).
        noise_scale: The standard deviation of eps.
        independent: The number of rows that share no image; 0 if no rows share an image.
    """
    means = LabelledCodes(posterior.mean.float(), labels, None, independent)
    if posterior.logvar is None or noise_scale == 0:
        return means, means
    return means, means._replace(noise=(noise_scale * torch.exp(0.5 * posterior.logvar)).float())


def member_counts(*labels: Tensor, max_count: int = 256) -> list[int]:
    """Returns 1, 2, 4, ..., up to `max_count` and to the number of images of the rarest label in each part."""
    rarest = min(int(part.unique(return_counts=True)[1].min()) for part in labels)
    return [2**i for i in range(max_count.bit_length()) if 2**i <= min(max_count, rarest)]


def fuse_label_groups(
    members: GaussianPosterior, labels: Tensor, count: int, fusion: str = "poe", min_groups: int = 10_000, seed: int = 0
) -> tuple[GaussianPosterior, Tensor, int]:
    """Fuses the evidence of groups of exactly `count` images of one label, drawn at random.

    All images are divided into groups, except for those that remain of a label. This is repeated until there are
    `min_groups` groups, or as many groups as images.

    Arguments:
        members: The posteriors of N single images, (N, D).
        labels: Their labels, (N,).
        count: The number of images in a group.
        fusion: One of `models.fusion.FUSIONS`.
        min_groups: The number of groups after which the division is not repeated.
        seed: The seed of the groups.

    Returns:
        One Gaussian per group, float32, (G, D); the labels of the groups, (G,); and the number of groups that share no
        image, which are the independent ones.

    Raises:
        UserError: If no label has `count` images, or if a variance is NaN.
    """
    generator = torch.Generator().manual_seed(seed)
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    while sum(len(group_labels) for *_, group_labels in parts) < min(min_groups, len(labels)):
        rows = _divide_into_groups(labels, count, generator)
        if not len(rows):
            raise UserError(f"no label has the {count} images that a group is to have; ask for smaller groups.")
        group = torch.arange(len(rows)).repeat_interleave(count)
        fused, _ = fuse_all(members.mean[rows.flatten()], members.logvar[rows.flatten()], group, fusion)
        parts.append((fused.mean.float(), fused.logvar.float(), labels[rows[:, 0]]))
    mean, logvar, group_labels = (torch.cat(columns) for columns in zip(*parts, strict=True))
    return GaussianPosterior(mean, logvar), group_labels, len(parts[0][2])


def _divide_into_groups(labels: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Returns the rows of random groups of one label, (G, count); rows that fill no group are left out."""
    rows = torch.randperm(len(labels), generator=generator)
    rows = rows[labels[rows].sort(stable=True).indices]  # by label, shuffled within each
    sizes = labels.unique(return_counts=True)[1].tolist()
    return torch.cat([part[: len(part) // count * count].view(-1, count) for part in rows.split(sizes)])


def rows_of_other_label(labels: Tensor, seed: int = 0) -> Tensor:
    """Draws for each row a row of another label, each of them as probable as the others, (N,).

    Raises:
        UserError: If all labels are the same.
    """
    order = labels.sort(stable=True).indices
    _, label, sizes = labels.unique(return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise UserError("all images have the same label, so that there is none of another; give at least two labels.")
    uniform = torch.rand(len(labels), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    offset = (uniform * (len(labels) - sizes[label])).long()  # from the end of the row's own label, around the end
    return order[(sizes.cumsum(0)[label] + offset) % len(labels)]


def majority_accuracy(train: Tensor, test: Tensor) -> float:
    """Returns the accuracy of always predicting the most frequent training label."""
    return float((test == train.mode().values).double().mean())
