"""Findings on the split: whether a component alone is closer to the images than the blend, and which maps came out."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ..utils.text import count_noun, format_number
from .columns import COLUMNS
from .experiment import Experiment, Record, Records
from .findings import CHANCE, Finding

__all__ = ["compare_components", "compare_random_component", "count_types"]

MIN_RUNS = 4  # for a rank correlation over runs
DISTANCES = {"GEN": "GEN nearest", "EX-POST mixture": "EX-POST nearest"}  # of the blend: of the nearest component
RANDOM_COMPONENT = {"GEN": "GEN mix", "EX-POST mixture": "EX-POST mix"}  # of the blend: of a random component an image


def compare_components(experiment: Experiment, records: Records) -> list[str]:
    """Returns in how many runs a component alone is closer to the images than the blend, and with what that goes.

    The nearest component is chosen by the distance itself, which makes it look better than it is; so only differences above
    two deviations of the measurement count.
    """
    runs = _split_runs(records)
    sentences = []
    for blend, nearest in DISTANCES.items():
        found = [(name, record, _difference(record, blend, nearest)) for name, record in runs]
        pairs = [(name, record, *difference) for name, record, difference in found if difference is not None]
        if not pairs:
            continue
        clear = [(name, gain) for name, _, gain, error in pairs if gain > 2 * error]
        text = f"{COLUMNS[blend].title}: in {len(clear)} of {len(pairs)} runs "
        text += "a component alone is closer to the images than the blend by more than two errors of the measurement"
        if clear:
            names = [
                f"{experiment.system(key).title} (seed {seed}, by {format_number(gain)})" for (key, seed), gain in clear
            ]
            text += f": {'; '.join(names)}"
        if len(pairs) >= MIN_RUNS:
            ambiguities = [COLUMNS["map ambiguity"].read(record)["value"] for _, record, *_ in pairs]
            rank = _rank_correlation(ambiguities, [gain for _, _, gain, _ in pairs])
            text += f". The rank correlation of that gain and of the measured ambiguity is {format_number(rank, 2)}"
            text += f" over {len(pairs)} runs"
        sentences.append(text + ".")
    return sentences


def compare_random_component(key: str) -> Finding:
    """Returns a finding on the distances of a system whose samples show a component drawn at random, minus the blend's.

    Unlike the nearest component, which the distance itself chooses, it is not favoured. Differences are taken in each run;
    one is clear where the t test of these few runs rejects chance at 5 percent.

    Arguments:
        key: The key of the system.
    """

    def find(experiment: Experiment, records: Records) -> list[str]:
        from scipy.stats import t

        texts, seeds = [], len(records.get(key, ()))
        for blend, random in RANDOM_COMPONENT.items():
            found = [_difference(record, blend, random) for record in records.get(key, ())]
            differences = [-found[0] for found in found if found is not None]
            if len(differences) < 2:
                continue
            mean, error = statistics.mean(differences), statistics.stdev(differences) / len(differences) ** 0.5
            is_clear = abs(mean) > t.ppf(1 - CHANCE / 2, len(differences) - 1) * error
            verdict = f"clear, {'better' if mean < 0 else 'worse'}" if is_clear else "may be chance"
            bank, sign = COLUMNS[blend].title.replace(" x̂", ""), "+" if mean >= 0 else ""
            texts.append(f"{bank}: {sign}{format_number(mean)} ± {format_number(error, 2)} ({verdict})")
        title = experiment.system(key).title
        return [f"{title}, a random component minus the blend, {seeds} seeds. {'; '.join(texts)}."] if texts else []

    return find


def count_types(experiment: Experiment, records: Records) -> list[str]:
    """Returns how many runs are syntactic and how many semantic, and the settings whose seeds differ."""
    types = [(key, record["evaluation"]["split"]["verdict"]) for (key, _), record in _split_runs(records)]
    if not types:
        return []
    counts = Counter(verdict for _, verdict in types)
    text = f"Of {len(types)} runs with maps: {', '.join(f'{verdict} {n}' for verdict, n in counts.most_common())}."
    seeds = Counter(key for key, _ in types)
    both = [key for key in seeds if len({verdict for k, verdict in types if k == key}) > 1]
    several = sum(n > 1 for n in seeds.values())
    if several:
        names = f": {'; '.join(experiment.system(key).title for key in both)}" if both else ""
        text += f" Of {count_noun(several, 'setting')} with several seeds, {len(both)} differ between seeds{names}."
    return [text]


def _split_runs(records: Records) -> list[tuple[tuple[str, int], Record]]:
    """Returns the runs of split models, each with the key of its system and its seed."""
    return [
        ((key, record["evaluation"]["model"]["seed"]), record)
        for key, seeds in records.items()
        for record in seeds
        if record["evaluation"].get("split")
    ]


def _difference(record: Record, blend: str, component: str) -> tuple[float, float] | None:
    """Returns by how much a component is closer than the blend, and the error of that; None without both."""
    whole, part = COLUMNS[blend].read(record), COLUMNS[component].read(record)
    if whole is None or part is None:
        return None
    return whole["value"] - part["value"], float(np.hypot(whole["deviation"] or 0.0, part["deviation"] or 0.0))


def _rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Returns the correlation of the ranks of two lists of different numbers (Spearman)."""
    first, second = (np.argsort(np.argsort(values)) for values in (a, b))
    return float(np.corrcoef(first, second)[0, 1])
