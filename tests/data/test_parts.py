"""The parts of a source: what is held out, and which part stands in for another."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch

from splitvae.data.parts import MissingPartError, make_class_labels, select_part
from splitvae.data.sources import load
from splitvae.errors import UserError


def test_a_held_out_tenth_is_disjoint_from_the_rest_and_always_the_same() -> None:
    numbered = np.zeros((50, 4, 4), np.uint8) + np.arange(50, dtype=np.uint8)[:, None, None]
    train, test, again = load(numbered), load(numbered, "test"), load(numbered, "test")
    ids = [set(part.pixels[:, 0, 0, 0].tolist()) for part in (train, test)]
    assert len(train) == 45 and len(test) == 5 and ids[0] | ids[1] == set(range(50))
    assert torch.equal(test.pixels, again.pixels)
    assert "held out 5 of 50" in train.notes[0]
    assert train.divided == test.divided == train[:3].divided == 50 and load(numbered, "all").divided is None
    assert copy.deepcopy(train).divided == pickle.loads(pickle.dumps(train)).divided == 50


def test_a_validation_part_serves_as_test_only_where_there_is_no_test_part() -> None:
    selection = select_part({"train": 9, "validation": 4}, "test", "faces")
    assert (selection.part, selection.rows_of(4).tolist()) == ("validation", [0, 1, 2, 3])
    assert selection.notes == ("faces has no test part: its validation part stands in for it",)
    assert select_part({"train": 9, "validation": 4, "test": 3}, "test", "faces") == ("test", None, ())


def test_missing_parts_and_single_images_are_refused() -> None:
    with pytest.raises(MissingPartError, match="no validation part, only train and test"):
        select_part({"train": 9, "test": 4}, "validation", "faces")
    with pytest.raises(UserError, match=r"1 image in its test part"):
        select_part({"train": 9, "test": 1}, "test", "faces")


def test_integers_that_cannot_be_classes_are_no_labels() -> None:
    assert make_class_labels(np.array([0, 2])) == (pytest.approx(np.array([0, 2])), ("0", "1", "2"))
    for values in ([], [-1, 0], [0, 1 << 16]):
        assert make_class_labels(np.array(values, np.int64)) is None
