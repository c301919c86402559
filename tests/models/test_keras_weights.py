"""The public code's weights: a model that Keras built and saved has the same outputs here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import splitvae
from splitvae.cli.app import main
from splitvae.errors import UserError
from splitvae.models.keras_weights import read_keras_split_vae
from splitvae.runs import Run

WIDTH, EMBEDDING, LATENT, SIDE = 4, 12, 5, 32
SCALES = 3


@pytest.fixture(scope="module")
def keras() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", "torch")  # read when it is first imported
        module = pytest.importorskip("keras")  # an optional peer
    pytest.importorskip("h5py")  # an optional peer
    if module.backend.backend() != "torch":
        pytest.skip("Keras was imported with another backend")
    return module


class KerasSplitVAE:
    """A Split-VAE of nested models with random weights and statistics, as facts about the public code describe it."""

    def __init__(self, keras: Any, channels: int) -> None:
        self.keras, layers = keras, keras.layers
        layers.Dense(1), layers.Conv2D(1, 1)  # so that names do not start at 0
        image, y = self._input((SIDE, SIDE, channels))
        y = layers.Conv2D(WIDTH, 3, strides=2, padding="same")(y)
        for i in range(SCALES - 1):
            y = self._block(y, WIDTH * 2**i, layers.Conv2D, kernel_size=3, padding="same")
            y = layers.Conv2D(WIDTH * 2 ** (i + 1), 3, strides=2, padding="same")(y)
        y = self._block(layers.GlobalAveragePooling2D()(y), EMBEDDING, layers.Dense)
        self.encoder = keras.Model(image, y)

        features, y = self._input((EMBEDDING,))
        mean, logvar = layers.Dense(LATENT)(y), layers.Dense(LATENT)(y)
        noise = keras.random.normal((LATENT,), seed=0)
        z = mean + noise * keras.ops.exp(0.5 * logvar)
        self.back = layers.Dense(EMBEDDING)
        self.latent = keras.Model(features, [self.back(z), mean, logvar])

        embedding, y = self._input((EMBEDDING,))
        widths = [WIDTH * 2**i for i in range(SIDE.bit_length() - 2)][::-1]
        y = layers.Reshape((4, 4, widths[0]))(layers.Dense(16 * widths[0])(y))
        for width in widths[1:]:
            y = layers.Conv2DTranspose(width, 3, strides=2, padding="same")(y)
            y = self._block(y, width, layers.Conv2D, kernel_size=3, padding="same")
        y = layers.Conv2D(2 * channels + 1, 3, padding="same", activation="sigmoid")(y)
        self.decoder = keras.Model(embedding, y)

        whole, x = self._input((SIDE, SIDE, channels))
        self.model = keras.Model(whole, self.decoder(self.latent(self.encoder(x))[0]))
        generator = np.random.default_rng(0)
        for weight in self.model.weights:
            drawn = generator.normal(0, 0.12, weight.shape)
            weight.assign(np.abs(drawn) + 0.5 if "variance" in weight.path or "gamma" in weight.path else drawn)

    def _input(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        tensor = self.keras.Input(shape)
        return tensor, tensor

    def _block(self, x: Any, width: int, layer: Any, **options: Any) -> Any:
        y = x
        for _ in range(2):
            y = self.keras.layers.BatchNormalization(momentum=0.999, epsilon=1e-5)(y)
            y = layer(width, **options)(self.keras.layers.Activation("swish")(y))
        return y + layer(width, **options)(x)

    @torch.no_grad()
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances of images (B, C, H, W)."""
        _, mean, logvar = self.latent(self.encoder(x.permute(0, 2, 3, 1), training=False))
        return mean.cpu(), logvar.cpu()

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """The map and both components of latents, (B, 2 C + 1, H, W)."""
        return self.decoder(self.back(z), training=False).permute(0, 3, 1, 2).cpu()


@pytest.fixture(scope="module", params=[1, 3], ids=["gray", "colour"])
def saved(request: pytest.FixtureRequest, keras: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    model = KerasSplitVAE(keras, request.param)
    file = tmp_path_factory.mktemp("keras") / "weights.h5"
    model.model.save(file)
    return model, file


def test_outputs_are_those_of_keras(saved: tuple[Any, Path]) -> None:
    model, file = saved
    vae = read_keras_split_vae(file)
    channels = vae.shape[0]
    assert vae.shape == (channels, SIDE, SIDE) and (vae.latent_dim, vae.split) == (LATENT, 2)
    assert not vae.training and vae.counts()["total"] == model.model.count_params()
    x, z = torch.rand(3, *vae.shape), torch.randn(3, LATENT)
    mean, logvar = model.encode(x)
    with torch.no_grad():
        posterior, canvas = vae.encode(x), vae.decode(z)
    assert torch.allclose(posterior.mean, mean, atol=1e-5, rtol=1e-5)
    assert torch.allclose(posterior.logvar, logvar, atol=1e-5, rtol=1e-5)  # type: ignore[attr-defined]  # a Gaussian posterior
    decoded = model.decode(z)
    s, x1, x2 = decoded[:, :1], decoded[:, 1 : 1 + channels], decoded[:, 1 + channels :]
    assert torch.allclose(canvas.masks[:, 0], s, atol=1e-5)
    assert torch.allclose(canvas.images[:, 0], x1, atol=1e-5) and torch.allclose(canvas.images[:, 1], x2, atol=1e-5)
    assert torch.allclose(canvas.image, s * x1 + (1 - s) * x2, atol=1e-5)


def test_names_of_keras_2_are_read_too(saved: tuple[Any, Path], tmp_path: Path) -> None:
    """The weights alone, with names as bytes that end in :0 and begin with a scope."""
    import h5py

    _, file = saved
    with h5py.File(file) as old, h5py.File(tmp_path / "old.h5", "w") as new:
        root = old["model_weights"]
        new.attrs["layer_names"] = [str(name).encode() for name in root.attrs["layer_names"]]
        for group in root.attrs["layer_names"]:
            created = new.create_group(group)
            names = [f"scope/{name}:0" for name in root[group].attrs["weight_names"]]
            created.attrs["weight_names"] = [name.encode() for name in names]
            for name in names:
                created[name] = root[group][name.removeprefix("scope/").removesuffix(":0")][()]
    expected, found = (read_keras_split_vae(each).fingerprint() for each in (file, tmp_path / "old.h5"))
    assert expected == found


def test_the_command_makes_a_run(saved: tuple[Any, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, file = saved
    expected = read_keras_split_vae(file)
    preset = "mnist-svae" if expected.shape[0] == 1 else "cifar10-svae"
    monkeypatch.chdir(tmp_path)
    assert main(["import-keras", str(file), preset, "--out", "run"]) == 0
    run = Run("run")
    assert run.vae.fingerprint() == expected.fingerprint()
    assert run.config.preset == preset and run.config.model == expected.settings
    assert splitvae.VAE.from_pretrained("run/model").fingerprint() == expected.fingerprint()
    assert main(["sample", "run", "-n", "4", "--out", "samples.png"]) == 0 and Path("samples.png").exists()


def test_what_is_no_split_vae_is_refused(
    saved: tuple[Any, Path], tmp_path: Path, keras: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "page.h5").write_bytes(b"<!DOCTYPE html>")
    with pytest.raises(UserError, match=r"no legacy \.h5 file of Keras's weights"):
        read_keras_split_vae(tmp_path / "page.h5")
    image = keras.Input((8, 8, 1))
    keras.Model(image, keras.layers.Conv2D(2, 3)(image)).save(tmp_path / "other.h5")
    with pytest.raises(UserError, match="not the model of the Split-VAE's public code"):
        read_keras_split_vae(tmp_path / "other.h5")
    keras.Model(image, keras.layers.LayerNormalization()(image)).save(tmp_path / "norm.h5")
    with pytest.raises(UserError, match="holds the layer layer_normalization"):
        read_keras_split_vae(tmp_path / "norm.h5")
    _, file = saved
    out = tmp_path / "run"
    for preset, words in {
        "celeba-svae": "3 x 64 x 64",
        "mnist-intro": "another network",
        "mnist-svea": "mnist-svae",
    }.items():
        assert main(["import-keras", str(file), preset, "--out", str(out)]) == 2
        assert words in capsys.readouterr().err and not out.exists()
    assert main(["import-keras", str(tmp_path / "page.h5"), "mnist-svae", "--out", str(out)]) == 2
    assert not out.exists() and "page.h5" in json.dumps(capsys.readouterr().err)
