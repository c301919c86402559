"""Findings: sentences that are computed from the numbers of an experiment.

Each function here returns another function, of the experiment and its records, for the list `Experiment.findings`. A
difference of two systems is stated with its standard error, which is the root of the summed squares of those of the two
means over seeds, and called clear from two such errors. Where a system has one seed, the error is that of the measurement
alone, which says nothing about another training; no difference is called clear then.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from operator import itemgetter

from ..utils.text import format_number
from .columns import COLUMNS
from .experiment import Experiment, Records

__all__ = ["compare_order", "compare_pair", "list_probe_notes"]

Finding = Callable[[Experiment, Records], list[str]]
CLEAR_ERRORS = 2  # the number of standard errors from which a difference is called clear


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
            estimates = [column.estimate(records[system.key]) for system in systems]
            if any(estimate is None for estimate in estimates):
                continue
            (mean, error), (other, other_error) = (estimate for estimate in estimates if estimate is not None)
            difference, spread = mean - other, (error**2 + other_error**2) ** 0.5
            verdict = ""
            if min(seeds) > 1:
                clear = abs(difference) > CLEAR_ERRORS * spread
                better = "better" if (difference < 0) == (column.best == "low") else "worse"
                verdict = " (within two standard errors)"
                if clear:
                    verdict = f" (clear, {better})" if column.best else " (clear)"
            sign = "+" if difference >= 0 else ""
            sentences.append(f"{column.title}: {sign}{format_number(difference)} ± {format_number(spread, 2)}{verdict}")
        which = f"{systems[0].title} minus {systems[1].title}"
        caveat = " With one seed the error is that of the measurement alone." if min(seeds) == 1 else ""
        return [f"{which}, {seeds[0]} and {seeds[1]} seeds. {'; '.join(sentences)}.{caveat}"] if sentences else []

    return find


def list_probe_notes(experiment: Experiment, records: Records) -> list[str]:
    """Returns what was noted of the probes of each run, such as one that was stopped before it had converged."""
    return [
        f"{experiment.system(key).title}, seed {record['probes']['seed']}: {note}"
        for key, seeds in records.items()
        for record in seeds
        for note in record.get("probes", {}).get("notes", [])
    ]


def compare_order(here: str, published: str) -> Finding:
    """Returns a finding on whether systems have the order of the paper.

    Arguments:
        here: The name of a column of distances.
        published: What the paper prints: "gen" or "ex_post".
    """

    def find(experiment: Experiment, records: Records) -> list[str]:
        column, known = COLUMNS[here], []
        for system in experiment.systems:
            estimate = column.estimate(records.get(system.key, ()))
            if system.published is not None and estimate is not None:
                known.append((system.title, float(getattr(system.published, published)), *estimate))
        if len(known) < 2:
            return []
        alike = clear = total = 0
        for (_, paper_a, mean_a, error_a), (_, paper_b, mean_b, error_b) in itertools.combinations(known, 2):
            if paper_a == paper_b:
                continue
            same = (paper_a < paper_b) == (mean_a < mean_b)
            alike, total = alike + same, total + 1
            clear += not same and abs(mean_a - mean_b) > CLEAR_ERRORS * (error_a**2 + error_b**2) ** 0.5
        orders = [" < ".join(title for title, *_ in sorted(known, key=itemgetter(i))) for i in (1, 2)]
        return [
            f"{column.title}: of the {total} pairs of systems that the paper orders, {alike} have the same order here, and "
            f"{clear} clearly the other one. The paper: {orders[0]}. Here: {orders[1]}."
        ]

    return find
