"""Tables of text: how numbers are printed, and how systems are compared."""

from __future__ import annotations

from splitvae.evaluation.tables import comparison_tables
from splitvae.utils.text import align_columns, format_number


def test_numbers_are_printed_with_their_significant_zeros() -> None:
    assert [format_number(value) for value in (-4687.3, 12345.6)] == ["−4,690", "12,300"]
    assert [format_number(value) for value in (0.004, -0.0416, 20.0, 100.0, 1.66e-5)] == [
        "0.00400",
        "−0.0416",
        "20.0",
        "100",
        "1.66e-05",
    ]


def evaluation(
    value: float,
    fingerprint: str = "1",
    parts: tuple[float, ...] = (1, 2, 3),
    size: int | None = None,
    padding: str = "cut",
) -> dict:
    """An evaluation whose distances are `value` for the blend, and that plus `parts` for x1, x2 and the mix."""
    offsets = dict(zip(("blend", "x1", "x2", "mix"), (0, *parts), strict=True))
    bank: dict = {column: {"fid": {"value": value + offset, "deviation": 0.1}} for column, offset in offsets.items()}
    for i, share in enumerate(("precision", "density", "recall", "coverage")):
        bank["blend"][share] = {"value": value / 10 + i / 100, "deviation": 0.01}
    origin = {
        "real": {"source": "s", "part": "test", "images": 9, "sha256": "0", "shape": [1, 28, 28]},
        "extractor": {"name": "f", "fingerprint": fingerprint},
        "sampler": {"name": "gmm", "parameters": {"components": size}, "fit_info": {}},
        "padding": padding,
    }
    banks = {"REC": bank, "GEN": bank, "EX-POST": bank}
    score = {"protocol": "clean", "generated": 9, "seed": 0, "banks": banks, **origin}
    samples = {"samples": {"sharpness": {"value": value / 4, "deviation": 0.01}}} if value < 5 else {}
    return {"model": {"parameters": {"total": 1234}}, "scores": {"clean gmm f": score}, **samples}


def test_several_seeds_are_one_row_with_their_deviation() -> None:
    table, shares = comparison_tables({"a": [evaluation(1.0), evaluation(3.0)], "b": [evaluation(5.0)]}, "clean")
    assert table.rows[0][:6] == ["a", "1,234", "gmm", "-", "2", "2.00 ± 1.4"]
    assert table.rows[1][5] == "5.00 ± 0.10"
    assert [row[-1] for row in table.rows] == ["0.500 ± 0.35", "-"]
    assert table.headings[-1] == "GEN sharpness"
    assert len(align_columns(table.headings, table.rows).splitlines()) == 3
    assert shares.headings[3:7] == ["GEN precision", "GEN density", "GEN recall", "GEN coverage"]
    assert shares.rows[0][3:7] == ["0.200 ± 0.14", "0.210 ± 0.14", "0.220 ± 0.14", "0.230 ± 0.14"]
    # Distances in other features are never averaged.
    separate = comparison_tables({"a": [evaluation(1.0), evaluation(3.0, "2")]}, "clean")
    assert [t.rows[0][t.headings.index("seeds")] for t in separate] == ["1", "1", "1", "1"]


def test_the_best_part_is_chosen_in_each_run_since_components_are_exchangeable() -> None:
    runs = [evaluation(1.0, parts=(8, 79, 40)), evaluation(1.0, parts=(79, 8, 40))]
    table, _ = comparison_tables({"a": runs}, "clean")
    assert table.rows[0][7] == "9.00 ± 0.0 (x1, x2)"  # the mean of either column by index would be 44.5
    assert "chosen by these distances themselves" in table.description


def test_a_comparison_prints_the_components_of_every_run_and_the_padding() -> None:
    table, _ = comparison_tables({"a": [evaluation(1.0, size=50), evaluation(1.0, size=100)]}, "clean")
    assert table.rows[0][3] == "50, 100"
    assert table.headings[3] == "components"
    table, _ = comparison_tables({"a": [evaluation(1.0, size=20, padding="keep")] * 2}, "clean")
    assert table.rows[0][3] == "20"
    assert "padding kept" in table.description
