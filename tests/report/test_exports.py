"""Tables to copy, the contents of a page, and the best of a row."""

from __future__ import annotations

import csv
import io

import pytest

from splitvae.report.best import find_best
from splitvae.report.contents import add_contents
from splitvae.report.exports import to_csv, to_latex
from splitvae.report.html import render_table

HEADINGS = ["runs/a_b", "c"]
ROWS = [("FID of x̂₁, 50 %", ["12.3 ± 0.4", "1,200"]), ('a "word", σ²', ["−1.5", "<2>"])]


def test_csv_is_read_back_as_it_was() -> None:
    assert list(csv.reader(io.StringIO(to_csv(HEADINGS, ROWS)))) == [
        ["", *HEADINGS],
        *([name, *cells] for name, cells in ROWS),
    ]
    assert next(csv.reader(io.StringIO(to_csv([], ROWS))))[0] == ROWS[0][0]


def test_latex_reads_nothing_as_a_command() -> None:
    text = to_latex(HEADINGS, ROWS)
    assert text.splitlines() == [
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r" & runs/a\_b & c \\",
        r"\midrule",
        r"FID of $\hat{x}_{1}$, 50 \% & 12.3 $\pm$ 0.4 & 1,200 \\",
        r'a "word", $\sigma$$^2$ & $-$1.5 & $<$2$>$ \\',
        r"\bottomrule",
        r"\end{tabular}",
    ]
    assert to_latex([], [("a^b~c\\d", ["{#1}"])]).splitlines()[2] == (
        r"a\textasciicircum{}b\textasciitilde{}c\textbackslash{}d & \{\#1\} \\"
    )


@pytest.mark.parametrize(
    ("cells", "best", "chosen"),
    [
        (["12.3 ± 0.4", "9.99 ± 3", "not measured"], "low", {1}),
        (["12.3 ± 0.4", "9.99 ± 3", "not measured"], "high", {0}),
        (["1,200", "999", "1,200"], "high", {0, 2}),
        (["−1.5", "0.2"], "low", {0}),
        (["5.2e-05", "0.001"], "low", {0}),
        (["3", "3"], "low", set()),
        (["3", "-"], "low", set()),
        (["3", "4"], "", set()),
        (["0 (too early: 30 steps)", "3", "5"], "low", {1}),  # what cannot be judged yet is no best
    ],
)
def test_the_best_is_found_by_the_leading_number(cells: list[str], best: str, chosen: set[int]) -> None:
    assert find_best(cells, best) == chosen


def test_a_table_has_its_best_in_bold_and_copies_below() -> None:
    text = render_table(HEADINGS, ROWS, best=[{1}])
    assert "<td><b>1,200</b></td>" in text and text.count("<b>") == 1
    assert r"12.3 $\pm$ 0.4 &amp; \textbf{1,200} \\" in text and "12.3 ± 0.4,&quot;1,200&quot;" in text
    assert "&lt;2&gt;" in text and "<2>" not in text


def test_contents_link_to_each_heading() -> None:
    body = "<p>lead</p><h2>One</h2>x<h2>Two &amp; a half</h2>y<h2>Three</h2>"
    page = add_contents(body)
    assert page.startswith("<p>lead</p><nav")
    for i, heading in enumerate(("One", "Two &amp; a half", "Three"), start=1):
        assert f'<a href="#part-{i}">{heading}</a>' in page and f'<h2 id="part-{i}">{heading}</h2>' in page
    assert add_contents("<h2>One</h2><h2>Two</h2>") == "<h2>One</h2><h2>Two</h2>"
