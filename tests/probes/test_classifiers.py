"""What a probe reads: known accuracies, and that many probes trained as one are as many trained alone."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from splitvae.errors import UserError
from splitvae.models.fusion import FUSIONS, accumulate
from splitvae.models.posteriors import Dirac, Gaussian
from splitvae.probes.classifiers import Accuracy, Probes, fit_probes
from splitvae.probes.codes import (
    LabelledCodes,
    fuse_label_groups,
    majority_accuracy,
    mean_and_sample_codes,
    member_counts,
    rows_of_other_label,
)

CPU = torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blobs(rows: int, distance: float, seed: int = 0, classes: int = 4, dim: int = 4) -> LabelledCodes:
    """Normal codes, those of class c moved along axis c."""
    labels = torch.arange(rows) % classes
    return LabelledCodes(
        torch.randn(rows, dim, generator=generator(seed)) + distance * torch.eye(classes, dim)[labels], labels
    )


def fit(train: list[LabelledCodes], test: list[LabelledCodes], iterations: int = 60, seed: int = 0) -> list[Accuracy]:
    return fit_probes(train, test, iterations, seed, CPU)


# ---------------------------------------------------------------- many probes as one


def test_probes_trained_as_one_are_networks_trained_apart() -> None:
    together = Probes(3, 5, 4)
    apart = [
        nn.Sequential(
            *(nn.Linear(5, 256), nn.BatchNorm1d(256), nn.LeakyReLU(0.2)),
            *(nn.Linear(256, 256), nn.BatchNorm1d(256), nn.LeakyReLU(0.2), nn.Linear(256, 4)),
        )
        for _ in range(3)
    ]
    for q, network in enumerate(apart):
        network.load_state_dict(together.network(q).state_dict())
    together.double()
    optimizers = [torch.optim.Adam(m.parameters(), lr=1e-3) for m in (together, *(network.double() for network in apart))]
    for step in range(12):
        z = torch.randn(3, 5, 32, dtype=torch.float64, generator=generator(step))
        answers = torch.randint(4, (3, 32), generator=generator(step))
        losses = [F.cross_entropy(network(z[q].mT), answers[q]) for q, network in enumerate(apart)]
        losses.insert(0, F.cross_entropy(together(z), answers, reduction="sum") / 32)
        assert torch.allclose(losses[0], sum(losses[1:], torch.zeros(())), rtol=1e-9)
        for optimizer, loss in zip(optimizers, losses, strict=True):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    z = torch.randn(40, 5, dtype=torch.float64, generator=generator(99))
    for q, network in enumerate(apart):  # with running statistics
        assert torch.allclose(together.network(q).double()(z), network.eval()(z), atol=1e-5)  # network(q) is float32


def test_a_probe_does_not_depend_on_its_companions_or_their_order() -> None:
    sets = [blobs(300, 2.0, 1), blobs(1000, 1.0, 2), blobs(77, 3.0, 3)]
    sets[1] = sets[1]._replace(noise=torch.full_like(sets[1].codes, 0.3))
    tests = [blobs(2000, d, 10 + i) for i, d in enumerate((2.0, 1.0, 3.0))]
    together, turned = fit(sets, tests), fit(sets[::-1], tests[::-1])[::-1]
    for q in range(3):
        (alone,) = fit(sets[q : q + 1], tests[q : q + 1])
        assert together[q].test == pytest.approx(alone.test, abs=0.005)  # rounding turns a few of 2000 rows
        assert turned[q].test == pytest.approx(alone.test, abs=0.005)


def test_equal_seeds_give_equal_results_and_leave_the_random_state_alone() -> None:
    train, test = [blobs(200, 1.0)], [blobs(500, 1.0, 1)]
    state = torch.get_rng_state()
    first = fit(train, test)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(5)
    assert fit(train, test) == first
    assert fit(train, test, seed=1) != first
    with torch.no_grad():
        assert fit(train, test) == first


# ---------------------------------------------------------------- known accuracies


def test_separable_codes_and_labels_themselves_are_read_fully_and_noise_is_not() -> None:
    labels = torch.arange(2000) % 4
    separable, noise = blobs(2000, 20.0), LabelledCodes(torch.randn(2000, 4, generator=generator()), labels)
    itself = LabelledCodes(torch.eye(4)[labels], labels)
    tests = [blobs(2000, 20.0, 1), noise._replace(codes=torch.randn(2000, 4, generator=generator(1))), itself]
    one, two, three = fit([separable, noise, itself], tests, 150)
    assert one == Accuracy(1.0, 1.0, 0.0)
    assert three.test == 1
    assert two.test == pytest.approx(0.25, abs=4 * two.error)
    assert two.error == pytest.approx(math.sqrt(two.test * (1 - two.test) / 2000))


def test_noise_costs_what_it_costs_the_best_classifier() -> None:
    labels = torch.arange(4000) % 2
    codes = 2.0 * labels[:, None] - 1
    deviations = (0.5, 1.0, 2.0)
    sets = [LabelledCodes(codes, labels, torch.full_like(codes, s)) for s in deviations]
    for s, found in zip(deviations, fit(sets, sets, 150), strict=True):
        best = 0.5 * (1 + math.erf(1 / s / math.sqrt(2)))  # P(noise < distance to the middle)
        assert found.test == pytest.approx(best, abs=0.02)  # three standard errors of .007
        assert found.train == pytest.approx(found.test, abs=1e-9)  # the same rows and draws


def test_accuracies_do_not_depend_on_the_order_or_company_of_rows() -> None:
    train, test = blobs(500, 1.5), blobs(1000, 1.5, 1)
    order = torch.randperm(1000, generator=generator())
    turned = LabelledCodes(test.codes[order], test.labels[order])
    parts = [LabelledCodes(test.codes[test.labels == c], test.labels[test.labels == c]) for c in range(4)]
    whole, other, *found = fit([train] * 6, [test, turned, *parts])
    assert whole.test == other.test
    assert sum(f.test for f in found) / 4 == pytest.approx(whole.test, abs=1e-9)  # batch statistics would tell


def test_labels_are_any_integers_and_those_never_learned_are_never_told() -> None:
    names = torch.tensor([-7, 0, 3, 10**12])
    train, test = blobs(400, 20.0), blobs(400, 20.0, 1)
    renamed = [part._replace(labels=names[part.labels]) for part in (train, test)]
    assert fit(renamed[:1], renamed[1:])[0].test == 1
    unknown = renamed[1]._replace(labels=torch.full((400,), 5))
    assert fit(renamed[:1], [unknown]) == [Accuracy(1.0, 0.0, 0.0)]


def test_the_standard_error_counts_independent_rows_alone() -> None:
    train, test = blobs(300, 1.0), blobs(400, 1.0, 1)
    plain, fewer = fit([train, train], [test, test._replace(independent=100)])
    assert fewer.test == plain.test
    assert fewer.error == pytest.approx(2 * plain.error)


def test_the_majority_is_the_most_frequent_training_label() -> None:
    assert majority_accuracy(torch.tensor([3, 3, 1]), torch.tensor([1, 1, 3, 1])) == 0.25


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"codes": torch.full((8, 4), math.nan)}, "NaN"),
        ({"noise": torch.full((8, 4), math.inf)}, "NaN or infinite"),
        ({"labels": torch.arange(7)}, "do not match labels"),
        ({"codes": torch.zeros(8, 3)}, "probes apart"),
    ],
)
def test_codes_that_do_not_match_or_are_no_numbers_are_refused(change: dict[str, Tensor], words: str) -> None:
    good = blobs(8, 1.0)
    with pytest.raises(UserError, match=words):
        fit([good], [good._replace(**change)])


def test_no_probe_and_no_iteration_are_refused() -> None:
    good = blobs(8, 1.0)
    with pytest.raises(UserError, match="iterations=0"):
        fit([good], [good], 0)
    with pytest.raises(UserError, match="one of either"):
        fit([good], [])


# ---------------------------------------------------------------- codes to be read


def members(rows: int = 60, dim: int = 3, seed: int = 0) -> Gaussian:
    mean, logvar = torch.randn(2, rows, dim, generator=generator(seed))
    return Gaussian(mean, logvar)


def test_means_have_no_noise_and_samples_the_posteriors_times_its_spread() -> None:
    posterior, labels = members(), torch.arange(60)
    means, samples = mean_and_sample_codes(posterior, labels, 0.1)
    assert means.noise is None
    assert samples.noise is not None
    assert torch.allclose(samples.noise, 0.1 * (posterior.logvar / 2).exp())
    for quiet in (mean_and_sample_codes(Dirac(posterior.mean), labels), mean_and_sample_codes(posterior, labels, 0.0)):
        assert quiet[0].noise is None
        assert quiet[1] is quiet[0]


@pytest.mark.parametrize("mode", FUSIONS)
def test_evidence_is_that_of_groups_of_one_label(mode: str) -> None:
    labels = torch.arange(60) % 4
    posterior = members()
    posterior = Gaussian(labels[:, None] + 0.01 * posterior.mean, torch.zeros(60, 3))  # a code that names its label
    fused, told, independent = fuse_label_groups(posterior, labels, 5, mode, 60)
    assert independent == 12  # 15 images of each label
    assert len(told) == len(fused.mean) == 60  # five divisions of 12
    shrink = 5 / 6 if mode == "poe-prior" else 1.0
    assert torch.allclose(fused.mean, shrink * told[:, None].float().expand(-1, 3), atol=0.05)
    assert len(fused.mean[:, 0].unique()) == 60  # groups are made anew
    assert torch.equal(fuse_label_groups(posterior, labels, 5, mode, 60)[0].mean, fused.mean)
    assert not torch.equal(fuse_label_groups(posterior, labels, 5, mode, 60, seed=1)[0].mean, fused.mean)


def test_groups_of_one_are_the_members_each_once() -> None:
    posterior, labels = members(), torch.arange(60) % 7
    fused, told, independent = fuse_label_groups(posterior, labels, 1)
    assert independent == 60
    order, known = fused.mean[:, 0].argsort(), posterior.mean[:, 0].argsort()
    assert torch.allclose(fused.mean[order], posterior.mean[known])
    assert torch.allclose(fused.logvar[order], posterior.logvar[known], atol=1e-6)
    assert torch.equal(told[order], labels[known])


def test_copies_have_the_variance_divided_by_their_number() -> None:
    posterior = Gaussian(torch.full((32, 2), 0.7), torch.full((32, 2), -1.3))
    fused, _, _ = fuse_label_groups(posterior, torch.zeros(32, dtype=torch.long), 8)
    assert torch.allclose(fused.mean, torch.tensor(0.7))
    assert torch.allclose(fused.logvar, torch.tensor(-1.3 - math.log(8)))


def test_what_is_left_over_of_a_label_is_left_out() -> None:
    labels = torch.tensor([0] * 5 + [1] * 2 + [2] * 3)
    posterior = members(10)
    fused, told, independent = fuse_label_groups(posterior, labels, 3, min_groups=2)
    assert (independent, sorted(told.tolist())) == (2, [0, 2])
    whole, _ = accumulate(posterior.mean[7:], posterior.logvar[7:], labels[7:])
    assert torch.allclose(fused.mean[told == 2], whole.mean.float())  # all three of the last label
    with pytest.raises(UserError, match="smaller groups"):
        fuse_label_groups(posterior, labels, 6)


def test_variances_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(UserError, match="NaN"):
        fuse_label_groups(Gaussian(torch.zeros(4, 1), torch.full((4, 1), math.nan)), torch.zeros(4, dtype=torch.long), 2)


def test_members_are_limited_by_the_rarest_label() -> None:
    many, few = torch.arange(3000) % 10, torch.tensor([0] * 9 + [1] * 40)
    assert member_counts(many) == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert member_counts(many, few) == [1, 2, 4, 8]
    assert member_counts(many, max_count=5) == [1, 2, 4]
    assert member_counts(torch.arange(3)) == [1]


def test_strangers_have_another_label_each_as_often() -> None:
    labels = torch.tensor([4] * 700 + [-1] * 200 + [9] * 100)[torch.randperm(1000, generator=generator())]
    other = rows_of_other_label(labels)
    assert bool((labels[other] != labels).all())
    nine = labels[other][labels == 4] == 9
    assert float(nine.double().mean()) == pytest.approx(1 / 3, abs=0.06)  # 100 of the 300 others; deviation .018
    assert torch.equal(rows_of_other_label(labels), other)
    with pytest.raises(UserError, match="two labels"):
        rows_of_other_label(torch.zeros(5, dtype=torch.long))
