"""Samplers by name, and the one that belongs to a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from .errors import UserError, nearest
from .files import read_json
from .flow import Flow
from .mixture import GaussianMixture
from .runs import Codes, Run
from .sampler import Prior, Progress, Sampler
from .second_stage import NoiselessSecondStage, SecondStage

__all__ = [
    "SAMPLERS",
    "Flow",
    "GaussianMixture",
    "NoiselessSecondStage",
    "Prior",
    "Sampler",
    "SecondStage",
    "load_sampler",
    "sampler_for",
]

SAMPLERS: dict[str, type[Any]] = {
    kind.name: kind for kind in (Prior, GaussianMixture, SecondStage, NoiselessSecondStage, Flow)
}
PROTOCOLS = ("clean", "paper")
PAPER_CODES = 10_000


def load_sampler(folder: Path) -> Sampler:
    """Reads a sampler; raises UserError where the files are damaged or of an unknown kind."""
    about = read_json(folder / "sampler.json")
    try:
        sampler: Sampler = SAMPLERS[about["sampler"]](**about["parameters"])
        with safe_open(folder / "sampler.safetensors", framework="pt") as file:
            sampler.restore({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118  # no mapping
        sampler.facts = about["facts"]
    except UserError:
        raise
    except Exception as error:  # damage shows as any of a dozen exceptions
        raise UserError(f"{folder} is damaged ({error}); delete it and the sampler is fitted anew.") from None
    return sampler


def sampler_for(
    run: Run,
    name: str = "prior",
    protocol: str = "clean",
    codes: Codes | Callable[[], Codes] | None = None,
    progress: Progress | None = None,
    **parameters: Any,
) -> Sampler:
    """A run's sampler, kept in samplers/NAME-PROTOCOL: read if it is of the same model, else fitted and kept.

    Arguments:
        name: one of `SAMPLERS`.
        protocol: "clean", fitted to codes of the training images, or "paper", of the first 10,000 test images.
        codes: what to fit to instead, or a function that gives it and is called only if a fit is needed.
        progress: told (epoch, epochs) of a sampler that is trained.
        parameters: of the sampler. What it picks by itself is read too, never picked again.

    Raises UserError for an unknown name or protocol, damaged files, and codes that are too few or not finite.
    """
    if name not in SAMPLERS:
        raise UserError(f"no sampler is called {name!r}; {nearest(name, SAMPLERS)}")
    if protocol not in PROTOCOLS:
        raise UserError(f"no protocol is called {protocol!r}; {nearest(protocol, PROTOCOLS)}")
    sampler: Sampler = SAMPLERS[name](**parameters)
    if isinstance(sampler, Prior):
        return sampler.fit(Codes(torch.zeros(1, run.vae.latent_dim), None))
    folder = run.path / "samplers" / f"{name}-{protocol}"
    wanted: dict[str, Any] = {"model": run.vae.fingerprint(), "parameters": sampler.parameters}
    if isinstance(codes, Codes):
        wanted["codes"] = len(codes.mean)
    if (folder / "sampler.json").exists():
        about = read_json(folder / "sampler.json")
        if isinstance(about, dict) and all(about.get(key) == value for key, value in wanted.items()):
            return load_sampler(folder)
    if codes is None:
        codes = codes_of(run, protocol)
    elif not isinstance(codes, Codes):
        codes = codes()
    sampler.fit(codes, progress).save(folder, model=wanted["model"], codes=len(codes.mean))
    return sampler


def codes_of(run: Run, protocol: str) -> Codes:
    """The codes a protocol fits to."""
    if protocol == "clean":
        return run.codes("train")
    mean, logvar, labels = (value if value is None else value[:PAPER_CODES] for value in run.codes("test"))
    assert mean is not None
    return Codes(mean, logvar, labels)
