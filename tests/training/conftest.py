"""What tests of training share: few images, and the comparison of checkpoints bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import splitvae


@pytest.fixture(scope="session")
def images() -> splitvae.Images:
    """350 of the digits, 16 pixels high and wide."""
    digits = splitvae.load("digits", side=16)
    return splitvae.Images(digits.pixels[:350], None, (), "digits", "train", ())


@pytest.fixture(scope="session")
def same() -> Callable[[Any, Any], bool]:
    """A function that compares nested states bit for bit, save for clocks."""

    def compare(a: Any, b: Any) -> bool:
        if isinstance(a, torch.Tensor):
            return torch.equal(a, b)
        if isinstance(a, dict):
            clocks = {"seconds", "images_per_second"}
            return a.keys() == b.keys() and all(compare(a[k], b[k]) for k in a.keys() - clocks)
        if isinstance(a, list | tuple):
            return len(a) == len(b) and all(compare(x, y) for x, y in zip(a, b, strict=True))
        return bool(a == b)

    return compare
