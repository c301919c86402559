"""TODO docstring of utils.text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["align_columns", "format_deviation", "format_number"]


def format_number(value: float, digits: int = 3) -> str:
    """A number to so many significant digits."""
    if 999.5 <= abs(value) < 1e6:
        places = digits - len(str(int(abs(value))))
        return ("−" if value < 0 else "") + f"{round(abs(value), places):,.0f}"
    return ("−" if value < 0 else "") + f"{abs(value):#.{digits}g}".rstrip(".")


def format_deviation(measured: Mapping[str, float | None]) -> str:
    """The deviation of a measured number; empty where there is none."""
    deviation = measured["deviation"]
    return "" if deviation is None else f"± {format_number(deviation, 2)}"


def align_columns(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as lines of text."""
    widths = [max(len(row[i]) for row in (headings, *rows)) for i in range(len(headings))]
    return "\n".join("  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip() for row in (headings, *rows))
