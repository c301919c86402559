"""TODO docstring of probes.tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..utils.text import align_columns, format_number, format_percent
from .measure import KINDS

__all__ = ["table"]


# ---------------------------------------------------------------- in words


def table(result: Mapping[str, Any]) -> str:
    """What was found as lines of text: every accuracy with that of an untrained network and of the majority beside it."""
    test = result["data"]["test"]
    rows = []
    for name, code in result["codes"].items():
        rows += [_row(f"{name}, {kind}", code, kind, test["images"], result["majority"]) for kind in KINDS[:2]]
    for point in result["curve"][1:]:
        shown, groups = f"content of {point['members']}", point["groups"]["independent"]
        rows += [_row(f"{shown}, {kind}", point, kind, groups, point["majority"]) for kind in KINDS[:2]]
    headings = ["% of labels right", "tested", "test", "training", "untrained, test", "majority"]
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
    use = result["use"]
    if use:
        lines += [
            f"MSE of reconstructions {format_number(use['mse'])}; with the content of an image of another label "
            f"{format_number(use['content_shuffled'])} ({format_number(use['content_ratio'])} times as much), with its "
            f"style {format_number(use['style_shuffled'])} ({format_number(use['style_ratio'])} times)."
        ]
    return "\n".join(lines)


def _row(what: str, found: Mapping[str, Any], kind: str, count: int, most: float) -> list[str]:
    own, fresh = found[kind], found[f"untrained_{kind}"]
    tests = [format_percent(accuracy["test"], accuracy["error"]) for accuracy in (own, fresh)]
    return [what, f"{count:,}", tests[0], format_percent(own["train"]), tests[1], format_percent(most)]
