"""Probes: accuracies that are known, and that probes trained as one network equal probes trained separately."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from splitvae.errors import UserError
from splitvae.probes.classifiers import Accuracy, Probes, fit_probes, standard_error
from splitvae.probes.codes import (
    LabelledCodes,
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


# ---------------------------------------------------------------- one network


def test_probes_trained_as_one_network_equal_networks_trained_separately() -> None:
    together = Probes(3, 5, 4)
    separate = [
        nn.Sequential(
            *(nn.Linear(5, 256), nn.BatchNorm1d(256), nn.LeakyReLU(0.2)),
            *(nn.Linear(256, 256), nn.BatchNorm1d(256), nn.LeakyReLU(0.2), nn.Linear(256, 4)),
        )
        for _ in range(3)
    ]
    for q, network in enumerate(separate):
        network.load_state_dict(together.network(q).state_dict())
    together.double()
    optimizers = [
        torch.optim.Adam(m.parameters(), lr=1e-3) for m in (together, *(network.double() for network in separate))
    ]
    for step in range(12):
        z = torch.randn(3, 5, 32, dtype=torch.float64, generator=generator(step))
        targets = torch.randint(4, (3, 32), generator=generator(step))
        losses = [F.cross_entropy(network(z[q].mT), targets[q]) for q, network in enumerate(separate)]
        losses.insert(0, F.cross_entropy(together(z), targets, reduction="sum") / 32)
        assert torch.allclose(losses[0], sum(losses[1:], torch.zeros(())), rtol=1e-9)
        for optimizer, loss in zip(optimizers, losses, strict=True):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    z = torch.randn(40, 5, dtype=torch.float64, generator=generator(99))
    for q, network in enumerate(separate):  # with running statistics
        assert torch.allclose(together.network(q).double()(z), network.eval()(z), atol=1e-5)  # network(q) is float32


def test_a_probe_does_not_depend_on_the_other_probes_or_their_order() -> None:
    sets = [blobs(300, 2.0, 1), blobs(1000, 1.0, 2), blobs(77, 3.0, 3)]
    sets[1] = sets[1]._replace(noise=torch.full_like(sets[1].codes, 0.3))
    tests = [blobs(2000, d, 10 + i) for i, d in enumerate((2.0, 1.0, 3.0))]
    together, turned = fit(sets, tests), fit(sets[::-1], tests[::-1])[::-1]
    for q in range(3):
        (single,) = fit(sets[q : q + 1], tests[q : q + 1])
        assert together[q].test == pytest.approx(single.test, abs=0.005)  # rounding changes a few of 2000 rows
        assert turned[q].test == pytest.approx(single.test, abs=0.005)


def test_equal_seeds_give_equal_results_and_do_not_change_the_random_state() -> None:
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


def test_separable_codes_are_predicted_fully_and_noise_at_chance() -> None:
    labels = torch.arange(2000) % 4
    separable, noise = blobs(2000, 20.0), LabelledCodes(torch.randn(2000, 4, generator=generator()), labels)
    itself = LabelledCodes(torch.eye(4)[labels], labels)
    tests = [blobs(2000, 20.0, 1), noise._replace(codes=torch.randn(2000, 4, generator=generator(1))), itself]
    one, two, three = fit([separable, noise, itself], tests, 150)
    assert (one.train, one.test) == (1.0, 1.0)
    assert one.gain < 0.001
    assert three.test == 1
    assert two.test == pytest.approx(0.25, abs=4 * two.error)
    assert two.error == pytest.approx(math.sqrt(two.test * (1 - two.test) / 2000), rel=0.01)
    assert two.passes == pytest.approx(150 * 128 / 2000)


def test_noise_lowers_the_accuracy_to_that_of_the_best_classifier() -> None:
    labels = torch.arange(4000) % 2
    codes = 2.0 * labels[:, None] - 1
    deviations = (0.5, 1.0, 2.0)
    sets = [LabelledCodes(codes, labels, torch.full_like(codes, s)) for s in deviations]
    for s, accuracy in zip(deviations, fit(sets, sets, 150), strict=True):
        best = 0.5 * (1 + math.erf(1 / s / math.sqrt(2)))  # P(noise < distance to the middle)
        assert accuracy.test == pytest.approx(best, abs=0.02)  # three standard errors of 0.007
        assert accuracy.train == pytest.approx(accuracy.test, abs=1e-9)  # the same rows and draws


def test_accuracies_do_not_depend_on_the_order_of_rows_or_on_other_rows() -> None:
    train, test = blobs(500, 1.5), blobs(1000, 1.5, 1)
    order = torch.randperm(1000, generator=generator())
    turned = LabelledCodes(test.codes[order], test.labels[order])
    parts = [LabelledCodes(test.codes[test.labels == c], test.labels[test.labels == c]) for c in range(4)]
    whole, other, *by_class = fit([train] * 6, [test, turned, *parts])
    assert whole.test == other.test
    assert sum(f.test for f in by_class) / 4 == pytest.approx(whole.test, abs=1e-9)  # batch statistics would differ


def test_labels_are_any_integers_and_unknown_labels_are_never_predicted() -> None:
    names = torch.tensor([-7, 0, 3, 10**12])
    train, test = blobs(400, 20.0), blobs(400, 20.0, 1)
    renamed = [part._replace(labels=names[part.labels]) for part in (train, test)]
    assert fit(renamed[:1], renamed[1:])[0].test == 1
    unknown = renamed[1]._replace(labels=torch.full((400,), 5))
    (never,) = fit(renamed[:1], [unknown])
    assert (never.train, never.test, never.gain) == (1.0, 0.0, 0.0)


def test_the_standard_error_counts_independent_rows_only() -> None:
    train, test = blobs(300, 1.0), blobs(400, 1.0, 1)
    plain, fewer = fit([train, train], [test, test._replace(independent=100)])
    assert fewer.test == plain.test
    assert fewer.error == pytest.approx(2 * plain.error, rel=0.05)


def test_a_few_rows_that_are_all_right_leave_a_standard_error() -> None:
    for n in (34, 150):  # a beta distribution with n successes has the mean (n + 1) / (n + 2)
        draws = torch.distributions.Beta(n + 1.0, 1.0).sample((200_000,))
        assert standard_error(1.0, n) == pytest.approx(float(draws.std()), rel=0.02)
    assert standard_error(0.3, 10_000) == pytest.approx(math.sqrt(0.3 * 0.7 / 10_000), rel=1e-3)


def test_the_gain_is_what_the_second_half_of_the_iterations_added() -> None:
    train, test = [blobs(4000, 1.5, 1, classes=20, dim=20)], [blobs(4000, 1.5, 2, classes=20, dim=20)]
    (few,), (more,) = fit(train, test, 20), fit(train, test, 40)
    assert more.gain == pytest.approx(more.test - few.test, abs=1e-9)
    assert few.gain > more.gain > 0.015


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"codes": torch.full((8, 4), math.nan)}, "NaN"),
        ({"noise": torch.full((8, 4), math.inf)}, "NaN or infinite"),
        ({"labels": torch.arange(7)}, "do not match labels"),
        ({"codes": torch.zeros(8, 3)}, "probes apart"),
    ],
)
def test_codes_that_do_not_match_or_are_not_finite_are_refused(change: dict[str, Tensor], words: str) -> None:
    good = blobs(8, 1.0)
    with pytest.raises(UserError, match=words):
        fit([good], [good._replace(**change)])


def test_no_probe_and_no_iteration_are_refused() -> None:
    good = blobs(8, 1.0)
    with pytest.raises(UserError, match="iterations=0"):
        fit([good], [good], 0)
    with pytest.raises(UserError, match="one of either"):
        fit([good], [])
