"""Verdicts on probes: which accuracies are not settled, and that settled ones pass without a word."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from splitvae.probes.classifiers import Accuracy, fit_probes
from splitvae.probes.codes import LabelledCodes
from splitvae.probes.verdicts import find_shortcomings, judge_probe, summarise_shortcomings

SETTLED = {"train": 0.96, "test": 0.95, "error": 0.002, "gain": 0.002, "passes": 15.0}


@pytest.mark.parametrize(
    ("change", "words", "evidence"),
    [
        ({"passes": 0.256}, "too few iterations", "26 % of its training images"),
        ({"gain": 0.043}, "too few iterations", "added 4.3 points"),
        ({"error": 0.024}, "too few test images", "± 2.4 points"),
        ({"train": 1.0, "test": 0.7}, "too few training images", "100.0 %"),
        ({"train": 0.11, "test": 0.116}, "no better than the most frequent label", "11.3 %"),
    ],
)
def test_each_shortcoming_is_named_with_its_evidence(change: dict[str, float], words: str, evidence: str) -> None:
    found = find_shortcomings({**SETTLED, **change}, 0.113)
    assert found.keys() == {words}
    assert evidence in found[words]


def test_settled_accuracies_pass_without_a_word() -> None:
    assert find_shortcomings(SETTLED, 0.113) == {}
    assert judge_probe({"means": SETTLED, "untrained_means": SETTLED}, "means", 0.113) == ""
    assert summarise_shortcomings([("style", SETTLED, 0.113)], 6000) == []
    noisy_gain = {**SETTLED, "error": 0.0195, "gain": 0.03}  # within two standard errors
    assert find_shortcomings(noisy_gain, 0.113) == {}


def test_100_iterations_on_many_images_and_few_images_are_found_by_real_probes() -> None:
    def draw(rows: int, seed: int) -> LabelledCodes:
        generator = torch.Generator().manual_seed(seed)
        labels = torch.arange(rows) % 10
        return LabelledCodes(torch.randn(rows, 10, generator=generator) + 2 * torch.eye(10)[labels], labels)

    def found(train: LabelledCodes, test: LabelledCodes, iterations: int) -> dict[str, str]:
        (accuracy,) = fit_probes([train], [test], iterations, device=torch.device("cpu"))
        return find_shortcomings(accuracy._asdict(), 0.1)

    many, tested, few = draw(15_000, 0), draw(4000, 1), draw(150, 2)
    assert found(many, tested, 100).keys() == {"too few iterations"}
    assert found(many, tested, 200).keys() == set()
    assert found(few, tested, 150).keys() == {"too few training images"}
    assert found(many, few, 200).keys() == {"too few test images"}
    nothing = tested._replace(codes=torch.randn(4000, 10, generator=torch.Generator().manual_seed(3)))
    assert found(many, nothing, 200).keys() >= {"no better than the most frequent label"}


def test_a_sentence_names_the_probes_and_what_follows() -> None:
    probes: list[Any] = [(f"probe {k}", {**SETTLED, "gain": 0.05}, 0.113) for k in range(8)]
    (all_of_them,) = summarise_shortcomings(probes, 100)
    assert all_of_them.startswith("Too few iterations (100), so that")
    assert all_of_them.endswith(": all 8 probes.")
    (some,) = summarise_shortcomings([*probes, ("good", SETTLED, 0.113)], 100)
    assert some.endswith("probe 0, probe 1, probe 2, probe 3, probe 4, probe 5, 2 more.")
    (one,) = summarise_shortcomings([("style means", {**SETTLED, "test": 0.115, "train": 0.12}, 0.113)], 6000)
    assert one == "No better than the most frequent label, so that the code tells such a probe nothing: style means."


def test_the_untrained_networks_probe_is_judged_beside_the_trained_one() -> None:
    row = {"means": SETTLED, "untrained_means": {**SETTLED, "gain": 0.05}}
    assert (
        judge_probe(row, "means", 0.113) == "untrained, too few iterations: the second half of them still added 5.0 points"
    )


def test_an_accuracy_has_all_that_a_verdict_needs() -> None:
    assert set(SETTLED) == set(Accuracy._fields)
