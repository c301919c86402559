"""Text for people: numbers, deviations, percentages, and tables with aligned columns."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = [
    "align_columns",
    "count_noun",
    "format_deviation",
    "format_duration",
    "format_number",
    "format_percent",
    "shorten_path",
    "shorten_text",
]


def format_number(value: float, digits: int = 3) -> str:
    """Formats a number with so many significant digits.

    >>> format_number(12345.6), format_number(0.004)
    ('12,300', '0.00400')
    """
    if 999.5 <= abs(value) < 1e6:
        places = digits - len(str(int(abs(value))))
        return ("−" if value < 0 else "") + f"{round(abs(value), places):,.0f}"
    return ("−" if value < 0 else "") + f"{abs(value):#.{digits}g}".rstrip(".")


def format_deviation(measurement: Mapping[str, float | None]) -> str:
    """Formats the entry "deviation" of a measurement as "± x"; returns "" where it is None."""
    deviation = measurement["deviation"]
    return "" if deviation is None else f"± {format_number(deviation, 2)}"


def format_duration(seconds: float) -> str:
    """Formats a duration in seconds, minutes or hours.

    >>> format_duration(50), format_duration(600), format_duration(9000)
    ('50 s', '10 min', '2.5 h')
    """
    minutes, hours = seconds / 60, seconds / 3600
    return f"{seconds:.0f} s" if minutes < 2 else f"{minutes:.0f} min" if hours < 2 else f"{hours:.1f} h"


def format_percent(share: float, error: float | None = None) -> str:
    """Formats a share in [0, 1] in percent with one decimal and without the sign %.

    Arguments:
        share: The share.
        error: Its standard error, which is appended where it is given.

    >>> format_percent(0.5), format_percent(0.987, 0.004)
    ('50.0', '98.7 ± 0.4')
    """
    percent = f"{100 * share:.1f}"
    return percent if error is None else f"{percent} ± {100 * error:.1f}"


def count_noun(number: int, noun: str) -> str:
    """Returns a number with its noun in the singular or the plural.

    >>> count_noun(1, "process"), count_noun(2000, "process"), count_noun(0, "image")
    ('1 process', '2,000 processes', '0 images')
    """
    return f"{number:,} {noun}{'' if number == 1 else 'es' if noun.endswith('s') else 's'}"


def shorten_text(text: str, width: int = 200) -> str:
    """Returns the first line of a text, without its last words if it is longer than a number of characters.

    >>> shorten_text("the connection was refused", 20)
    'the connection was …'
    """
    line = (text.strip().splitlines() or [""])[0]
    return textwrap.shorten(line, width, placeholder=" …") if len(line) > width else line


def shorten_path(path: str) -> str:
    """Returns an absolute path as others may read it: relative to the working folder, or its last two parts.

    Names, addresses and relative paths are returned unchanged.

    >>> shorten_path("/home/me/photos/cats"), shorten_path("mnist"), shorten_path("hf://org/name")
    ('photos/cats', 'mnist', 'hf://org/name')
    """
    given = Path(path)
    if not given.is_absolute():
        return path
    if given.is_relative_to(Path.cwd()) and given != Path.cwd():
        return str(given.relative_to(Path.cwd()))
    return str(Path(*given.parts[1:][-2:]))


def align_columns(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table as lines of text, with columns that are two spaces apart."""
    widths = [max(len(row[i]) for row in (headings, *rows)) for i in range(len(headings))]
    return "\n".join("  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip() for row in (headings, *rows))
