"""Whether probes had enough to be judged by: iterations and images, and more than the most frequent label tells.

| words                                  | a probe                                                                     |
| -------------------------------------- | --------------------------------------------------------------------------- |
| too few iterations                     | drew fewer rows than it has, or gained 1.5 points in the second half        |
| too few test images                    | has an accuracy with a standard error above 2 points                        |
| too few training images                | is right on training images by 10 points more often than on test images     |
| no better than the most frequent label | is not better than it by two standard errors                                |

A point is one percent of the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["find_shortcomings", "judge_probe", "summarise_probes", "summarise_shortcomings"]

MAX_GAIN = 0.015  # of a converged probe's accuracy in the second half of its iterations
MAX_ERROR = 0.02  # the standard error of an accuracy of enough test images
MAX_GAP = 0.1  # between the accuracies on training and test images
ERRORS = 2  # standard errors that a difference must exceed
MAX_NAMES = 6  # of probes in a sentence

KINDS = ("means", "samples")  # of a result of `probe`
NamedAccuracy = tuple[str, Mapping[str, float], float | None]  # and the share of the most frequent label

ADVICE = {
    "too few iterations": "these numbers are not those of a converged probe",
    "too few test images": "another set of as many could give quite another number",
    "too few training images": "more would raise these numbers",
    "no better than the most frequent label": "the code tells such a probe nothing",
}


def find_shortcomings(accuracy: Mapping[str, float], majority: float | None = None) -> dict[str, str]:
    """Returns why an accuracy does not settle what it measures: for each reason, in the words above, the evidence of it.

    Arguments:
        accuracy: The fields of an `Accuracy`.
        majority: The share of the most frequent label; None leaves this comparison out.
    """
    found = {}
    if accuracy["passes"] < 1:
        found["too few iterations"] = f"it drew {100 * accuracy['passes']:.0f} % of its training images"
    elif accuracy["gain"] > max(MAX_GAIN, ERRORS * accuracy["error"]):
        found["too few iterations"] = f"the second half of them still added {100 * accuracy['gain']:.1f} points"
    if accuracy["error"] > MAX_ERROR:
        found["too few test images"] = f"they leave ± {100 * accuracy['error']:.1f} points"
    if accuracy["train"] - accuracy["test"] > max(MAX_GAP, ERRORS * accuracy["error"]):
        found["too few training images"] = f"{100 * accuracy['train']:.1f} % of these are right"
    if majority is not None and accuracy["test"] - majority <= ERRORS * accuracy["error"]:
        found["no better than the most frequent label"] = f"{100 * majority:.1f} %"
    return found


def judge_probe(accuracies: Mapping[str, Any], kind: str, majority: float) -> str:
    """Returns one sentence on a trained network's probe and on that of its untrained copy; "" if both are settled.

    Arguments:
        accuracies: The accuracies of a code, such as "means" and "untrained_means".
        kind: One of "means" and "samples".
        majority: The share of the most frequent label.
    """
    trained = find_shortcomings(accuracies[kind], majority)
    untrained = find_shortcomings(accuracies[f"untrained_{kind}"])
    parts = [f"{words}: {evidence}" for words, evidence in trained.items()]
    parts += [f"untrained, {words}: {evidence}" for words, evidence in untrained.items() if words not in trained]
    return "; ".join(parts)


def summarise_probes(result: Mapping[str, Any]) -> list[str]:
    """Returns one sentence for each reason why numbers of a result of `probe` are not settled, with their names."""
    probes: list[NamedAccuracy] = []
    for name, accuracies, kind, majority in _probes(result):
        probes.append((name, accuracies[kind], majority))
        probes.append((f"untrained {name}", accuracies[f"untrained_{kind}"], None))
    return summarise_shortcomings(probes, result["iterations"])


def summarise_shortcomings(probes: Sequence[NamedAccuracy], iterations: int) -> list[str]:
    """Returns one sentence for each reason why accuracies are not settled, with the names of these accuracies.

    Arguments:
        probes: The name and the accuracy of each probe, and the share of the most frequent label or None.
        iterations: The number of iterations of each probe.
    """
    affected: dict[str, list[str]] = {}
    for name, accuracy, majority in probes:
        for words in find_shortcomings(accuracy, majority):
            affected.setdefault(words, []).append(name)
    sentences = []
    for words, advice in ADVICE.items():
        if names := affected.get(words):
            others = [f"{len(names) - MAX_NAMES} more"] if len(names) > MAX_NAMES else []
            which = f"all {len(names)} probes" if len(names) == len(probes) > 1 else ", ".join(names[:MAX_NAMES] + others)
            count = f" ({iterations:,})" if words == "too few iterations" else ""
            sentences.append(f"{words[0].upper()}{words[1:]}{count}, so that {advice}: {which}.")
    return sentences


def _probes(result: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], str, float]]:
    """Yields the name, accuracies, kind and majority of each probe of a trained network."""
    for name, code in result["codes"].items():
        yield from ((f"{name} {kind}", code, kind, result["majority"]) for kind in KINDS)
    for point in result["curve"]:
        if point["members"] > 1:
            title = f"content of {point['members']}"
            yield from ((f"{title} {kind}", point, kind, point["majority"]) for kind in KINDS)
