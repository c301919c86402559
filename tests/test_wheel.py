"""The wheel, not only the editable installation, holds every package and its data."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import splitvae

ROOT = Path(splitvae.__file__).parent.parent


def test_a_wheel_holds_every_file_and_is_imported_from(tmp_path: Path) -> None:
    source, site = tmp_path / "source", tmp_path / "site"
    shutil.copytree(ROOT / "splitvae", source / "splitvae", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = "from setuptools.build_meta import build_wheel; import sys; print(build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("splitvae-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("splitvae/")}
        archive.extractall(site)
    assert packed == {str(file.relative_to(source)) for file in (source / "splitvae").rglob("*") if file.is_file()}
    words = "import splitvae, splitvae.data.sources, splitvae.report.page as page\n"
    words += "print(splitvae.__file__, len(page.render_page('', '')))"
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", words], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    file, length = done.stdout.split()
    assert Path(file) == site / "splitvae" / "__init__.py" and int(length) > 1000
