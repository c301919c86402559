"""Tests of facts about this machine and process."""

from __future__ import annotations

import platform

import torch

import splitvae
from splitvae.utils.machine import describe_versions, versions


def test_versions_are_those_that_run() -> None:
    assert versions() == {"splitvae": splitvae.__version__, "torch": torch.__version__}
    assert describe_versions().endswith(f"torch {torch.__version__}, Python {platform.python_version()}")
