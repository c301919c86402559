"""TODO docstring of probes.codes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import UserError
from ..models.fusion import accumulate
from ..models.posteriors import Dirac, Gaussian

__all__ = [
    "LabelledCodes",
    "fuse_label_groups",
    "majority_accuracy",
    "mean_and_sample_codes",
    "member_counts",
    "rows_of_other_label",
]


class LabelledCodes(NamedTuple):
    """Codes (N, D) with the labels (N,), any integers, that a probe is to tell from them.

    noise: the standard deviation of each code, (N, D); None where codes are what they are.
    independent: rows that count for the standard error, where groups were made several times of the same images; 0: all.
    """

    codes: Tensor
    labels: Tensor
    noise: Tensor | None = None
    independent: int = 0


# ---------------------------------------------------------------- codes to be read


def mean_and_sample_codes(
    posterior: Gaussian | Dirac, labels: Tensor, spread: float = 1.0, independent: int = 0
) -> tuple[LabelledCodes, LabelledCodes]:
    """Means of a posterior, and samples mean + sigma eps with eps ~ N(0, spread^2); without noise both are the means."""
    means = LabelledCodes(posterior.mean.float(), labels, None, independent)
    if posterior.logvar is None or spread == 0:
        return means, means
    return means, means._replace(noise=(spread * torch.exp(0.5 * posterior.logvar)).float())


def member_counts(*labels: Tensor, most: int = 256) -> list[int]:
    """1, 2, 4, ..., up to `most` and to the images of the rarest label in each part."""
    fewest = min(int(part.unique(return_counts=True)[1].min()) for part in labels)
    return [2**i for i in range(most.bit_length()) if 2**i <= min(most, fewest)]


def fuse_label_groups(
    members: Gaussian, labels: Tensor, count: int, fusion: str = "poe", least: int = 10_000, seed: int = 0
) -> tuple[Gaussian, Tensor, int]:
    """Evidence of groups of exactly `count` images of one label, drawn at random.

    All images are divided into groups (but what is left over of a label), again and again until there are `least`, or as
    many as images. Returns one Gaussian a group, float32 (G, D), the groups' labels (G,), and the number of groups that
    share no image, which alone are independent.

    Arguments:
        members: posteriors of N images by themselves, (N, D). labels: (N,). fusion: of `fusion.FUSIONS`.

    Raises UserError where no label has so many images, or variances are NaN.
    """
    draw = torch.Generator().manual_seed(seed)
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    while sum(len(told) for *_, told in parts) < min(least, len(labels)):
        rows = _divide_into_groups(labels, count, draw)
        if not len(rows):
            raise UserError(f"no label has the {count} images that a group is to have; ask for smaller groups.")
        group = torch.arange(len(rows)).repeat_interleave(count)
        fused, _ = accumulate(members.mean[rows.flatten()], members.logvar[rows.flatten()], group, fusion)
        parts.append((fused.mean.float(), fused.logvar.float(), labels[rows[:, 0]]))
    mean, logvar, told = (torch.cat(columns) for columns in zip(*parts, strict=True))
    return Gaussian(mean, logvar), told, len(parts[0][2])


def _divide_into_groups(labels: Tensor, count: int, draw: torch.Generator) -> Tensor:
    """All rows but those left over, in groups of one label drawn at random, (G, count)."""
    rows = torch.randperm(len(labels), generator=draw)
    rows = rows[labels[rows].sort(stable=True).indices]  # by label, shuffled within each
    sizes = labels.unique(return_counts=True)[1].tolist()
    return torch.cat([part[: len(part) // count * count].view(-1, count) for part in rows.split(sizes)])


def rows_of_other_label(labels: Tensor, seed: int = 0) -> Tensor:
    """For each row one of another label, each of these as probable, (N,); raises UserError where there is one label."""
    order = labels.sort(stable=True).indices
    _, label, sizes = labels.unique(return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise UserError("all images have the same label, so that there is none of another; give at least two labels.")
    even = torch.rand(len(labels), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    beyond = (even * (len(labels) - sizes[label])).long()  # places behind the end of the row's own label
    return order[(sizes.cumsum(0)[label] + beyond) % len(labels)]


def majority_accuracy(train: Tensor, test: Tensor) -> float:
    """The accuracy of always telling the most frequent training label."""
    return float((test == train.mode().values).double().mean())
