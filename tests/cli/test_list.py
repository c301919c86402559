"""`splitvae list`: the presets and every choice by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from splitvae.cli.choices import as_flag, list_registries
from splitvae.data.sources import SOURCE_NAMES
from splitvae.features.registry import EXTRACTORS
from splitvae.metrics.registry import METRICS
from splitvae.presets.registry import PRESETS


def test_the_list_names_every_preset_and_every_choice(command: Callable[..., Any]) -> None:
    status, out, _ = command("list")
    assert status == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert [name for name in PRESETS if name not in lines] == []
    for registry in list_registries():
        assert lines[as_flag(registry.option)].split(None, 1)[1] == ", ".join(registry)
    assert lines["--features"].split(None, 1)[1] == ", ".join(EXTRACTORS)
    for source in (*SOURCE_NAMES, "hf://ORG/NAME[/CONFIG][:SPLIT]", "folder", "tar.gz"):
        assert source in lines["--data"]
    assert lines["--metrics"].split(None, 1)[1] == ", ".join(METRICS)
