"""Tests of `load`: what is a source, and which options it takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from splitvae.data.sources import load, load_all


def test_unknown_names_are_answered_with_the_nearest_and_missing_paths_with_their_absence(
    tmp_path: Path, noise: Callable[..., np.ndarray], save: Callable[..., None], assert_refused: Callable[..., None]
) -> None:
    assert_refused("mnsit", "did you mean 'mnist'")
    assert_refused("fashion", "fashion-mnist")
    assert_refused("", "a name, a path")
    assert_refused([1, 2], "item 0 of this list", "an array")
    assert_refused("~nobody-of-this-name/x", "does not exist")
    assert_refused(str(tmp_path / "absent"), "does not exist")
    save(tmp_path / "one.png", noise(8, 8))
    assert_refused(str(tmp_path / "one.png"), "the folder of the images")


@pytest.mark.parametrize(("option", "value"), [("side", 0), ("crop", -1), ("channels", 4)])
def test_impossible_options_are_refused(option: str, value: int, assert_refused: Callable[..., None]) -> None:
    assert_refused("digits", f"{option}={value}", **{option: value})


def test_an_unknown_split_is_refused(assert_refused: Callable[..., None]) -> None:
    assert_refused("digits", "'tset'", part="tset")
    assert_refused("digits", "no validation part", part="validation")


def test_load_all_takes_everything_or_else_the_test_part_with_a_note(tmp_path: Path) -> None:
    whole = load_all("digits")
    assert (whole.part, len(whole), whole.notes) == ("all", 1797, load("digits", "all").notes)
    np.savez(tmp_path / "parts.npz", x_train=np.zeros((9, 8, 8), np.uint8), x_test=np.ones((4, 8, 8), np.uint8))
    part = load_all(tmp_path / "parts.npz")
    assert (part.part, len(part)) == ("test", 4) and "has parts, of which the test part" in part.notes[-1]
