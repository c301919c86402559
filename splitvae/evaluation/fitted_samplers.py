"""TODO docstring of evaluation.fitted_samplers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..errors import UserError, nearest
from ..models.codes import Codes
from ..runs import Run
from ..samplers.base import Prior, Sampler
from ..samplers.registry import SAMPLERS, load_sampler
from ..utils.console import Progress
from ..utils.files import read_json

__all__ = ["sampler_for", "sampler_parameters"]


PROTOCOLS = ("clean", "paper")


PAPER_CODES = 10_000


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
        codes = codes_for_protocol(run, protocol)
    elif not isinstance(codes, Codes):
        codes = codes()
    sampler.fit(codes, progress).save(folder, model=wanted["model"], codes=len(codes.mean))
    return sampler


def codes_for_protocol(run: Run, protocol: str) -> Codes:
    """The codes a protocol fits to."""
    if protocol == "clean":
        return run.codes("train")
    mean, logvar, labels = (value if value is None else value[:PAPER_CODES] for value in run.codes("test"))
    assert mean is not None
    return Codes(mean, logvar, labels)


PAPER_COMPONENTS = 100  # of the public code's mixture, on every data set


def sampler_parameters(run: Run, name: str, protocol: str = "clean") -> dict[str, Any]:
    """A sampler's parameters as a run's config has them: a mixture's size is picked by likelihood but in `paper`."""
    config = run.config
    if name == "gmm":
        size = config.components or PAPER_COMPONENTS
        return {"components": size if protocol == "paper" else None, "seed": config.seed}
    epochs = config.sampler_epochs or max(MIN_EPOCHS, 2 * len(run.history))
    if name == "flow":
        return {"epochs": epochs, "lr": config.sampler_lr, "seed": config.seed}
    if name.startswith("second-stage"):
        return {"epochs": epochs, "width": config.sampler_width, "lr": config.sampler_lr, "seed": config.seed}
    return {}


MIN_EPOCHS = 20  # of a sampler that is trained by gradients
