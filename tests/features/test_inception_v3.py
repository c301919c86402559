"""The Inception networks against the same networks written out in numpy and built by Keras, on drawn weights."""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor, nn

from splitvae.errors import UserError
from splitvae.features.inception_v3 import RESIZES, FIDInception, InceptionV3, KerasInception, resize_half_pixel, resize_tf1
from splitvae.features.inception_weights import (
    KERAS_WEIGHTS,
    TF2015_WEIGHTS,
    PublishedFile,
    find_weights,
    read_keras_h5,
    read_state_dict,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning"),  # Keras's
    pytest.mark.filterwarnings("ignore:Detected pickle protocol"),
]
SIDE = 139  # leaves a last map of 3x3, the smallest in which the pools differ


def pooled(x: np.ndarray, what: Callable[..., np.ndarray], stride: int = 1, same: bool = True) -> np.ndarray:
    """A 3x3 pool of (C, H, W), blind to the padding."""
    if same:
        x = np.pad(x, ((0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    return what(sliding_window_view(x, (3, 3), (1, 2))[:, ::stride, ::stride], axis=(3, 4))


class ByHand:
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
        pool = self.conv(f"{name}.branch_pool", pooled(x, np.nanmean), last, (1, 1))
        return np.concatenate((one, five, three, pool))

    def block_b(self, name: str, x: np.ndarray) -> np.ndarray:
        three = self.conv(f"{name}.branch3x3", x, 384, (3, 3), 2, False)
        double = self.conv(f"{name}.branch3x3dbl_1", x, 64, (1, 1))
        double = self.conv(f"{name}.branch3x3dbl_2", double, 96, (3, 3))
        double = self.conv(f"{name}.branch3x3dbl_3", double, 96, (3, 3), 2, False)
        return np.concatenate((three, double, pooled(x, np.max, 2, False)))

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
        pool = self.conv(f"{name}.branch_pool", pooled(x, np.nanmean), 192, (1, 1))
        return np.concatenate((one, seven, double, pool))

    def block_d(self, name: str, x: np.ndarray) -> np.ndarray:
        three = self.conv(f"{name}.branch3x3_1", x, 192, (1, 1))
        three = self.conv(f"{name}.branch3x3_2", three, 320, (3, 3), 2, False)
        seven = self.conv(f"{name}.branch7x7x3_1", x, 192, (1, 1))
        seven = self.conv(f"{name}.branch7x7x3_2", seven, 192, (1, 7))
        seven = self.conv(f"{name}.branch7x7x3_3", seven, 192, (7, 1))
        seven = self.conv(f"{name}.branch7x7x3_4", seven, 192, (3, 3), 2, False)
        return np.concatenate((three, seven, pooled(x, np.max, 2, False)))

    def block_e(self, name: str, x: np.ndarray, pool: Callable[..., np.ndarray]) -> np.ndarray:
        one = self.conv(f"{name}.branch1x1", x, 320, (1, 1))
        three = self.conv(f"{name}.branch3x3_1", x, 384, (1, 1))
        wide = self.conv(f"{name}.branch3x3_2a", three, 384, (1, 3))
        high = self.conv(f"{name}.branch3x3_2b", three, 384, (3, 1))
        double = self.conv(f"{name}.branch3x3dbl_1", x, 448, (1, 1))
        double = self.conv(f"{name}.branch3x3dbl_2", double, 384, (3, 3))
        double_wide = self.conv(f"{name}.branch3x3dbl_3a", double, 384, (1, 3))
        double_high = self.conv(f"{name}.branch3x3dbl_3b", double, 384, (3, 1))
        last = self.conv(f"{name}.branch_pool", pooled(x, pool), 192, (1, 1))
        return np.concatenate((one, wide, high, double_wide, double_high, last))

    def __call__(self, x: np.ndarray, last_pool: Callable[..., np.ndarray] = np.nanmax) -> np.ndarray:
        x = self.conv("Conv2d_1a_3x3", x, 32, (3, 3), 2, False)
        x = self.conv("Conv2d_2a_3x3", x, 32, (3, 3), 1, False)
        x = pooled(self.conv("Conv2d_2b_3x3", x, 64, (3, 3)), np.max, 2, False)
        x = self.conv("Conv2d_3b_1x1", x, 80, (1, 1))
        x = pooled(self.conv("Conv2d_4a_3x3", x, 192, (3, 3), 1, False), np.max, 2, False)
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


IMAGE = np.random.default_rng(1).uniform(-1, 1, (3, SIDE, SIDE))


class Published2015:
    """The drawn weights, and what the network makes of IMAGE with them."""

    def __init__(self) -> None:
        network = ByHand()
        self.features = {"max": network(IMAGE), "avg": network(IMAGE, np.nanmean)}
        self.state = {name: torch.from_numpy(value) for name, value in network.state.items()}

    def without_scale(self) -> dict[str, Tensor]:
        """The same network with the scales of normalisation in kernels and means: a k.x - a m = (a k).x - (a m)."""
        state = {name: value for name, value in self.state.items() if not name.startswith("fc.")}
        for name in [name for name in state if name.endswith(".bn.weight")]:
            scale, layer = state.pop(name), name.removesuffix(".bn.weight")
            state[f"{layer}.conv.weight"] = state[f"{layer}.conv.weight"] * scale[:, None, None, None]
            state[f"{layer}.bn.running_mean"] = state[f"{layer}.bn.running_mean"] * scale
        return state


@pytest.fixture(scope="module")
def drawn() -> Published2015:
    return Published2015()


@pytest.fixture(scope="module")
def file(drawn: Published2015, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(drawn.state, path)
    return path


@pytest.fixture(scope="module")
def extractor(file: Path) -> FIDInception:
    return FIDInception(file)


def images(count: int, channels: int = 3, side: int = 32) -> Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(count))


def distance(found: Tensor, expected: Any) -> float:
    """The largest difference, relative to the largest expected number."""
    expected = torch.as_tensor(expected)
    return float((found - expected).abs().max() / expected.abs().max())


# ---------------------------------------------------------------- the network


def test_the_layout_is_the_published_one(drawn: Published2015) -> None:
    assert len(drawn.state) == 472 and sum(v.numel() for v in drawn.state.values()) == 23_885_392
    stem = dict.fromkeys(("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"), 5)
    blocks = dict.fromkeys(("Mixed_5b", "Mixed_5c", "Mixed_5d"), 35) | {"Mixed_6a": 20}
    blocks |= dict.fromkeys(("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"), 50) | {"Mixed_7a": 30}
    blocks |= dict.fromkeys(("Mixed_7b", "Mixed_7c"), 45)
    assert Counter(name.split(".")[0] for name in drawn.state) == stem | blocks | {"fc": 2}
    network = InceptionV3()
    assert {k: v.shape for k, v in network.state_dict().items()} == {k: v.shape for k, v in drawn.state.items()}
    assert sum(p.numel() for p in network.parameters()) == 23_850_960
    assert sum(v.numel() for k, v in network.state_dict().items() if k.endswith(".bn.bias")) == 17_216
    assert sum(v.numel() for v in InceptionV3("avg", scale=False, classes=0).state_dict().values()) == 21_802_784


@pytest.mark.parametrize("pool", ["max", "avg"])
def test_the_network_agrees_with_one_written_out_in_numpy(drawn: Published2015, pool: Any) -> None:
    network = InceptionV3(pool)
    network.load_state_dict(drawn.state)
    with torch.no_grad():
        features = network.double()(torch.from_numpy(IMAGE)[None])
    assert features.shape == (1, 2048)
    assert distance(features[0], drawn.features[pool]) < 1e-12  # float64
    assert distance(features[0], drawn.features["avg" if pool == "max" else "max"]) > 1e-2


def test_the_two_versions_differ_in_the_last_pool_and_the_scale_alone(drawn: Published2015) -> None:
    network = InceptionV3("avg", scale=False, classes=0)
    network.load_state_dict(drawn.without_scale())
    with torch.no_grad():
        features = network.double()(torch.from_numpy(IMAGE)[None])
    assert distance(features[0], drawn.features["avg"]) < 1e-5  # scales are rounded into float32 kernels


@pytest.mark.parametrize(
    ("block", "layers"),
    [
        ("Mixed_5b", "branch3x3dbl_1 branch5x5_1 branch3x3dbl_2 branch1x1 branch5x5_2 branch3x3dbl_3 branch_pool"),
        ("Mixed_6a", "branch3x3dbl_1 branch3x3dbl_2 branch3x3 branch3x3dbl_3"),
        (
            "Mixed_6b",
            "branch7x7dbl_1 branch7x7dbl_2 branch7x7_1 branch7x7dbl_3 branch7x7_2 branch7x7dbl_4 "
            "branch1x1 branch7x7_3 branch7x7dbl_5 branch_pool",
        ),
        ("Mixed_7a", "branch7x7x3_1 branch7x7x3_2 branch3x3_1 branch7x7x3_3 branch3x3_2 branch7x7x3_4"),
        (
            "Mixed_7c",
            "branch3x3dbl_1 branch3x3_1 branch3x3dbl_2 "
            "branch3x3_2a branch3x3_2b branch3x3dbl_3a branch3x3dbl_3b branch1x1 branch_pool",
        ),
    ],
)
def test_layers_are_listed_by_their_distance_from_the_output(block: str, layers: str) -> None:
    with torch.device("meta"):
        order = list(InceptionV3().by_depth())
    assert len(order) == len(set(order)) == 94
    assert [name.partition(".")[2] for name in order if name.startswith(f"{block}.")] == layers.split()


# ---------------------------------------------------------------- images to 299x299


@pytest.mark.parametrize("size", [(5, 13), (28, 28), (64, 48), (400, 512)])
def test_tf1_resizes_as_its_formula_says(size: tuple[int, int]) -> None:
    image = torch.rand(1, 2, *size)
    resized = resize_tf1(image)
    assert resized.shape == (1, 2, 299, 299)
    plain = image[0].double().numpy()
    for i, j in [(0, 0), (298, 298), *torch.randint(299, (200, 2)).tolist()]:
        v, u = i * size[0] / 299, j * size[1] / 299
        top, left = int(v), int(u)
        bottom, right = min(top + 1, size[0] - 1), min(left + 1, size[1] - 1)
        above = plain[:, top, left] * (1 - u + left) + plain[:, top, right] * (u - left)
        below = plain[:, bottom, left] * (1 - u + left) + plain[:, bottom, right] * (u - left)
        expected = above * (1 - v + top) + below * (v - top)
        assert np.abs(resized[0, :, i, j].numpy() - expected).max() < 1e-4  # positions up to 512 in float32


@pytest.mark.parametrize(("side", "shift"), [(28, 0.453), (32, 0.446), (64, 0.393)])
def test_the_resizes_differ_by_their_shift(side: int, shift: float) -> None:
    ramp = torch.arange(side, dtype=torch.float64).expand(1, 1, side, side)  # reads where it is read
    for image, axis in ((ramp, 3), (ramp.mT, 2)):
        moved = (resize_tf1(image) - resize_half_pixel(image)).narrow(axis, 20, 250)  # where neither meets an edge
        assert moved.min() > shift - 1e-3 and moved.max() < shift + 1e-3


def test_images_of_299_pixels_are_left_alone() -> None:
    image = torch.rand(1, 3, 299, 299)
    assert torch.equal(resize_tf1(image), image)
    assert torch.allclose(resize_half_pixel(image), image, atol=1e-6)


def test_each_resize_has_its_range() -> None:
    black_gray_white = torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1, 1).expand(3, 1, 32, 32)
    for resize, expected in {"tf1": [-1.0, -1 / 256, 127 / 128], "half-pixel": [-1.0, 0.0, 1.0]}.items():
        read = RESIZES[resize](black_gray_white)
        assert torch.allclose(read, torch.tensor(expected).view(3, 1, 1, 1).expand(3, 1, 299, 299), atol=1e-6)


# ---------------------------------------------------------------- extractors


def test_features_depend_on_neither_batch_nor_mode(extractor: FIDInception) -> None:
    x = images(3)
    together = extractor(x)
    assert together.shape == (3, extractor.dim) == (3, 2048) and together.dtype == torch.float32
    assert torch.isfinite(together).all() and not together.requires_grad
    assert not extractor.train().training and not any(module.training for module in extractor.modules())
    with torch.autocast("cpu", torch.bfloat16):
        mixed = extractor(x.flip(0))
    assert mixed.dtype == torch.float32 and distance(mixed.flip(0), together) < 1e-5
    assert distance(extractor(x[1:2]), together[1:2]) < 1e-5
    assert distance(together[1:2], together[:1]) > 1e-2


def test_gray_images_are_repeated(extractor: FIDInception) -> None:
    gray = images(1, 1)
    assert distance(extractor(gray), extractor(gray.expand(-1, 3, -1, -1))) < 1e-6


@pytest.mark.parametrize(
    "x", [torch.rand(2, 2, 32, 32), torch.rand(3, 32, 32), torch.zeros(1, 3, 32, 32, dtype=torch.uint8)]
)
def test_other_tensors_are_refused(extractor: FIDInception, x: Tensor) -> None:
    with pytest.raises(UserError, match="inception reads float images"):
        extractor(x)


def test_an_extractor_says_what_it_is(extractor: FIDInception, drawn: Published2015, file: Path, tmp_path: Path) -> None:
    before = torch.get_rng_state()
    other = FIDInception(file, "half-pixel")
    assert torch.equal(torch.get_rng_state(), before)  # no weights were drawn
    assert extractor.name == other.name == "inception" and len(extractor.fingerprint) == 16
    assert not any(p.requires_grad for p in extractor.parameters())
    assert "not the published ones" in extractor.note
    counted = {
        f"{name.removesuffix('weight')}num_batches_tracked": torch.tensor(0) for name in drawn.state if ".bn.w" in name
    }
    assert len(drawn.state | counted) == 566
    torch.save(drawn.state | counted, tmp_path / "counted.pth", _use_new_zipfile_serialization=False)
    assert FIDInception(tmp_path / "counted.pth").fingerprint == extractor.fingerprint
    torch.save(drawn.state | {"fc.bias": torch.full((1008,), 1e-3)}, tmp_path / "other.pth")
    fingerprints = {extractor.fingerprint, other.fingerprint, FIDInception(tmp_path / "other.pth").fingerprint}
    assert len(fingerprints) == 3
    with pytest.raises(UserError, match="half-pixel"):
        FIDInception(file, "halfpixel")


@pytest.mark.parametrize(("resize", "like"), [("tf1", "TTUR"), ("half-pixel", "pytorch-fid")])
def test_the_published_weights_are_taken_from_the_cache_and_noted(
    drawn: Published2015, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resize: str, like: str
) -> None:
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path))
    (tmp_path / "inception").mkdir()
    (tmp_path / "inception" / "weights.pth").symlink_to(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    monkeypatch.setattr(
        "splitvae.features.inception_v3.TF2015_WEIGHTS",
        PublishedFile("https://nowhere.invalid/weights.pth", "sha256", digest),
    )
    assert like in FIDInception(resize=resize).note


# ---------------------------------------------------------------- Keras


class Keras:
    """Keras's own network with the drawn weights, and the files it saves."""

    def __init__(self, folder: Path, state: dict[str, Tensor]) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KERAS_BACKEND", "torch")  # read when it is first imported
            self.keras = pytest.importorskip("keras")  # an optional peer
        if self.keras.backend.backend() != "torch":
            pytest.skip("Keras was imported with another backend")
        self.keras.layers.Conv2D(1, 1)  # so that names do not start at 0
        self.model = self.keras.applications.InceptionV3(
            include_top=False, weights=None, pooling="avg", input_shape=(299, 299, 3)
        )
        assert self.model.count_params() == 21_802_784
        self._fill("conv2d", [[v.permute(2, 3, 1, 0)] for name, v in state.items() if name.endswith("conv.weight")])
        norms = [name.removesuffix("bias") for name in state if name.endswith("bn.bias")]
        statistics = ("bias", "running_mean", "running_var")
        self._fill("batch_normalization", [[state[norm + each] for each in statistics] for norm in norms])
        self.files = {layout: folder / f"{layout}.h5" for layout in ("new.weights", "old", "published")}
        self.model.save_weights(self.files["new.weights"])
        self.model.save(self.files["old"])
        self._publish()

    def _fill(self, kind: str, values: list[list[Tensor]]) -> None:
        """Layers are numbered as they are made, and made in the order of the published state dict."""
        layers = [layer for layer in self.model.layers if layer.name.startswith(kind)]
        layers.sort(key=lambda layer: int(layer.name.removeprefix(kind).removeprefix("_") or 0))
        for layer, arrays in zip(layers, values, strict=True):
            layer.set_weights([each.numpy() for each in arrays])

    def _publish(self) -> None:
        """The layout of the published file: no model around the weights, names as bytes that end in :0."""
        import h5py

        with h5py.File(self.files["old"]) as old, h5py.File(self.files["published"], "w") as new:
            layers = old["model_weights"]
            new.attrs["layer_names"] = [name.encode() for name in layers.attrs["layer_names"]]
            for layer in layers.attrs["layer_names"]:
                group = new.create_group(layer)
                group.attrs["weight_names"] = [f"{name}:0".encode() for name in layers[layer].attrs["weight_names"]]
                for name in layers[layer].attrs["weight_names"]:
                    group[f"{name}:0"] = layers[layer][name][()]

    def __call__(self, x: Tensor) -> Tensor:
        """Features of (B, C, H, W) in [0, 1], by Keras from the resize on."""
        pixels = self.keras.ops.image.resize(
            x.permute(0, 2, 3, 1), (299, 299), "bilinear", antialias=False, data_format="channels_last"
        )
        with torch.no_grad():
            return self.model(2 * pixels - 1, training=False).detach().cpu()


@pytest.fixture(scope="module")
def keras(drawn: Published2015, tmp_path_factory: pytest.TempPathFactory) -> Keras:
    pytest.importorskip("h5py")  # an optional peer
    return Keras(tmp_path_factory.mktemp("keras"), drawn.without_scale())


def test_all_that_keras_saves_is_read_and_agrees_with_keras(keras: Keras, drawn: Published2015) -> None:
    expected = drawn.without_scale()
    extractors = [KerasInception(file) for file in keras.files.values()]
    for extractor in extractors:
        state = extractor.net.state_dict()
        assert state.keys() == expected.keys()
        assert all(torch.equal(state[name], value) for name, value in expected.items())
    assert len({extractor.fingerprint for extractor in extractors}) == 1
    assert extractors[0].name == "inception-keras" and "not the published ones" in extractors[0].note
    x = images(2)
    assert distance(extractors[0](x), keras(x)) < 1e-4


def test_the_network_of_2015_with_an_average_pool_is_keras_network(keras: Keras, drawn: Published2015) -> None:
    x = 2 * images(1, side=299) - 1
    found = {}
    for pool in ("avg", "max"):
        network = InceptionV3(pool)  # type: ignore[arg-type]  # a str
        network.load_state_dict(drawn.state)
        with torch.no_grad():
            found[pool] = network(x)
    expected = keras((x + 1) / 2)
    assert distance(found["avg"], expected) < 1e-4 < 1e-2 < distance(found["max"], expected)


def test_without_h5py_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "a.h5").touch()
    with pytest.raises(UserError, match="pip install h5py"):
        KerasInception(tmp_path / "a.h5")


# ---------------------------------------------------------------- wrong files

EXPECTED = {"a.weight": torch.zeros(2, 3), "a.bias": torch.zeros(2)}


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("sprung",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"a.weight": torch.zeros(2, 3)}, ["lacks 1 (a.bias) of 2"]),
        ({**EXPECTED, "b": torch.zeros(1)}, ["1 (b) tensors too many"]),
        ({**EXPECTED, "a.weight": torch.zeros(3, 2)}, ["a.weight", "(3, 2) instead of (2, 3)"]),
        ({**EXPECTED, "a.bias": torch.tensor([1.0, torch.nan])}, ["a.bias", "not finite"]),
        ({**EXPECTED, "a.bias": torch.tensor([1, 2])}, ["a.bias", "not finite floats"]),
        ({**EXPECTED, "a.bias": 1.0}, ["a dict instead of tensors by name"]),
        ([torch.zeros(1)], ["a list instead of tensors by name"]),
        ({"a.weight": Trap()}, ["mkdir beside tensors", "execute code"]),
        (nn.Linear(3, 2), ["Linear beside tensors", "model.state_dict()"]),
        (b"<!DOCTYPE html>", ["no checkpoint"]),
        (b"", ["no checkpoint"]),
        (b"PK\x03\x04 an archive that broke off", ["no checkpoint"]),
        (pickle.dumps(EXPECTED, 4), ["no checkpoint"]),
    ],
    ids=lambda value: value[0].split()[0] if isinstance(value, list) and isinstance(value[0], str) else "",
)
def test_a_wrong_checkpoint_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(UserError) as error:
        read_state_dict(path, EXPECTED)
    assert all(word in str(error.value) for word in [str(path), *words]) and "\n" not in str(error.value)
    assert not (tmp_path / "sprung").exists()


def test_half_precision_is_read_and_counts_are_passed_over(tmp_path: Path) -> None:
    torch.save(
        {"a.weight": torch.ones(2, 3).half(), "a.bias": torch.zeros(2), "a.num_batches_tracked": torch.tensor(1)},
        tmp_path / "a",
    )
    state = read_state_dict(tmp_path / "a", EXPECTED)
    assert list(state) == ["a.weight", "a.bias"] and state["a.weight"].dtype == torch.float32


NORM = {"bn.bias": 4, "bn.running_mean": 4, "bn.running_var": 4}
KERAS_EXPECTED = {f"x.{name}": torch.zeros(size) for name, size in NORM.items()} | {
    "x.conv.weight": torch.zeros(4, 3, 1, 5)
}


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ({}, "0 layers conv2d instead of 1"),
        ({"conv2d": [(1, 5, 3, 4)]}, "0 layers batch_normalization instead of 1"),
        ({"conv2d": [(1, 5, 3, 4)], "conv2d_1": [(1, 5, 3, 4)]}, "2 layers conv2d instead of 1"),
        ({"conv2d": [(4, 3, 1, 5)]}, r"conv2d/kernel .* \(4, 3, 1, 5\) instead of \(1, 5, 3, 4\)"),
        ({"conv2d": [(1, 5, 3, 4), (4,)]}, "2 tensors of conv2d instead of 1"),
        (
            {"conv2d_7": [(1, 5, 3, 4)], "batch_normalization": [(4,), (5,), (4,)]},
            r"moving_mean .*\(5,\) instead of \(4,\)",
        ),
        (
            {"conv2d": [(1, 5, 3, 4)], "batch_normalization_1": [(4,)] * 4},
            "4 tensors of batch_normalization_1 instead of 3",
        ),
    ],
)
def test_a_wrong_file_of_keras_is_refused_in_a_sentence(
    tmp_path: Path, layers: dict[str, list[tuple[int, ...]]], words: str
) -> None:
    h5py = pytest.importorskip("h5py")  # an optional peer
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("layers")
        for name, shapes in layers.items():
            for k, shape in enumerate(shapes):
                file[f"layers/{name}/vars/{k}"] = np.zeros(shape, np.float32)
    with pytest.raises(UserError, match=words):
        read_keras_h5(tmp_path / "a.h5", KERAS_EXPECTED, ["x"])


def test_a_file_that_keras_did_not_write_is_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")  # an optional peer
    (tmp_path / "a.h5").write_bytes(b"<!DOCTYPE html>")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["x"] = 1
    for name in ("a.h5", "b.h5"):
        with pytest.raises(UserError, match=r"no \.h5 file of Keras's weights"):
            read_keras_h5(tmp_path / name, KERAS_EXPECTED, ["x"])


# ---------------------------------------------------------------- where files come from


def test_a_download_is_checked_kept_and_checked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path / "cache"))
    source = tmp_path / "source.pth"
    source.write_bytes(b"right")
    right = PublishedFile(source.as_uri(), "md5", hashlib.md5(b"right").hexdigest())
    with pytest.raises(UserError, match="its md5 is"):
        find_weights(right._replace(digest="0" * 32))
    assert not (tmp_path / "cache").exists()
    kept = tmp_path / "cache/inception/source.pth"
    assert find_weights(right) == (kept, True)
    source.unlink()
    assert find_weights(right) == (kept, True)  # no network needed
    kept.write_bytes(b"wrong")
    with pytest.raises(UserError, match="delete it to download it again"):
        find_weights(right)


def test_a_file_given_by_hand_need_not_be_the_published_one(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    assert find_weights(TF2015_WEIGHTS, tmp_path / "mine") == (tmp_path / "mine", False)
    mine = PublishedFile("", "sha256", hashlib.sha256(b"mine").hexdigest()[:8])
    assert find_weights(mine, tmp_path / "mine") == (tmp_path / "mine", True)
    with pytest.raises(UserError, match="No such file"):
        find_weights(TF2015_WEIGHTS, tmp_path / "nowhere")


@pytest.mark.parametrize(("make", "published"), [(FIDInception, TF2015_WEIGHTS), (KerasInception, KERAS_WEIGHTS)])
def test_without_a_network_the_file_and_its_place_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], nn.Module], published: PublishedFile
) -> None:
    def no_network(*args: object, **options: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path))
    with pytest.raises(UserError) as error:
        make()
    place = tmp_path / "inception" / published.url.rpartition("/")[2]
    for words in ("Name or service not known", published.url, str(place), "--inception-weights FILE"):
        assert words in str(error.value)
