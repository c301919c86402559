"""Fixtures that the tests of `splitvae.features` share: a trained classifier, small networks, and Inception in numpy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor, nn

from splitvae import load
from splitvae.errors import UserError
from splitvae.features import classifier_training
from splitvae.features.classifier import Classifier
from splitvae.features.classifier_training import load_or_train


@pytest.fixture
def refused() -> Callable[..., AbstractContextManager[None]]:
    """Returns a context manager: refused(*words) asserts that its block raises a UserError of one line with the words."""

    @contextmanager
    def block_is_refused(*words: str) -> Iterator[None]:
        with pytest.raises(UserError) as error:
            yield
        for word in words:
            assert word in str(error.value)
        assert "\n" not in str(error.value)

    return block_is_refused


@pytest.fixture
def build_network() -> Callable[..., nn.Module]:
    """Returns a function: build_network(channels, dim) gives a small network, always with the same weights."""

    def build(channels: int = 3, dim: int = 5) -> nn.Module:
        torch.manual_seed(1)
        return nn.Sequential(nn.Conv2d(channels, dim, 3), nn.BatchNorm2d(dim), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1))

    return build


# ---------------------------------------------------------------- a trained classifier


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of all networks that tests train for more than a few steps, so that each is trained once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, shared_cache: Path) -> None:
    """Makes a test use the shared cache, and half the steps of a training."""
    monkeypatch.setenv("SPLITVAE_DATA", str(shared_cache))
    monkeypatch.setattr(classifier_training, "MIN_STEPS", 100)


@pytest.fixture(scope="session")
def digits_classifier(shared_cache: Path) -> Classifier:
    """The classifier of scikit-learn's digits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPLITVAE_DATA", str(shared_cache))
        patch.setattr(classifier_training, "MIN_STEPS", 100)
        return load_or_train(load("digits"), "classifier", torch.device("cpu"), progress=False)


@pytest.fixture
def quick_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Makes a test use an empty cache, and trainings of three steps; returns the folder of the trained networks."""
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path))
    monkeypatch.setattr(classifier_training, "MIN_STEPS", 3)
    monkeypatch.setattr(classifier_training, "MAX_STEPS", 3)
    return tmp_path / "features"


# ---------------------------------------------------------------- Inception-v3 in numpy, for one image


def pool_3x3(x: np.ndarray, reduce: Callable[..., np.ndarray], stride: int = 1, same: bool = True) -> np.ndarray:
    """Pools (C, H, W) over 3x3 pixels, without the padding."""
    if same:
        x = np.pad(x, ((0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    return reduce(sliding_window_view(x, (3, 3), (1, 2))[:, ::stride, ::stride], axis=(3, 4))


class NumpyInception:
    """The published network written out for one image (3, H, W) in float64.

    It draws each tensor where it is first used, so that activations stay of order 1: `state` becomes the published
    layout.
    """

    def __init__(self) -> None:
        self.state: dict[str, np.ndarray] = {}
        self.random = np.random.default_rng(0)

    def draw(self, name: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        if name not in self.state:
            self.state[name] = make().astype(np.float32)
        return self.state[name].astype(np.float64)

    def conv(
        self, name: str, x: np.ndarray, out: int, size: tuple[int, int], stride: int = 1, pad: bool = True
    ) -> np.ndarray:
        (rows, columns), random = size, self.random
        scale = (2 / (len(x) * rows * columns)) ** 0.5
        kernel = self.draw(f"{name}.conv.weight", lambda: random.standard_normal((out, len(x), rows, columns)) * scale)
        if pad:
            x = np.pad(x, ((0, 0), (rows // 2,) * 2, (columns // 2,) * 2))
        windows = sliding_window_view(x, (rows, columns), (1, 2))[:, ::stride, ::stride]  # (inputs, H, W, rows, columns)
        y = np.tensordot(kernel, windows, ((1, 2, 3), (0, 3, 4)))
        weight = self.draw(f"{name}.bn.weight", lambda: random.uniform(0.5, 1.5, out))
        bias = self.draw(f"{name}.bn.bias", lambda: 0.3 * random.standard_normal(out))
        mean = self.draw(f"{name}.bn.running_mean", lambda: y.mean((1, 2)) + 0.1 * y.std() * random.standard_normal(out))
        var = self.draw(f"{name}.bn.running_var", lambda: y.var() * random.uniform(0.5, 2, out))
        weight, bias, mean, var = (v[:, None, None] for v in (weight, bias, mean, var))
        return np.maximum(weight * (y - mean) / np.sqrt(var + 0.001) + bias, 0)

    def block_a(self, name: str, x: np.ndarray, last: int) -> np.ndarray:
        one = self.conv(f"{name}.branch1x1", x, 64, (1, 1))
        five = self.conv(f"{name}.branch5x5_1", x, 48, (1, 1))
        five = self.conv(f"{name}.branch5x5_2", five, 64, (5, 5))
        three = self.conv(f"{name}.branch3x3dbl_1", x, 64, (1, 1))
        three = self.conv(f"{name}.branch3x3dbl_2", three, 96, (3, 3))
        three = self.conv(f"{name}.branch3x3dbl_3", three, 96, (3, 3))
        pool = self.conv(f"{name}.branch_pool", pool_3x3(x, np.nanmean), last, (1, 1))
        return np.concatenate((one, five, three, pool))

    def block_b(self, name: str, x: np.ndarray) -> np.ndarray:
        three = self.conv(f"{name}.branch3x3", x, 384, (3, 3), 2, False)
        double = self.conv(f"{name}.branch3x3dbl_1", x, 64, (1, 1))
        double = self.conv(f"{name}.branch3x3dbl_2", double, 96, (3, 3))
        double = self.conv(f"{name}.branch3x3dbl_3", double, 96, (3, 3), 2, False)
        return np.concatenate((three, double, pool_3x3(x, np.max, 2, False)))

    def block_c(self, name: str, x: np.ndarray, width: int) -> np.ndarray:
        one = self.conv(f"{name}.branch1x1", x, 192, (1, 1))
        seven = self.conv(f"{name}.branch7x7_1", x, width, (1, 1))
        seven = self.conv(f"{name}.branch7x7_2", seven, width, (1, 7))
        seven = self.conv(f"{name}.branch7x7_3", seven, 192, (7, 1))
        double = self.conv(f"{name}.branch7x7dbl_1", x, width, (1, 1))
        double = self.conv(f"{name}.branch7x7dbl_2", double, width, (7, 1))
        double = self.conv(f"{name}.branch7x7dbl_3", double, width, (1, 7))
        double = self.conv(f"{name}.branch7x7dbl_4", double, width, (7, 1))
        double = self.conv(f"{name}.branch7x7dbl_5", double, 192, (1, 7))
        pool = self.conv(f"{name}.branch_pool", pool_3x3(x, np.nanmean), 192, (1, 1))
        return np.concatenate((one, seven, double, pool))

    def block_d(self, name: str, x: np.ndarray) -> np.ndarray:
        three = self.conv(f"{name}.branch3x3_1", x, 192, (1, 1))
        three = self.conv(f"{name}.branch3x3_2", three, 320, (3, 3), 2, False)
        seven = self.conv(f"{name}.branch7x7x3_1", x, 192, (1, 1))
        seven = self.conv(f"{name}.branch7x7x3_2", seven, 192, (1, 7))
        seven = self.conv(f"{name}.branch7x7x3_3", seven, 192, (7, 1))
        seven = self.conv(f"{name}.branch7x7x3_4", seven, 192, (3, 3), 2, False)
        return np.concatenate((three, seven, pool_3x3(x, np.max, 2, False)))

    def block_e(self, name: str, x: np.ndarray, pool: Callable[..., np.ndarray]) -> np.ndarray:
        one = self.conv(f"{name}.branch1x1", x, 320, (1, 1))
        three = self.conv(f"{name}.branch3x3_1", x, 384, (1, 1))
        wide = self.conv(f"{name}.branch3x3_2a", three, 384, (1, 3))
        high = self.conv(f"{name}.branch3x3_2b", three, 384, (3, 1))
        double = self.conv(f"{name}.branch3x3dbl_1", x, 448, (1, 1))
        double = self.conv(f"{name}.branch3x3dbl_2", double, 384, (3, 3))
        double_wide = self.conv(f"{name}.branch3x3dbl_3a", double, 384, (1, 3))
        double_high = self.conv(f"{name}.branch3x3dbl_3b", double, 384, (3, 1))
        last = self.conv(f"{name}.branch_pool", pool_3x3(x, pool), 192, (1, 1))
        return np.concatenate((one, wide, high, double_wide, double_high, last))

    def __call__(self, x: np.ndarray, last_pool: Callable[..., np.ndarray] = np.nanmax) -> np.ndarray:
        x = self.conv("Conv2d_1a_3x3", x, 32, (3, 3), 2, False)
        x = self.conv("Conv2d_2a_3x3", x, 32, (3, 3), 1, False)
        x = pool_3x3(self.conv("Conv2d_2b_3x3", x, 64, (3, 3)), np.max, 2, False)
        x = self.conv("Conv2d_3b_1x1", x, 80, (1, 1))
        x = pool_3x3(self.conv("Conv2d_4a_3x3", x, 192, (3, 3), 1, False), np.max, 2, False)
        for name, last in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
            x = self.block_a(name, x, last)
        x = self.block_b("Mixed_6a", x)
        for name, width in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
            x = self.block_c(name, x, width)
        x = self.block_d("Mixed_7a", x)
        x = self.block_e("Mixed_7b", x, np.nanmean)
        x = self.block_e("Mixed_7c", x, last_pool)
        self.draw("fc.weight", lambda: 0.01 * self.random.standard_normal((1008, 2048)))
        self.draw("fc.bias", lambda: np.zeros(1008))
        return x.mean((1, 2))


class DrawnInception:
    """Random weights, an image, and the features that the network in numpy has with them for either last pool."""

    def __init__(self) -> None:
        side = 139  # leaves a last map of 3x3, the smallest in which the pools differ
        self.image = np.random.default_rng(1).uniform(-1, 1, (3, side, side))
        network = NumpyInception()
        self.features = {"max": network(self.image), "avg": network(self.image, np.nanmean)}
        self.state = {name: torch.from_numpy(value) for name, value in network.state.items()}

    def without_scale(self) -> dict[str, Tensor]:
        """The same network with the scales of normalisation in kernels and means: a k.x - a m = (a k).x - (a m)."""
        state = {name: value for name, value in self.state.items() if not name.startswith("fc.")}
        for name in [name for name in state if name.endswith(".bn.weight")]:
            scale, layer = state.pop(name), name.removesuffix(".bn.weight")
            state[f"{layer}.conv.weight"] = state[f"{layer}.conv.weight"] * scale[:, None, None, None]
            state[f"{layer}.bn.running_mean"] = state[f"{layer}.bn.running_mean"] * scale
        return state


@pytest.fixture(scope="session")
def drawn_inception() -> DrawnInception:
    return DrawnInception()


@pytest.fixture(scope="session")
def inception_file(drawn_inception: DrawnInception, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the random weights in the published layout."""
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(drawn_inception.state, path)
    return path
