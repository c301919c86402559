"""The papers of a run's methods: every key has an entry, every choice with a paper is named."""

from __future__ import annotations

import pytest

from splitvae.config import Config
from splitvae.presets import references
from splitvae.presets.references import find_references
from splitvae.presets.registry import find_preset


def test_every_key_has_an_entry_and_every_entry_is_used() -> None:
    tables = (references.OBJECTIVES, references.VARIANCES, references.LATENTS, references.SAMPLERS)
    used = {references.SPLIT, *references.DISTANCES, *(key for table in tables for keys in table.values() for key in keys)}
    assert used == references._entries().keys()
    for text in references._entries().values():
        assert text.count("{") == text.count("}") and "title" in text and "year" in text and "author" in text


@pytest.mark.parametrize(
    ("preset", "options", "samplers", "keys"),
    [
        ("mnist-svae", {}, (), ["asperti2022split", "kingma2014auto"]),
        ("mnist-vae", {"variance": "optimal"}, ("gmm",), ["kingma2014auto", "rybkin2021simple", "ghosh2020from"]),
        ("mnist-rae-l2", {}, ("gmm",), ["ghosh2020from"]),
        ("mnist-2svae", {}, ("second-stage",), ["kingma2014auto", "dai2019diagnosing"]),
        ("mnist-intro", {"split": 2}, (), ["asperti2022split", "huang2018introvae"]),
        ("mnist-ml-vae", {}, ("flow",), ["kingma2014auto", "bouchacourt2018multi", "durkan2019neural"]),
    ],
)
def test_a_run_cites_its_methods_once(
    preset: str, options: dict[str, object], samplers: tuple[str, ...], keys: list[str]
) -> None:
    config: Config = find_preset(preset, **options)
    assert list(find_references(config, samplers)) == keys
    assert list(find_references(config, samplers, distances=True))[-3:] == list(references.DISTANCES)
