"""Metrics are functions of tensors: importing them loads no trainer, no run, and no hub."""

from __future__ import annotations

import subprocess
import sys

STATEMENTS = [
    "import splitvae.metrics",
    "from splitvae.metrics import frechet_distance",
    "import splitvae.metrics; [getattr(splitvae.metrics, name) for name in splitvae.metrics.__all__]",
]

HEAVY = (
    "lightning_fabric",
    "huggingface_hub",
    "datasets",
    "matplotlib",
    "splitvae.training",
    "splitvae.runs",
    "splitvae.cli",
)


def loaded_by(statement: str) -> list[str]:
    """The modules that a statement loads, in a process of its own."""
    code = f"import sys; {statement}; print(*sys.modules)"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()


def test_importing_metrics_loads_no_trainer_no_run_and_no_hub() -> None:
    for statement in STATEMENTS:
        modules = loaded_by(statement)
        assert "splitvae.metrics" in modules
        heavy = [name for name in modules if name in HEAVY or name.startswith(tuple(f"{name}." for name in HEAVY))]
        assert heavy == [], statement
    assert "splitvae.metrics.likelihood" in modules  # by the last statement, which takes every name
    assert "splitvae.models.vae" not in modules
