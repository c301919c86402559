"""Tests of text for people: numbers with their nouns, shortened lines and paths, percentages and columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from splitvae.utils.text import (
    align_columns,
    count_noun,
    format_deviation,
    format_number,
    format_percent,
    shorten_path,
    shorten_text,
)


def test_a_noun_is_in_the_singular_for_one_thing_alone() -> None:
    assert [count_noun(n, "file") for n in (0, 1, 2, 1500)] == ["0 files", "1 file", "2 files", "1,500 files"]
    assert count_noun(2, "class") == "2 classes"


def test_a_line_is_cut_between_words() -> None:
    assert shorten_text("the connection was refused\nby the peer", 20) == "the connection was …"
    assert shorten_text("short  line", 20) == "short  line" and shorten_text("") == ""


def test_paths_are_shown_without_the_folders_of_their_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shorten_path(str(tmp_path / "runs" / "first")) == "runs/first"
    assert shorten_path("/home/somebody/data/photos") == "data/photos"
    assert [shorten_path(name) for name in ("mnist", "hf://a/b/c", "a/b/c")] == ["mnist", "hf://a/b/c", "a/b/c"]


def test_numbers_have_so_many_significant_digits() -> None:
    assert [format_number(value) for value in (0.004, 12345.6, -999.6, 2e6)] == ["0.00400", "12,300", "−1,000", "2.00e+06"]
    assert format_number(0.0416, 2) == "0.042"


def test_deviations_have_two_digits_and_may_be_absent() -> None:
    assert format_deviation({"value": 3.0, "deviation": 0.1234}) == "± 0.12"
    assert format_deviation({"value": 3.0, "deviation": None}) == ""


def test_percentages_have_one_decimal_and_an_error_where_it_is_given() -> None:
    assert format_percent(0.5) == "50.0" and format_percent(0.987, 0.004) == "98.7 ± 0.4"


def test_columns_are_as_wide_as_their_longest_cell_and_lines_end_without_spaces() -> None:
    assert align_columns(["a", "bcd"], [["xyz", "1"], ["", ""]]) == "a    bcd\nxyz  1\n"
