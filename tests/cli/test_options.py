"""Shared options: each is defined once, and its values are checked in one way."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable
from typing import Any, get_args, get_type_hints

import pytest

from splitvae.cli import options
from splitvae.cli.app import COMMANDS
from splitvae.cli.options import check_least, find_option
from splitvae.errors import UserError
from splitvae.features.registry import EXTRACTORS
from splitvae.samplers.registry import SAMPLERS


def marks_of(hint: Any) -> list[Any]:
    """The marks of a type and of the types that it is made of, such as those of `Seed | None`."""
    return [*getattr(hint, "__metadata__", ()), *(mark for part in get_args(hint) for mark in marks_of(part))]


def test_an_option_of_several_commands_is_defined_once() -> None:
    shared = {id(mark) for name in options.__all__ for mark in getattr(getattr(options, name), "__metadata__", ())}
    marks: dict[str, list[set[int]]] = defaultdict(list)
    for kind in COMMANDS.values():
        if dataclasses.is_dataclass(kind):
            hints = get_type_hints(kind, include_extras=True)
            for field in dataclasses.fields(kind):
                marks[field.name].append({id(mark) for mark in marks_of(hints[field.name])})
    repeated = {name: definitions for name, definitions in marks.items() if len(definitions) > 1}
    assert {"run", "runs", "seed", "n", "data", "part", "out", "features", "sampler", "components"} <= repeated.keys()
    assert [name for name, definitions in repeated.items() if not all(own & shared for own in definitions)] == []


def test_the_help_names_every_registered_sampler_and_extractor(command: Callable[..., Any]) -> None:
    sample, evaluate, categories = (command(name, "--help").out for name in ("sample", "evaluate", "categories"))
    assert [name for name in SAMPLERS if name not in sample or name not in evaluate] == []
    assert tuple(SAMPLERS) == options.SAMPLER_NAMES  # written twice, so that no slow import is needed
    assert [name for name in EXTRACTORS if name not in evaluate or name not in categories] == []


def test_the_value_of_an_option_is_found_before_the_others_are_parsed() -> None:
    words = ["--net", "mlp", "--out=a=b", "--net", "rae", "--loss", "--beta", "2", "--sampler"]
    assert find_option(words, "--net") == "rae"  # the last one counts, as for the parser
    assert find_option(words, "--out") == "a=b"
    assert find_option(words, "--loss") is None  # its value is missing, which the parser reports
    assert find_option(words, "--sampler") is None
    assert find_option([], "--net") is None


def test_a_value_below_the_least_is_named_as_it_was_typed() -> None:
    check_least(1, n=1, seed=2)
    with pytest.raises(UserError, match=r"^-n 0 must be at least 1\.$"):
        check_least(1, n=0)
    with pytest.raises(UserError, match=r"^--group-members -1 leaves nothing; it must be at least 0\.$"):
        check_least(0, "leaves nothing", group_members=-1)
