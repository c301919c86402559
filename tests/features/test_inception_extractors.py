"""Tests of the Inception extractors: resizes, and features against those of Keras, on random weights."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from splitvae.errors import UserError
from splitvae.features.inception_extractors import (
    RESIZES,
    FIDInception,
    KerasInception,
    resize_clean,
    resize_half_pixel,
    resize_tf1,
)
from splitvae.features.inception_v3 import InceptionV3
from splitvae.features.inception_weights import PublishedFile
from splitvae.utils.download import Checksum

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")  # Keras warns


@pytest.fixture(scope="module")
def extractor(inception_file: Path) -> FIDInception:
    return FIDInception(inception_file)


def images(count: int, channels: int = 3, side: int = 32) -> Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(count))


def distance(values: Tensor, expected: Any) -> float:
    """The largest difference, relative to the largest expected number."""
    expected = torch.as_tensor(expected)
    return float((values - expected).abs().max() / expected.abs().max())


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


@pytest.mark.parametrize("size", [(28, 28), (64, 48), (400, 512)])
def test_clean_resizes_as_pillow_does(size: tuple[int, int]) -> None:
    pixels = torch.randint(256, (2, 3, *size), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    read = RESIZES["clean"](pixels.float() / 255)
    for image, expected in zip(pixels, read, strict=True):
        for channel, mine in zip(image, expected, strict=True):  # the operations of clean-fid, written out
            resized = Image.fromarray(channel.numpy().astype(np.float32)).resize((299, 299), Image.Resampling.BICUBIC)
            theirs = (np.asarray(resized).clip(0, 255) - 128) / 128
            assert np.abs(mine.numpy() - theirs).max() < 1e-5


def test_images_of_299_pixels_are_left_alone() -> None:
    image = torch.rand(1, 3, 299, 299)
    assert torch.allclose(resize_clean(image), image, atol=1e-6)
    assert torch.equal(resize_tf1(image), image)
    assert torch.allclose(resize_half_pixel(image), image, atol=1e-6)


def test_each_resize_has_its_range() -> None:
    black_gray_white = torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1, 1).expand(3, 1, 32, 32)
    for resize, expected in {
        "tf1": [-1.0, -1 / 256, 127 / 128],
        "pytorch-fid": [-1.0, 0.0, 1.0],
        "clean": [-1.0, -1 / 256, 127 / 128],
    }.items():
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


def test_an_extractor_says_what_it_is(
    extractor: FIDInception, drawn_inception: Any, inception_file: Path, tmp_path: Path
) -> None:
    before = torch.get_rng_state()
    other = FIDInception(inception_file, "pytorch-fid")
    assert torch.equal(torch.get_rng_state(), before)  # no weights were drawn
    assert extractor.name == other.name == "inception" and len(extractor.fingerprint) == 16
    assert not any(p.requires_grad for p in extractor.parameters())
    assert "not the published ones" in extractor.note
    counted = {
        f"{name.removesuffix('weight')}num_batches_tracked": torch.tensor(0)
        for name in drawn_inception.state
        if ".bn.w" in name
    }
    assert len(drawn_inception.state | counted) == 566
    torch.save(drawn_inception.state | counted, tmp_path / "counted.pth", _use_new_zipfile_serialization=False)
    assert FIDInception(tmp_path / "counted.pth").fingerprint == extractor.fingerprint
    torch.save(drawn_inception.state | {"fc.bias": torch.full((1008,), 1e-3)}, tmp_path / "other.pth")
    fingerprints = {extractor.fingerprint, other.fingerprint, FIDInception(tmp_path / "other.pth").fingerprint}
    assert len(fingerprints) == 3
    with pytest.raises(UserError, match="pytorch-fid"):
        FIDInception(inception_file, "pytorchfid")


@pytest.mark.parametrize(
    ("resize", "implementation"), [("tf1", "TTUR"), ("pytorch-fid", "pytorch-fid"), ("clean", "clean-fid")]
)
def test_the_published_weights_are_taken_from_the_cache_and_noted(
    drawn_inception: Any,
    inception_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    resize: str,
    implementation: str,
) -> None:
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path))
    (tmp_path / "inception").mkdir()
    (tmp_path / "inception" / "weights.pth").symlink_to(inception_file)
    digest = hashlib.sha256(inception_file.read_bytes()).hexdigest()[:8]
    monkeypatch.setattr(
        "splitvae.features.inception_extractors.TF2015_WEIGHTS",
        PublishedFile("https://nowhere.invalid/weights.pth", Checksum("sha256", digest)),
    )
    assert implementation in FIDInception(resize=resize).note


# ---------------------------------------------------------------- Keras


class Keras:
    """Keras's own network with the random weights, and the files it saves."""

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
        """Layers are numbered as they are created, and created in the order of the published state dict."""
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
def keras(drawn_inception: Any, tmp_path_factory: pytest.TempPathFactory) -> Keras:
    pytest.importorskip("h5py")  # an optional peer
    return Keras(tmp_path_factory.mktemp("keras"), drawn_inception.without_scale())


def test_all_that_keras_saves_is_read_and_agrees_with_keras(keras: Keras, drawn_inception: Any) -> None:
    expected = drawn_inception.without_scale()
    extractors = [KerasInception(file) for file in keras.files.values()]
    for extractor in extractors:
        state = extractor.net.state_dict()
        assert state.keys() == expected.keys()
        assert all(torch.equal(state[name], value) for name, value in expected.items())
    assert len({extractor.fingerprint for extractor in extractors}) == 1
    assert extractors[0].name == "inception-keras" and "not the published ones" in extractors[0].note
    x = images(2)
    assert distance(extractors[0](x), keras(x)) < 1e-4


def test_the_network_of_2015_with_an_average_pool_is_keras_network(keras: Keras, drawn_inception: Any) -> None:
    x = 2 * images(1, side=299) - 1
    features = {}
    for pool in ("avg", "max"):
        network = InceptionV3(pool)  # type: ignore[arg-type]  # a str
        network.load_state_dict(drawn_inception.state)
        with torch.no_grad():
            features[pool] = network(x)
    expected = keras((x + 1) / 2)
    assert distance(features["avg"], expected) < 1e-4 < 1e-2 < distance(features["max"], expected)


def test_without_h5py_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "a.h5").touch()
    with pytest.raises(UserError, match="pip install h5py"):
        KerasInception(tmp_path / "a.h5")
