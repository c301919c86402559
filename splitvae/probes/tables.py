"""The table of text that shows the result of `probe`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..utils.text import align_columns, format_number
from .measure import CODE_KINDS
from .verdicts import judge_probe

__all__ = ["probe_table"]

PERCENT = "{:.1f}"


def probe_table(result: Mapping[str, Any]) -> str:
    """Returns the result as lines of text, each accuracy with those of the untrained network and of the majority.

    Beside an accuracy that is not settled stands why (see `find_shortcomings`).
    """
    test = result["data"]["test"]
    rows = []
    for name, code in result["codes"].items():
        kinds = CODE_KINDS[:1] if code["samples"] == code["means"] else CODE_KINDS[:2]  # one if there is no noise
        rows += [_probe_row(f"{name}, {kind}", code, kind, test["images"], result["majority"]) for kind in kinds]
    for point in result["curve"][1:]:
        title, groups = f"content of {point['members']}", point["groups"]["independent"]
        rows += [_probe_row(f"{title}, {kind}", point, kind, groups, point["majority"]) for kind in CODE_KINDS[:2]]
    headings = ["% of labels right", "tested", "test", "training", "untrained, test", "majority", ""]
    lines = [
        f"Probes of {result['iterations']:,} iterations on {test['images']:,} test images of {test['source']}, "
        f"{result['labels']} labels:"
    ]
    lines += [f"  {line}" for line in align_columns(headings, rows).splitlines()]
    if result["curve"][1:]:
        lines.append(
            '"of k": groups with the evidence of k images of the same true label, which helps an untrained network too; '
            '"tested": groups that share no image.'
        )
    lines += result["notes"]
    use = result["use"]
    if use:
        lines += [
            f"MSE of reconstructions {format_number(use['mse'])}; with the content of an image of another label "
            f"{format_number(use['content_shuffled'])} ({format_number(use['content_ratio'])} times as much), "
            f"with its style {format_number(use['style_shuffled'])} ({format_number(use['style_ratio'])} times)."
        ]
    return "\n".join(lines)


def _probe_row(title: str, accuracies: Mapping[str, Any], kind: str, tested: int, majority: float) -> list[str]:
    trained, untrained = accuracies[kind], accuracies[f"untrained_{kind}"]
    train, most = (PERCENT.format(100 * accuracy) for accuracy in (trained["train"], majority))
    return [
        title,
        f"{tested:,}",
        _percent(trained),
        train,
        _percent(untrained),
        most,
        judge_probe(accuracies, kind, majority),
    ]


def _percent(accuracy: Mapping[str, float]) -> str:
    return f"{PERCENT.format(100 * accuracy['test'])} ± {PERCENT.format(100 * accuracy['error'])}"
