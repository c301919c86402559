"""Tests of text for people: percentages and columns."""

from __future__ import annotations

from splitvae.utils.text import align_columns, format_deviation, format_number, format_percent


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
