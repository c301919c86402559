"""The table of probes: each accuracy with what it is compared with."""

from __future__ import annotations

from typing import Any

from splitvae.probes.tables import probe_table


def test_the_table_shows_each_accuracy_with_what_it_is_compared_with(result: dict[str, Any]) -> None:
    lines = probe_table(result).splitlines()
    rows = [line.split("  ") for line in lines if line.startswith("  ")]
    cells = [[text.strip() for text in row if text.strip()] for row in rows]
    assert cells[0] == [
        "% of labels right",
        "tested",
        "test",
        "training",
        "untrained, test",
        "majority",
    ]  # notes have no heading
    assert [row[0] for row in cells[1:]] == [
        *("style, means", "style, samples", "content, means", "content, samples"),
        "independent style, means",
        *("content of 2, means", "content of 2, samples", "content of 4, means", "content of 4, samples"),
    ]
    assert all(len(row) == 7 for row in cells[1:])  # no accuracy of 15 iterations and 98 test images is settled
    assert all("too few test images" in row[6] for row in cells[1:])
    untrained = result["codes"]["style"]["untrained_samples"]
    assert cells[2][4] == f"{100 * untrained['test']:.1f} ± {100 * untrained['error']:.1f}"
    assert cells[1][5] == f"{100 * result['majority']:.1f}"
    assert lines[-1].startswith("MSE of reconstructions")
