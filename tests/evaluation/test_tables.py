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


def test_several_seeds_are_one_row_with_their_deviation() -> None:
    def evaluation(value: float, fingerprint: str = "1") -> dict:
        bank = {c: {"fid": {"value": value + i, "deviation": 0.1}} for i, c in enumerate(("blend", "x1", "x2", "mix"))}
        origin = {
            "real": {"source": "s", "part": "test", "images": 9, "sha256": "0"},
            "extractor": {"name": "f", "fingerprint": fingerprint},
            "sampler": {"name": "gmm", "parameters": {}, "fit_info": {}},
        }
        banks = {"REC": bank, "GEN": bank, "EX-POST": bank}
        score = {"protocol": "clean", "generated": 9, "seed": 0, "banks": banks, **origin}
        samples = {"samples": {"sharpness": {"value": value / 4, "deviation": 0.01}}} if value < 5 else {}
        return {"model": {"parameters": {"total": 1234}}, "scores": {"clean gmm f": score}, **samples}

    (table,) = comparison_tables({"a": [evaluation(1.0), evaluation(3.0)], "b": [evaluation(5.0)]}, "clean")
    assert table.rows[0][:5] == ["a", "1,234", "gmm", "2", "2.00 ± 1.4"]
    assert table.rows[0][6] == "3.00 ± 1.4 (x1)"
    assert table.rows[1][4] == "5.00 ± 0.10"
    assert [row[-1] for row in table.rows] == ["0.500 ± 0.35", "-"]
    assert table.headings[-1] == "GEN sharpness"
    assert len(align_columns(table.headings, table.rows).splitlines()) == 3
    # Distances in other features are never averaged.
    separate = comparison_tables({"a": [evaluation(1.0), evaluation(3.0, "2")]}, "clean")
    assert [t.rows[0][3] for t in separate] == ["1", "1"]
