"""Findings: sentences that are computed from the numbers of an experiment.

Each function here returns another function, of the experiment and its records, for the list `Experiment.findings`. A
difference of two systems is stated with its standard error, which is the root of the summed squares of those of the two
means over seeds. It is called clear where Welch's t test of these few seeds rejects chance at 5 percent: with two seeds
each, from 4.3 standard errors that are equally large. Where a system has one seed, the error is that of the measurement
alone, which says nothing about another training; no difference is called clear then.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from operator import itemgetter

from ..utils.text import format_number
from .columns import COLUMNS, Estimate
from .experiment import Experiment, Records

__all__ = ["CHANCE", "Finding", "compare_order", "compare_pair", "is_clear", "list_probe_notes"]

ONE_SEED = " Of a system with one seed the error is that of the measurement alone, so that no difference is called clear."
Finding = Callable[[Experiment, Records], list[str]]
CHANCE = 0.05  # at most, of a difference that is called clear


def compare_pair(first: str, second: str, columns: Sequence[str]) -> Finding:
    """Returns a finding on the differences of two systems, `first` minus `second`, in several columns.

    Arguments:
        first: The key of a system.
        second: The key of the system that it is compared with.
        columns: The names of columns with numbers.
    """

    def find(experiment: Experiment, records: Records) -> list[str]:
        if first not in records or second not in records:
            return []
        systems = [experiment.system(key) for key in (first, second)]
        sentences, seeds = [], [len(records[system.key]) for system in systems]
        for name in columns:
            column = COLUMNS[name]
            a, b = (column.estimate(records[system.key]) for system in systems)
            if a is None or b is None:
                continue
            difference = a.mean - b.mean
            better = "better" if (difference < 0) == (column.best == "low") else "worse"
            verdict = ""
            if is_clear(a, b):
                verdict = f" (clear, {better})" if column.best else " (clear)"
            elif min(seeds) > 1:
                verdict = " (may be chance)"
            sign = "+" if difference >= 0 else ""
            sentences.append(f"{column.title}: {sign}{format_number(difference)}{_format_error(a, b)}{verdict}")
        which = f"{systems[0].title} minus {systems[1].title}"
        caveat = ONE_SEED if min(seeds) == 1 else ""
        return [f"{which}, {seeds[0]} and {seeds[1]} seeds. {'; '.join(sentences)}.{caveat}"] if sentences else []

    return find


def is_clear(first: Estimate, second: Estimate) -> bool:
    """Returns whether the difference of two means over seeds is larger than chance explains (Welch's t test).

    t = (a - b) / √(e² + f²) with (e² + f²)² / (e⁴ / (n - 1) + f⁴ / (m - 1)) degrees of freedom, for standard errors e and
    f over n and m seeds.
    """
    from scipy.stats import t

    if min(first.runs, second.runs) < 2 or first.error is None or second.error is None:
        return False
    a, b = first.error**2, second.error**2
    if a + b == 0:
        return False
    freedom = (a + b) ** 2 / (a**2 / (first.runs - 1) + b**2 / (second.runs - 1))
    return bool(abs(first.mean - second.mean) > t.ppf(1 - CHANCE / 2, freedom) * (a + b) ** 0.5)


def _format_error(first: Estimate, second: Estimate) -> str:
    """Returns " ± error" of a difference; "" where nothing is known of one of the errors."""
    if first.error is None or second.error is None:
        return ""
    return f" ± {format_number((first.error**2 + second.error**2) ** 0.5, 2)}"


def list_probe_notes(experiment: Experiment, records: Records) -> list[str]:
    """Returns what was noted of the probes of each run, such as one that was stopped before it had converged."""
    return [
        f"{experiment.system(key).title}, seed {record['probes']['seed']}: {note}"
        for key, seeds in records.items()
        for record in seeds
        for note in record.get("probes", {}).get("notes", [])
    ]


def compare_order(here: str, published: str) -> Finding:
    """Returns a finding on whether systems have the order of the paper, and how many clearly have the other one.

    Arguments:
        here: The name of a column of distances.
        published: What the paper prints: "gen" or "ex_post".
    """

    def find(experiment: Experiment, records: Records) -> list[str]:
        column, known = COLUMNS[here], []
        for system in experiment.systems:
            estimate = column.estimate(records.get(system.key, ()))
            if system.published is not None and estimate is not None:
                known.append((system.title, float(getattr(system.published, published)), estimate.mean, estimate))
        if len(known) < 2:
            return []
        alike = clear = total = 0
        for (_, paper_a, mean_a, a), (_, paper_b, mean_b, b) in itertools.combinations(known, 2):
            if paper_a == paper_b:
                continue
            same = (paper_a < paper_b) == (mean_a < mean_b)
            alike, total = alike + same, total + 1
            clear += not same and is_clear(a, b)
        orders = [" < ".join(title for title, *_ in sorted(known, key=itemgetter(i))) for i in (1, 2)]
        return [
            f"{column.title}: of the {total} pairs of systems that the paper orders, {alike} have the same order here, and "
            f"{clear} clearly the other one (which needs several seeds of both). The paper: {orders[0]}. Here: {orders[1]}."
        ]

    return find
