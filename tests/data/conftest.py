"""Fixtures that the tests of `splitvae.data` share: random images, image files, and sources that must be refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from splitvae.data.sources import load
from splitvae.errors import UserError


@pytest.fixture
def noise() -> Callable[..., np.ndarray]:
    """Returns a function: noise(*shape) gives random bytes of that shape, other ones at each call."""
    rng = np.random.default_rng(1)
    return lambda *shape: rng.integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def save() -> Callable[..., None]:
    """Returns a function: save(path, image, **options) writes an array or an image of Pillow's to a new file."""

    def save_image(path: Path, image: np.ndarray | Image.Image, **options: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)

    return save_image


@pytest.fixture
def assert_refused() -> Callable[..., None]:
    """Returns a function: assert_refused(source, *words) asserts that `load` answers with one line that has the words."""

    def assert_load_fails(source: object, *words: str, part: str = "train", **options: int) -> None:
        with pytest.raises(UserError) as error:
            load(source, part, **options)
        for word in words:
            assert word in str(error.value)
        assert "\n" not in str(error.value)

    return assert_load_fails
