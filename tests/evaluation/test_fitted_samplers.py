"""Fitted samplers: each stands for the codes it was fitted to, and is read again for no others."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import splitvae
from splitvae.errors import UserError
from splitvae.evaluation.fitted_samplers import find_fitted_sampler, sampler_for
from splitvae.evaluation.protocols import configure_sampler
from splitvae.models.codes import Codes, encode
from splitvae.presets.registry import PRESETS
from splitvae.runs import Run
from splitvae.samplers.base import Sampler
from splitvae.samplers.registry import SAMPLERS, load_sampler

TINY = {"width": 4, "scales": 2, "embedding": 16, "latent_dim": 3, "preview_every": 0, "validation": 0, "progress": False}
QUICK: dict[str, dict[str, int]] = {"flow": {"width": 16, "depth": 1, "transforms": 2}}  # settings that fit in a moment
QUICK["second-stage"] = QUICK["second-stage-noiseless"] = {"width": 16, "depth": 2}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A barely trained model."""
    out = tmp_path_factory.mktemp("trained") / "run"
    return splitvae.train("digits-svae", splitvae.load("digits", side=16), out=out, epochs=1, **TINY)


@pytest.fixture
def run(trained: Run, tmp_path: Path) -> Run:
    """A copy of the run, with its images in memory."""
    run = Run(shutil.copytree(trained.path, tmp_path / "run"))
    run.remember("train", trained.images("train"))
    run.remember("test", splitvae.load("digits", "test", side=16))
    return run


def quick(name: str, **settings: int) -> Sampler:
    """A sampler that fits in a moment."""
    epochs = {"epochs": 1} if name in QUICK else {}
    return SAMPLERS[name](**QUICK.get(name, {}), **epochs, **settings)


@pytest.fixture
def never_fit(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets every further fit fail."""

    def forbid() -> None:
        for kind in SAMPLERS.values():
            if kind.name != "prior":
                monkeypatch.setattr(kind, "fit", lambda *_: pytest.fail("fitted again"))

    return forbid


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_saved_sampler_is_read_and_not_fitted_again(name: str, run: Run, never_fit: Callable[[], None]) -> None:
    first = sampler_for(run, quick(name)).sample(20)
    never_fit()
    assert torch.equal(sampler_for(run, quick(name)).sample(20), first)
    if name != "prior":
        with pytest.raises(pytest.fail.Exception, match="fitted again"):
            sampler_for(run, quick(name, seed=1))
        with torch.no_grad():
            next(run.vae.decoder.parameters()).add_(1e-3)
        with pytest.raises(pytest.fail.Exception, match="fitted again"):
            sampler_for(run, quick(name))


def test_a_saved_sampler_of_another_layout_is_fitted_again(run: Run, never_fit: Callable[[], None]) -> None:
    flow = quick("flow")
    sampler_for(run, flow)
    folder = run.path / "samplers" / "flow-clean"
    saved = json.loads((folder / "sampler.json").read_text())
    assert saved.pop("layout") == 2 and find_fitted_sampler(run, "flow") is not None
    (folder / "sampler.json").write_text(json.dumps(saved))  # as the first version wrote it
    assert find_fitted_sampler(run, "flow") is None
    with pytest.raises(UserError, match="another version of splitvae; delete it"):
        load_sampler(folder)
    never_fit()
    with pytest.raises(pytest.fail.Exception, match="fitted again"):
        sampler_for(run, flow)


def test_the_density_of_other_images_is_not_that_of_the_run(run: Run, never_fit: Callable[[], None]) -> None:
    own, train = sampler_for(run, "gmm"), run.images("train")
    run.remember("train", dataclasses.replace(train, pixels=255 - train.pixels))
    inverted = sampler_for(run, "gmm")
    codes = encode(run.vae, run.images("train")).mean
    assert (inverted.sample(2000).mean(0) - codes.mean(0)).norm() < 0.2 * (own.sample(2000).mean(0) - codes.mean(0)).norm()
    run.remember("train", train)
    never_fit()
    assert torch.equal(sampler_for(run, "gmm").sample(5), own.sample(5))  # still there, in a folder of its own
    assert sorted(p.name[:10] for p in (run.path / "samplers").iterdir()) == ["gmm-clean", "gmm-clean-"]


def test_given_codes_are_fitted_to_whatever_is_saved(run: Run) -> None:
    sampler_for(run, "gmm", codes=Codes(torch.randn(300, 3) + 5, None))
    shifted = sampler_for(run, "gmm", codes=Codes(torch.randn(300, 3) - 5, None))
    assert shifted.sample(100).mean() == pytest.approx(-5, abs=0.5)


def test_a_run_that_was_moved_needs_no_images_for_its_own_density(run: Run, never_fit: Callable[[], None]) -> None:
    own = sampler_for(run, "gmm").sample(5)
    never_fit()
    moved = Run(run.path)
    assert moved.training_sha256 == run.images("train").sha256
    moved.images = lambda *_: pytest.fail("images were read")  # type: ignore[method-assign]  # a stand-in
    assert torch.equal(sampler_for(moved, "gmm").sample(5), own)


def test_each_protocol_fits_to_its_codes_with_its_size(run: Run) -> None:
    train, test = len(run.images("train")), len(run.images("test"))
    parts = {"clean": train, "paper": train, "authors": test}
    for protocol, count in parts.items():
        settings = configure_sampler(run, "gmm", protocol)
        if protocol == "authors":
            assert (settings.components, settings.max_iterations) == (100, 200)
        assert settings.components == {"clean": None, "paper": 20, "authors": 100}[protocol]
        sampler_for(run, dataclasses.replace(settings, components=2, covariance="full"), protocol)
        stored = json.loads((run.path / "samplers" / f"gmm-{protocol}" / "sampler.json").read_text())
        assert stored["codes"] == count
    assert configure_sampler(run, "gmm", "paper", components=7).components == 7
    with pytest.raises(UserError, match="'paper'"):
        sampler_for(run, "gmm", "papre")
    with pytest.raises(UserError, match="'flow'"):
        sampler_for(run, "flwo")
    with pytest.raises(UserError, match="sampler='gmm'"):
        configure_sampler(run, "flow", components=3)


@pytest.mark.parametrize(("data", "components"), [("mnist", 20), ("cifar10", 100), ("celeba", 100)])
def test_the_protocol_paper_has_one_size_for_all_systems_on_a_data_set(run: Run, data: str, components: int) -> None:
    for name, config in PRESETS.items():
        if name.startswith(data) and "ml-vae" not in name:
            run.config, vars(run.vae)["shape"] = config, config.model.shape  # all that the settings depend on
            assert configure_sampler(run, "gmm", "paper").components == components, name


@pytest.mark.parametrize("data", ["mnist", "cifar10", "celeba"])
def test_systems_that_are_compared_have_the_same_augmentation(data: str) -> None:
    systems = {name: config for name, config in PRESETS.items() if name.startswith(f"{data}-") and "intro" not in name}
    assert len(systems) >= 15
    assert {config.data.mirror for config in systems.values()} == {False}
    assert len({(config.data.pad, config.data.crop) for name, config in systems.items() if "ml-vae" not in name}) == 1
