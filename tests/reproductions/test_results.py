"""The committed results: each page and each table of the documents is what the committed numbers give."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

import splitvae
from splitvae.reproductions.page import render_page
from splitvae.reproductions.registry import EXPERIMENTS

ROOT = Path(splitvae.__file__).parent.parent
RESULTS = [file for file in sorted((ROOT / "results").glob("*.json")) if file.stem in EXPERIMENTS]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture(scope="module")
def update_tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("update_tables", ROOT / "scripts" / "update_tables.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.stem)
def test_a_page_is_made_of_its_numbers(file: Path) -> None:
    page = file.with_suffix(".md")
    assert page.read_text(encoding="utf-8") == render_page(
        EXPERIMENTS[file.stem], json.loads(file.read_text()), page.with_suffix("")
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_a_table_in_a_document_is_made_of_the_numbers(document: Path, update_tables: ModuleType) -> None:
    text = document.read_text(encoding="utf-8")
    assert update_tables.update(text, ROOT / "results") == text, "type: python scripts/update_tables.py"


def test_a_changed_number_changes_the_table(tmp_path: Path, update_tables: ModuleType) -> None:
    record = {"evaluation": {"reconstruction": {"mse": {"value": 0.5, "deviation": 0.1}}}, "command": ""}
    (tmp_path / "mnist.json").write_text(json.dumps({"runs": {"svae/seed-0": record}, "measures": {}}))
    text = "before\n<!-- table mnist | seeds, MSE | svae, vae -->\nold\n<!-- end of table -->\nafter\n"
    updated = update_tables.update(text, tmp_path)
    assert "| Split-VAE | 1 | 0.500 ± 0.10 |\n" in updated and "old" not in updated
    assert update_tables.update(updated, tmp_path) == updated


@pytest.mark.parametrize("file", sorted((ROOT / "results").glob("*.md")), ids=lambda file: file.stem)
def test_every_picture_of_a_page_exists(file: Path) -> None:
    import re

    for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", file.read_text(encoding="utf-8")):
        assert (file.parent / picture).exists(), picture
