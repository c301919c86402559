"""Columns, findings and the Markdown of tables: what follows from given numbers."""

from __future__ import annotations

import copy
import math
import statistics
from typing import Any

import pytest
import scipy.stats
import torch

from splitvae.reproductions.columns import COLUMNS, Estimate
from splitvae.reproductions.experiment import Experiment, Page, Published, System, Table
from splitvae.reproductions.findings import compare_order, compare_pair, is_clear
from splitvae.reproductions.page import render_page
from splitvae.reproductions.records import first_warnings
from splitvae.reproductions.split_findings import compare_components, compare_random_component, count_types


def record(
    gen: float, parts: dict[str, float], mse: float = 0.1, verdict: str = "semantic", seed: int = 0, active: int = 7
) -> dict[str, Any]:
    """A record with these distances; the mix is at 9."""
    columns = {"blend": gen, **parts, "mix": 9.0}
    bank = {name: {"fid": {"value": value, "deviation": 0.5}} for name, value in columns.items()}
    score = {"sampler": {"name": "gmm", "parameters": {"components": 20}, "fit_info": {}}, "banks": {"GEN": bank}}
    evaluation = {
        "scores": {"paper gmm mnist": score},
        "reconstruction": {"mse": {"value": mse, "deviation": 0.01}},
        "latent": {"active_units": active},
        "model": {"seed": seed},
        "split": {"verdict": verdict},
    }
    return {"evaluation": evaluation, "options": {"split": 2}, "training": {"seconds": 60.0, "epochs": 3}, "command": ""}


def system(key: str, gen: float | None = None) -> System:
    return System(key, key.upper(), "digits-svae", published=None if gen is None else Published(gen, 2 * gen, 10))


PAIR = [record(4.0, {"x1": 3.0, "x2": 5.0}), record(6.0, {"x1": 8.0, "x2": 2.0}, verdict="syntactic", seed=1)]


def test_a_cell_of_seeds_is_their_mean_and_deviation() -> None:
    cell = COLUMNS["GEN"].cell(system("a"), PAIR)
    assert cell.value == 5.0 and cell.text == f"5.00 ± {statistics.stdev([4, 6]):.1f}"
    assert COLUMNS["GEN"].cell(system("a"), PAIR[:1]).text == "4.00 ± 0.50"
    assert COLUMNS["GEN"].estimate(PAIR) == (5.0, 1.0, 2)  # the deviation by the root of two
    agreeing = [record(4.0, {}), record(4.1, {})]  # closer than their measurements, whose errors are 0.5
    assert COLUMNS["GEN"].estimate(agreeing) == (pytest.approx(4.05), pytest.approx(0.5 / math.sqrt(2)), 2)
    assert COLUMNS["active"].estimate(PAIR[:1]) == (7.0, None, 1)


def test_a_number_that_only_one_seed_has_says_so() -> None:
    flow = copy.deepcopy(PAIR[0])
    flow["evaluation"]["scores"]["paper flow mnist"] = {
        "sampler": {"name": "flow"},
        "banks": {"EX-POST": {"blend": {"fid": {"value": 2.0, "deviation": 0.25}}}},
    }
    assert COLUMNS["EX-POST flow"].cell(system("a"), [flow]).text == "2.00 ± 0.25"
    assert COLUMNS["EX-POST flow"].cell(system("a"), [flow, PAIR[1]]) == ("2.00 ± 0.25 (1 seed)", 2.0)


def test_the_nearest_component_is_that_of_each_run() -> None:
    assert COLUMNS["GEN nearest"].cell(system("a"), PAIR).value == statistics.fmean([3, 2])
    assert COLUMNS["GEN farthest"].cell(system("a"), PAIR).value == statistics.fmean([5, 8])
    assert COLUMNS["GEN nearest"].cell(system("a"), [record(4.0, {})]).text == "-"


def test_counts_words_and_published_figures() -> None:
    assert COLUMNS["active"].cell(system("a"), PAIR[:1]).text == "7"
    assert COLUMNS["type"].cell(system("a"), PAIR).text == "semantic 1, syntactic 1"
    assert COLUMNS["type"].cell(system("a"), PAIR[:1]).text == "semantic"
    assert COLUMNS["paper GEN"].cell(system("a", 20.4), PAIR).text == "20.4"
    assert COLUMNS["paper GEN"].cell(system("a"), PAIR).text == "-"
    assert COLUMNS["EX-POST flow"].cell(system("a"), PAIR).text == "-"


def experiment(*systems: System) -> Experiment:
    return Experiment("e", systems, Page("E", "", (Table("T", ("GEN", "MSE", "bits")),)))


def test_a_difference_has_the_summed_squares_of_standard_errors() -> None:
    records = {"a": PAIR, "b": [record(9.0, {}), record(10.0, {})]}
    (sentence,) = compare_pair("a", "b", ("GEN",))(experiment(system("a"), system("b")), records)
    error = math.hypot(1.0, statistics.stdev([9, 10]) / math.sqrt(2))
    assert sentence == f"A minus B, 2 and 2 seeds. GEN x̂: −4.50 ± {error:.1f} (may be chance)."
    (one,) = compare_pair("a", "b", ("GEN",))(experiment(system("a"), system("b")), {"a": PAIR, "b": [record(5.1, {})]})
    assert "GEN x̂: −0.100 ± " in one and "Of a system with one seed" in one and "(" not in one
    far = {"a": PAIR, "b": [record(19.0, {}), record(20.0, {})]}
    assert "(clear, better)" in compare_pair("a", "b", ("GEN",))(experiment(system("a"), system("b")), far)[0]
    (count,) = compare_pair("a", "b", ("active",))(experiment(system("a"), system("b")), {"a": PAIR[:1], "b": PAIR[:1]})
    assert "active units: +0.00. Of" in count  # nothing is known of the error of a count in one run
    assert compare_pair("a", "b", ("GEN",))(experiment(system("a"), system("b")), {"a": PAIR}) == []


def test_clear_is_what_the_t_test_of_welch_rejects_at_5_percent() -> None:
    torch.manual_seed(0)
    for a, b in torch.randn(40, 2, 3).mul(torch.tensor([[1.0], [0.5]])).add(torch.tensor([[0.0], [1.5]])):
        first, second = (Estimate(float(x.mean()), float(x.std()) / math.sqrt(3), 3) for x in (a, b))
        assert is_clear(first, second) == (scipy.stats.ttest_ind(a, b, equal_var=False).pvalue < 0.05)
    assert not is_clear(Estimate(0.0, 0.1, 1), Estimate(9.0, 0.1, 3))


def test_counts_of_few_seeds_that_agree_are_not_exact() -> None:
    active = COLUMNS["active"]
    seeds = {n: [record(1.0, {}, active=count) for count in (n, n)] for n in (2, 3, 9)}
    estimates = {n: active.estimate(records) for n, records in seeds.items()}
    assert all(e is not None and e.error == pytest.approx((1 / 24) ** 0.5) for e in estimates.values())
    assert not is_clear(estimates[2], estimates[3]) and is_clear(estimates[2], estimates[9])


def test_the_seed_of_a_run_is_its_own_where_another_is_missing() -> None:
    second = record(6.0, {"x1": 8.0, "x2": 2.0}, seed=1)
    (sentence,) = compare_components(experiment(system("a")), {"a": [second]})
    assert "A (seed 1, by 4.00)" in sentence


def test_a_component_counts_as_closer_from_two_deviations() -> None:
    near = record(4.0, {"x1": 3.0, "x2": 5.0})  # by 1.0, where the error of the difference is 0.71
    far = record(6.0, {"x1": 8.0, "x2": 2.0}, seed=1)  # by 4.0
    records = {"a": [near, far], "b": [record(5.0, {})]}
    (sentence,) = compare_components(experiment(system("a"), system("b")), records)
    assert (
        sentence
        == "GEN x̂: in 1 of 2 runs a component alone is closer to the images than the blend by more than two errors of the "
        "measurement: A (seed 1, by 4.00)."
    )


def test_a_random_component_is_compared_with_the_blend_of_the_same_run() -> None:
    """Distances of runs differ more than a run's two, so that only paired differences are clear."""
    runs = [record(9.0 + gain, {"x1": 3.0}, seed=seed) for seed, gain in enumerate((4.0, 5.0, 6.0))]
    apart = [record(9.0 + gain, {"x1": 3.0}) for gain in (-4.0, 5.0, 6.0)]
    find = compare_random_component("a")
    error = statistics.stdev((4, 5, 6)) / math.sqrt(3)
    assert scipy.stats.ttest_1samp((4, 5, 6), 0).pvalue < 0.05 < scipy.stats.ttest_1samp((-4, 5, 6), 0).pvalue
    assert find(experiment(system("a")), {"a": runs}) == [
        f"A, a random component minus the blend, 3 seeds. GEN: −5.00 ± {error:.2f} (clear, better)."
    ]
    assert "−2.33 ± 3.2 (may be chance)" in find(experiment(system("a")), {"a": apart})[0]
    assert find(experiment(system("a")), {"a": runs[:1]}) == find(experiment(system("a")), {}) == []


def test_the_gain_of_a_component_is_ranked_with_the_ambiguity() -> None:
    gains = {0.4: 3.0, 0.1: -1.0, 0.2: 5.0, 0.3: 2.0}
    runs = [record(6.0, {"x1": 6.0 - gain, "x2": 50.0}) for gain in gains.values()]
    for run, ambiguity in zip(runs, gains, strict=True):
        run["evaluation"]["split"]["mean_ambiguity"] = {"value": ambiguity, "deviation": 0.0}
    (sentence,) = compare_components(experiment(system("a")), {"a": runs})
    rho = scipy.stats.spearmanr(list(gains), list(gains.values())).statistic
    assert f"is {rho:.2f} over 4 runs." in sentence and "in 3 of 4 runs" in sentence


def test_settings_whose_seeds_differ_are_named() -> None:
    records = {"a": PAIR, "b": [record(1.0, {"x1": 2.0}), record(1.0, {"x1": 2.0})], "c": [record(1.0, {"x1": 2.0})]}
    (sentence,) = count_types(experiment(system("a"), system("b"), system("c")), records)
    assert sentence == (
        "Of 5 runs with maps: semantic 4, syntactic 1. Of 2 settings with several seeds, 1 differ between seeds: A."
    )


def test_the_order_of_the_paper_is_counted_in_pairs() -> None:
    systems = (system("a", 1.0), system("b", 2.0), system("c", 3.0))
    records = {"a": [record(1.0, {})], "b": [record(9.0, {})], "c": [record(5.0, {})]}
    (sentence,) = compare_order("GEN", "gen")(experiment(*systems), records)
    assert "of the 3 pairs of systems that the paper orders, 2 have the same order here, and 0 clearly" in sentence
    assert "The paper: A < B < C. Here: A < C < B." in sentence
    several = {key: [record(gen, {}), record(gen + 0.1, {})] for key, gen in {"a": 1.0, "b": 9.0, "c": 5.0}.items()}
    assert "and 1 clearly the other one" in compare_order("GEN", "gen")(experiment(*systems), several)[0]


@pytest.mark.parametrize(("mse", "bold"), [(0.05, "**0.0500"), (0.2, "**0.100")])
def test_the_best_of_a_column_is_bold_and_an_empty_column_is_left_out(mse: float, bold: str) -> None:
    two = experiment(system("a"), system("b"))
    runs = {"a/seed-0": record(4.0, {}), "b/seed-0": record(5.0, {}, mse=mse)}
    page = render_page(two, {"runs": runs, "measures": {}}, None)  # type: ignore[arg-type]  # no figures
    assert bold in page and "**4.00" in page and "bits" not in page


def test_a_run_that_an_alarm_stopped_is_named_and_not_counted() -> None:
    runs = {"a/seed-0": {"of": "", "stopped": "Codes are empty."}}
    scale = {"width": 4, "epochs": 1, "images": 10, "reason": "given"}
    content = {"runs": runs, "measures": {}, "scale": scale, "source": "digits", "sha256": "0", "options": {}}
    page = render_page(experiment(system("a")), content, None)  # type: ignore[arg-type]  # no figures
    assert "Stopped by an alarm: a/seed-0. Codes are empty." in page and "0 of 1 runs are done" in page


def test_alarms_in_spite_of_which_a_run_went_on_are_named_once() -> None:
    notes = ["Warning: fakes-under-reals: {}. Lower beta.", "Warning: in epoch 1 the gradient was large", "Went back."]
    history = [{"epoch": 1}, *({"epoch": i, "notes": [note.format(i) for note in notes]} for i in (2, 3))]
    warnings = first_warnings(history)
    assert warnings == {"fakes-under-reals": "epoch 2: 2. Lower beta."}
    trained = record(4.0, {}) | {"warnings": warnings, "versions": {}, "evaluation": {}}
    trained["training"] |= {"images": 100, "device": "a CPU"}
    scale = {"width": 4, "epochs": 3, "images": 10, "reason": "given"}
    about = {"measures": {}, "scale": scale, "source": "digits", "sha256": "0", "options": {}}
    page = render_page(experiment(system("a")), about | {"runs": {"a/seed-0": trained}}, None)  # type: ignore[arg-type]  # none
    assert "Went on in spite of an alarm: a/seed-0, epoch 2: 2. Lower beta." in page
