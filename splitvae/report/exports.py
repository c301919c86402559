"""A table of a page as LaTeX and as CSV, to be copied into a paper or a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Sequence

__all__ = ["to_csv", "to_latex"]

LATEX = {  # of characters that LaTeX reads as commands, or that its fonts lack
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "²": "$^2$",
    "<": "$<$",
    ">": "$>$",
    "σ": r"$\sigma$",
    "μ": r"$\mu$",
    "β": r"$\beta$",
    "Σ": r"$\Sigma$",
}
SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
HAT = re.compile("([a-z])\N{COMBINING CIRCUMFLEX ACCENT}([₀-₉]*)")


def to_csv(headings: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Returns a table as comma-separated values, with a first line of headings if there are some."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    if headings:
        writer.writerow(["", *headings])
    writer.writerows([name, *cells] for name, cells in rows)
    return buffer.getvalue()


def to_latex(
    headings: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], best: Sequence[Collection[int]] = ()
) -> str:
    """Returns a table as a LaTeX tabular with the rules of the package booktabs.

    Arguments:
        headings: The headings of the columns, or nothing for a table of one column.
        rows: The heading and the cells of each row.
        best: For each row the positions of the cells that are bold.
    """
    count = len(rows[0][1]) if rows else len(headings)
    lines = [rf"\begin{{tabular}}{{l{'r' * count}}}", r"\toprule"]
    if headings:
        lines += [_line(["", *headings]), r"\midrule"]
    for i, (name, cells) in enumerate(rows):
        bold = best[i] if i < len(best) else ()
        lines.append(_line([name, *cells], [j + 1 for j in bold]))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _line(cells: Sequence[str], bold: Collection[int] = ()) -> str:
    texts = [rf"\textbf{{{_escape(cell)}}}" if i in bold else _escape(cell) for i, cell in enumerate(cells)]
    return f"{' & '.join(texts)} \\\\"


def _escape(text: str) -> str:
    """Returns a text in which nothing is read as a command.

    >>> _escape("x̂₁ 50 % ± 2")
    '$\\\\hat{x}_{1}$ 50 \\\\% $\\\\pm$ 2'
    """
    parts = HAT.split(text)  # plain, letter, subscripts, plain, ...
    escaped = ["".join(LATEX.get(character, character) for character in part) for part in parts[::3]]
    for i, (letter, number) in enumerate(zip(parts[1::3], parts[2::3], strict=True)):
        subscript = f"_{{{number.translate(SUBSCRIPTS)}}}" if number else ""
        escaped[i] += rf"$\hat{{{letter}}}{subscript}$"
    return "".join(escaped)
