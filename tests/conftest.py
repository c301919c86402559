"""One seed, no network, as many threads as OMP_NUM_THREADS says: what every test starts from."""

from __future__ import annotations

import importlib.util
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from splitvae.networks.base import Network
from splitvae.networks.registry import NETWORKS
from splitvae.utils.download import cache_dir
from splitvae.utils.settings import fields_of_settings

os.environ["HF_HUB_OFFLINE"] = "1"
USER_CACHE = cache_dir()  # before tests are given their own
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))  # one, beside other work


@pytest.fixture(scope="session")
def user_cache() -> Path:
    """The cache of the user, from which a test may read a file that is too large to be made or stored."""
    return USER_CACHE


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither read nor write the cache of the user; commands that they start inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPLITVAE_DATA", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def sized() -> Callable[..., Network]:
    """A function that returns a network by name, with those of the given sizes that it has."""

    def make(name: str, **sizes: int) -> Network:
        known = {field.name for field in fields_of_settings(NETWORKS[name])}
        return NETWORKS[name](**{key: value for key, value in sizes.items() if key in known})

    return make


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


# ---------------------------------------------------------------- pages in a browser


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    """A headless Chromium (tests/browser.py); skips where there is none."""
    spec = importlib.util.spec_from_file_location("browser", Path(__file__).with_name("browser.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if module.find_browser() is None:
        pytest.skip("no Chromium is installed; Debian's package is `chromium`")
    opened = module.Browser(tmp_path / "profile")
    yield opened
    opened.close()


# ---------------------------------------------------------------- figures and reports


@pytest.fixture(scope="session")
def figure_pixels() -> Callable[[Any], np.ndarray]:
    """Returns a function of a figure that returns its pixels, an RGB array (H, W, 3) of bytes."""
    from splitvae.figures.io import encode_png

    def read(figure: Any) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(encode_png(figure))).convert("RGB"))

    return read


@pytest.fixture(scope="session")
def enlarged() -> Callable[..., np.ndarray]:
    """Returns a function of an image (C, H, W) in [0, 1] and a scale that returns the pixels that a figure should show."""

    def enlarge(image: torch.Tensor, scale: int) -> np.ndarray:
        page = (image * 255).round().byte().expand(3, -1, -1).permute(1, 2, 0).numpy()
        return page.repeat(scale, 0).repeat(scale, 1)

    return enlarge


@pytest.fixture(scope="session")
def training_history() -> list[dict[str, Any]]:
    """The history of five epochs of a Split-VAE."""
    return [
        {
            "epoch": e,
            "step": 10 * e,
            "images_per_second": 100.0,
            "seconds": 2.0,
            "lr": 1e-3,
            "loss": 5.0 - e,
            "mse": 0.1 / e,
        }
        | {"rec": 3.0, "kl": float(e), "beta": 4.0, "v": 1 / e, "beta_v": 4 / e, "grad_norm": 1.0}
        | {"val_loss": 6.0 - e, "val_mse": 0.2 / e, "val_kl": e + 0.5}
        for e in range(1, 6)
    ]


@pytest.fixture(scope="session")
def noise_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random images of 16x16 pixels, 30 to train on and 24 to test on, in a file whose name HTML must escape."""
    path = tmp_path_factory.mktemp("data") / "a<b>&'c.npz"
    rng = np.random.default_rng(0)
    np.savez(
        path, x_train=rng.integers(0, 256, (30, 16, 16), np.uint8), x_test=rng.integers(0, 256, (24, 16, 16), np.uint8)
    )
    return path


@pytest.fixture(scope="session")
def make_run(training_history: list[dict[str, Any]]) -> Callable[..., Any]:
    """Returns a function that writes a small run that was never trained, and returns it."""
    from splitvae.presets.build import build_vae
    from splitvae.presets.registry import find_preset
    from splitvae.runs import Run

    def make(path: Path, data: Path | None, split: int = 2, **overrides: object) -> Run:
        torch.manual_seed(split)
        source = None if data is None else str(data)
        small = {"latent_dim": 4, "width": 4, "scales": 2, "embedding": 8} | overrides
        config = find_preset("digits-svae", data=source, split=split, **small)
        vae = build_vae(config).eval()
        run = Run.begin(path, config, vae.counts())
        run.save_model(vae)
        (path / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in training_history))
        return run

    return make


@pytest.fixture(scope="session")
def split_run(tmp_path_factory: pytest.TempPathFactory, make_run: Callable[..., Any], noise_file: Path) -> Any:
    """A split run with figures and a report, in a folder whose name HTML must escape. Copy it before you change it."""
    from splitvae.figures.run import draw_run
    from splitvae.report.page import write_report

    run = make_run(tmp_path_factory.mktemp("split") / "run & <i>", noise_file, beta=2.5)
    draw_run(run, {"gmm": torch.randn(20, 4)})
    write_report(run)
    return run


@pytest.fixture(scope="session")
def plain_run(tmp_path_factory: pytest.TempPathFactory, make_run: Callable[..., Any], noise_file: Path) -> Any:
    """An unsplit run with figures and a report. Copy it before you change it."""
    from splitvae.report.page import write_report

    run = make_run(tmp_path_factory.mktemp("plain") / "plain", noise_file, split=1)
    write_report([run])
    return run
