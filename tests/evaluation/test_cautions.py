"""Cautions: an evaluation says where its numbers rest on too little."""

from __future__ import annotations

from pathlib import Path

import pytest

import splitvae
from splitvae import report
from splitvae.evaluation.cautions import find_cautions
from splitvae.evaluation.diagnostics import diagnose
from splitvae.evaluation.tables import evaluation_table, format_value


def evaluation(steps: int | None = 5000, images: int = 1000, bits: float = 3.0) -> dict:
    return {
        "model": {"steps": steps},
        "data": {"images": images},
        "latent": {"inactive_by_mean": 10, "kl": {"value": 20.0, "deviation": 1.0}},
        "split": {"verdict": "syntactic"},
        "likelihood": {"bits_per_dimension": {"value": bits, "deviation": 0.1}},
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 24}, "trained for 24 steps"),
        ({"images": 20}, "20 test images are too few"),
        ({"bits": 8.95}, "8.95 bits a dimension is worse than that of uniform noise"),
    ],
)
def test_each_caution_has_its_sentence(changes: dict, words: str) -> None:
    (caution,) = find_cautions(evaluation(**changes))
    assert words in caution
    assert find_cautions(evaluation()) == find_cautions(evaluation(steps=None)) == find_cautions({}) == []


def test_numbers_of_a_short_training_are_qualified_and_others_are_not() -> None:
    early = evaluation(steps=24)
    assert format_value(early, "split verdict") == "syntactic (too early: 24 steps)"
    assert format_value(early, "latent inactive_by_mean") == "10 (too early: 24 steps)"
    assert format_value(early, "latent kl") == "20.0 ± 1.0"
    assert format_value(evaluation(), "split verdict") == "syntactic"


def test_a_report_after_a_few_steps_makes_no_statement_on_latents_and_split(tmp_path: Path) -> None:
    settings = {"width": 4, "scales": 2, "embedding": 16, "latent_dim": 3, "preview_every": 0, "progress": False}
    run = splitvae.train("digits-svae", out=tmp_path / "run", epochs=1, **settings)
    result = diagnose(run)
    assert result["model"]["steps"] == run.history[-1]["step"] < 1000
    assert len(result["cautions"]) == 1
    assert "Caution: The model was trained for" in evaluation_table(result)
    page = report.write_report([run]).read_text()
    assert "Caution." in page
    assert "of the 3 latents are in use" not in page
    assert "The split is syntactic" not in page
    assert "<small>The split is</small><b>too early</b>" in page
