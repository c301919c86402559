"""Fusing what the members of a group know: closed forms, invariances, and extreme variances."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from splitvae.errors import UserError
from splitvae.models.fusion import FUSIONS, EvidenceAccumulator, fuse, fuse_all, subsample_members
from splitvae.models.groups import Groups, as_groups
from splitvae.models.posteriors import GaussianPosterior

LABELS = torch.tensor([7, -2, 7, 7, 40, -2, 7])


@pytest.fixture
def members() -> GaussianPosterior:
    torch.manual_seed(0)
    return GaussianPosterior(torch.randn(7, 3), torch.randn(7, 3))


def groups_of(labels: Tensor = LABELS) -> Groups:
    return as_groups(labels, len(labels), torch.device("cpu"))


def by_hand(members: GaussianPosterior, labels: Tensor, mode: str) -> GaussianPosterior:
    """One group after the other in float64, as the formulas are written."""
    means, variances = [], []
    for label in labels.unique():
        mu, var = members.mean[labels == label].double(), members.logvar[labels == label].double().exp()
        precision = (1 / var).sum(0)
        if mode == "mean":
            means, variances = [*means, mu.mean(0)], [*variances, var.mean(0)]
            continue
        total = precision + (mode == "poe-prior")
        means.append((mu / var).sum(0) / total)
        variances.append((len(mu) if mode == "harmonic" else 1) / total)
    return GaussianPosterior(torch.stack(means), torch.stack(variances).log())


@pytest.mark.parametrize("mode", FUSIONS)
def test_fusion_is_the_formula(members: GaussianPosterior, mode: str) -> None:
    torch.testing.assert_close(fuse(members, groups_of(), mode), by_hand(members, LABELS, mode), check_dtype=False)


@pytest.mark.parametrize("mode", FUSIONS)
def test_evidence_in_batches_gives_the_result_of_all_at_once(members: GaussianPosterior, mode: str) -> None:
    accumulator = EvidenceAccumulator(mode)
    for rows in ([0, 1], [2], [3, 4, 5, 6]):
        accumulator.add(members.mean[rows], members.logvar[rows], LABELS[rows])
    fused, labels = accumulator.result()
    torch.testing.assert_close(fused, by_hand(members, LABELS, mode))
    torch.testing.assert_close(fuse_all(*members, LABELS, mode)[0], fused)
    assert labels.tolist() == [-2, 7, 40]


@pytest.mark.parametrize("mode", ["poe", "mean", "harmonic"])
def test_a_group_of_one_is_its_member(members: GaussianPosterior, mode: str) -> None:
    torch.testing.assert_close(fuse(members, groups_of(torch.arange(7)), mode), members)


@pytest.mark.parametrize("mode", FUSIONS)
def test_neither_order_nor_names_of_groups_matter(members: GaussianPosterior, mode: str) -> None:
    order = torch.randperm(7)
    fused, _ = fuse_all(*members, LABELS, mode)
    shuffled, _ = fuse_all(members.mean[order], members.logvar[order], LABELS[order] * 1000 - 5, mode)
    torch.testing.assert_close(shuffled, fused)


def test_evidence_never_raises_the_variance_and_the_mean_stays_inside(members: GaussianPosterior) -> None:
    fused, index = fuse(members, groups_of()), groups_of().member_of
    for g in range(3):
        assert (fused.logvar[g] <= members.logvar[index == g].amin(0)).all()
        assert (fused.mean[g] >= members.mean[index == g].amin(0) - 1e-6).all()
        assert (fused.mean[g] <= members.mean[index == g].amax(0) + 1e-6).all()
    assert (fused.logvar[1] < members.logvar[index == 1].amin(0)).all()  # of four comparable members, strictly


def test_copies_divide_the_variance_and_keep_the_mean() -> None:
    one = GaussianPosterior(torch.tensor([[0.3, -2.0]]), torch.tensor([[0.5, -1.0]]))
    many = GaussianPosterior(one.mean.repeat(8, 1), one.logvar.repeat(8, 1))
    fused = fuse(many, groups_of(torch.zeros(8, dtype=torch.int64)))
    torch.testing.assert_close(fused, GaussianPosterior(one.mean, one.logvar - torch.log(torch.tensor(8.0))))


@pytest.mark.parametrize("size", [120.0, 300.0])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("mode", FUSIONS)
def test_fusion_is_finite_and_exact_in_float32_at_extreme_variances(mode: str, sign: int, size: float) -> None:
    torch.manual_seed(0)
    extreme = GaussianPosterior(torch.randn(6, 4), sign * size + torch.randn(6, 4))
    labels = torch.tensor([0, 0, 0, 1, 1, 2])
    fused = fuse(extreme, groups_of(labels), mode)
    assert all(part.isfinite().all() for part in fused)
    torch.testing.assert_close(fused, by_hand(extreme, labels, mode), check_dtype=False, rtol=1e-5, atol=1e-5)


def test_a_member_of_huge_variance_changes_nothing(members: GaussianPosterior) -> None:
    two = GaussianPosterior(members.mean[:2], members.logvar[:2])
    with_noise = GaussianPosterior(
        torch.cat((two.mean, torch.full((1, 3), 9.0))), torch.cat((two.logvar, torch.full((1, 3), 80.0)))
    )
    together = torch.zeros(3, dtype=torch.int64)
    assert all(map(torch.equal, fuse(with_noise, groups_of(together)), fuse(two, groups_of(together[:2]))))


@pytest.mark.parametrize("mode", FUSIONS)
def test_gradients_of_fusion_are_right(mode: str) -> None:
    torch.manual_seed(0)
    mean, logvar = (torch.randn(5, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    groups = groups_of(torch.tensor([0, 1, 0, 0, 1]))
    assert torch.autograd.gradcheck(lambda m, v: tuple(fuse(GaussianPosterior(m, v), groups, mode)), (mean, logvar))


def test_fusion_leaves_its_arguments_alone(members: GaussianPosterior) -> None:
    before = GaussianPosterior(members.mean.clone(), members.logvar.clone())
    for mode in FUSIONS:
        fuse_all(*members, LABELS, mode)
        fuse(members, groups_of(), mode)
    assert all(map(torch.equal, members, before))


def test_evidence_that_cannot_be_fused_is_refused(members: GaussianPosterior) -> None:
    broken = members.logvar.clone()
    broken[3, 1] = float("nan")
    with pytest.raises(UserError, match="NaN"):
        fuse_all(members.mean, broken, LABELS)
    with pytest.raises(UserError, match="infinite"):
        fuse_all(members.mean / 0.0, members.logvar, LABELS)
    with pytest.raises(UserError, match=r"5.*7 images"):
        fuse_all(*members, LABELS[:5])
    with pytest.raises(UserError, match="poe"):
        fuse(members, groups_of(), "po")
    with pytest.raises(UserError, match="no evidence"):
        EvidenceAccumulator().result()
    with pytest.raises(UserError, match="do not match"):
        fuse_all(members.mean, members.logvar[:, :2], LABELS)


def test_subsampling_leaves_the_given_number_of_members_drawn_anew(members: GaussianPosterior) -> None:
    groups, counts = groups_of(), torch.zeros(7)
    for _ in range(300):
        remains = subsample_members(members, groups, 2).logvar.isfinite().all(1)
        assert remains.int()[groups.member_of == 1].sum() == 2  # of four
        assert remains[groups.member_of != 1].all()
        counts += remains
    four = counts[groups.member_of == 1]
    assert ((four - 150).abs() < 50).all()
    assert all(map(torch.equal, subsample_members(members, groups, 4), members))


def test_subsampled_evidence_is_that_of_the_remaining_members_with_finite_gradients() -> None:
    mean, logvar = (torch.randn(5, 2, requires_grad=True) for _ in range(2))
    few = subsample_members(GaussianPosterior(mean, logvar), groups_of(torch.zeros(5, dtype=torch.int64)), 3)
    remains = few.logvar.isfinite().all(1)
    fused = fuse(few, groups_of(torch.zeros(5, dtype=torch.int64)))
    expected = fuse(GaussianPosterior(mean[remains], logvar[remains]), groups_of(torch.zeros(3, dtype=torch.int64)))
    torch.testing.assert_close(fused, expected)
    (fused.mean.sum() + fused.logvar.sum()).backward()
    for part in (mean, logvar):
        assert part.grad is not None
        assert part.grad.isfinite().all()
        assert not part.grad[~remains].any()
