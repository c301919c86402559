"""The best cells of a table, found by the numbers at which their texts begin."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["find_best"]

TOO_EARLY = "too early"
NUMBER = re.compile(r"[-−]?[\d,]*\.?\d+(?:e[-+]?\d+)?")


def find_best(cells: Sequence[str], best: str) -> set[int]:
    """Returns the positions of the best cells; none where fewer than two have numbers, or all are equal.

    Arguments:
        cells: The texts, such as "12.3 ± 0.4" or "not measured"; one that says "too early" is not compared.
        best: "low" or "high", or "" where no number is better than another.
    """
    values = {i: number for i, cell in enumerate(cells) if (number := _leading_number(cell)) is not None}
    if not best or len(set(values.values())) < 2:
        return set()
    chosen = (min if best == "low" else max)(values.values())
    return {i for i, value in values.items() if value == chosen}


def _leading_number(text: str) -> float | None:
    match = NUMBER.match(text) if TOO_EARLY not in text else None
    return float(match[0].replace(",", "").replace("−", "-")) if match else None
