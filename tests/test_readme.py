"""README.md: its lines of Python run, and every file that it links to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SMALLER = {'"MY_PHOTOS")': '"digits")[:300]', "width=16, epochs=10": "width=4, epochs=1, preview_every=0"}


def test_the_lines_of_python_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    for given, smaller in SMALLER.items():
        assert given in code
        code = code.replace(given, smaller)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code, names)
    assert (tmp_path / "runs/vae/report.html").exists()
    assert names["canvas"].images.shape == (64, 2, 1, 16, 16)  # type: ignore[attr-defined]  # a Canvas


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_every_link_to_a_file_leads_to_one(page: str) -> None:
    file = ROOT / page
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)\s#]+)", file.read_text(encoding="utf-8")):
        assert (file.parent / target).exists(), target
