"""Codes of single images and of groups, and rows of other labels."""

from __future__ import annotations

import math

import pytest
import torch

from splitvae.errors import UserError
from splitvae.models.fusion import FUSIONS, fuse_all
from splitvae.models.posteriors import DiracPosterior, GaussianPosterior
from splitvae.probes.codes import (
    fuse_label_groups,
    majority_accuracy,
    mean_and_sample_codes,
    member_counts,
    rows_of_other_label,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def members(rows: int = 60, dim: int = 3, seed: int = 0) -> GaussianPosterior:
    mean, logvar = torch.randn(2, rows, dim, generator=generator(seed))
    return GaussianPosterior(mean, logvar)


def test_means_have_no_noise_and_samples_have_that_of_the_posterior_times_its_scale() -> None:
    posterior, labels = members(), torch.arange(60)
    means, samples = mean_and_sample_codes(posterior, labels, 0.1)
    assert means.noise is None
    assert samples.noise is not None
    assert torch.allclose(samples.noise, 0.1 * (posterior.logvar / 2).exp())
    for quiet in (
        mean_and_sample_codes(DiracPosterior(posterior.mean), labels),
        mean_and_sample_codes(posterior, labels, 0.0),
    ):
        assert quiet[0].noise is None
        assert quiet[1] is quiet[0]


@pytest.mark.parametrize("mode", FUSIONS)
def test_evidence_is_fused_over_groups_of_one_label(mode: str) -> None:
    labels = torch.arange(60) % 4
    posterior = members()
    posterior = GaussianPosterior(
        labels[:, None] + 0.01 * posterior.mean, torch.zeros(60, 3)
    )  # a code that names its label
    fused, group_labels, independent = fuse_label_groups(posterior, labels, 5, mode, 60)
    assert independent == 12  # 15 images of each label
    assert len(group_labels) == len(fused.mean) == 60  # five divisions of 12
    shrink = 5 / 6 if mode == "poe-prior" else 1.0
    assert torch.allclose(fused.mean, shrink * group_labels[:, None].float().expand(-1, 3), atol=0.05)
    assert len(fused.mean[:, 0].unique()) == 60  # each division gives other groups
    assert torch.equal(fuse_label_groups(posterior, labels, 5, mode, 60)[0].mean, fused.mean)
    assert not torch.equal(fuse_label_groups(posterior, labels, 5, mode, 60, seed=1)[0].mean, fused.mean)


def test_groups_of_one_image_are_all_images_once() -> None:
    posterior, labels = members(), torch.arange(60) % 7
    fused, group_labels, independent = fuse_label_groups(posterior, labels, 1)
    assert independent == 60
    order, expected = fused.mean[:, 0].argsort(), posterior.mean[:, 0].argsort()
    assert torch.allclose(fused.mean[order], posterior.mean[expected])
    assert torch.allclose(fused.logvar[order], posterior.logvar[expected], atol=1e-6)
    assert torch.equal(group_labels[order], labels[expected])


def test_the_variance_of_fused_copies_is_divided_by_their_number() -> None:
    posterior = GaussianPosterior(torch.full((32, 2), 0.7), torch.full((32, 2), -1.3))
    fused, _, _ = fuse_label_groups(posterior, torch.zeros(32, dtype=torch.long), 8)
    assert torch.allclose(fused.mean, torch.tensor(0.7))
    assert torch.allclose(fused.logvar, torch.tensor(-1.3 - math.log(8)))


def test_images_that_fill_no_group_are_left_out() -> None:
    labels = torch.tensor([0] * 5 + [1] * 2 + [2] * 3)
    posterior = members(10)
    fused, group_labels, independent = fuse_label_groups(posterior, labels, 3, min_groups=2)
    assert (independent, sorted(group_labels.tolist())) == (2, [0, 2])
    whole, _ = fuse_all(posterior.mean[7:], posterior.logvar[7:], labels[7:])
    assert torch.allclose(fused.mean[group_labels == 2], whole.mean.float())  # all three of the last label
    with pytest.raises(UserError, match="smaller groups"):
        fuse_label_groups(posterior, labels, 6)


def test_variances_that_are_nan_are_refused() -> None:
    with pytest.raises(UserError, match="NaN"):
        fuse_label_groups(
            GaussianPosterior(torch.zeros(4, 1), torch.full((4, 1), math.nan)), torch.zeros(4, dtype=torch.long), 2
        )


def test_the_number_of_members_is_limited_by_the_rarest_label() -> None:
    many, few = torch.arange(3000) % 10, torch.tensor([0] * 9 + [1] * 40)
    assert member_counts(many) == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert member_counts(many, few) == [1, 2, 4, 8]
    assert member_counts(many, max_count=5) == [1, 2, 4]
    assert member_counts(torch.arange(3)) == [1]


def test_rows_of_another_label_are_drawn_uniformly() -> None:
    labels = torch.tensor([4] * 700 + [-1] * 200 + [9] * 100)[torch.randperm(1000, generator=generator())]
    other = rows_of_other_label(labels)
    assert bool((labels[other] != labels).all())
    nine = labels[other][labels == 4] == 9
    assert float(nine.double().mean()) == pytest.approx(1 / 3, abs=0.06)  # 100 of the 300 others; deviation 0.018
    assert torch.equal(rows_of_other_label(labels), other)
    with pytest.raises(UserError, match="two labels"):
        rows_of_other_label(torch.zeros(5, dtype=torch.long))


def test_the_majority_predicts_the_most_frequent_training_label() -> None:
    assert majority_accuracy(torch.tensor([3, 3, 1]), torch.tensor([1, 1, 3, 1])) == 0.25
