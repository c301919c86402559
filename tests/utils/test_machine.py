"""Tests of facts about this machine and process."""

from __future__ import annotations

import platform

import pytest
import torch

import splitvae
from splitvae.utils.machine import describe_versions, is_main_process, versions


def test_versions_are_those_that_run() -> None:
    assert versions() == {"splitvae": splitvae.__version__, "torch": torch.__version__}
    assert describe_versions().endswith(f"torch {torch.__version__}, Python {platform.python_version()}")


def test_only_rank_zero_of_node_zero_is_the_main_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.delenv("NODE_RANK", raising=False)
    assert is_main_process()
    for name in ("LOCAL_RANK", "NODE_RANK"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "1")
            assert not is_main_process()
