"""The sampler of a run: fitted once under a protocol, and kept in the folder of the run.

| protocol | the sampler is fitted to              | its samples are scored against |
| -------- | ------------------------------------- | ------------------------------ |
| `clean`  | codes of the training images          | test images                    |
| `paper`  | codes of the first 10,000 test images | the same test images           |

`paper` is what the public code of the Split-VAE does. Its scores are too good if the density has enough components to
repeat the images that it is scored against; with few components it merely has fewer codes to learn from.
"""

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

__all__ = ["PROTOCOLS", "sampler_for", "sampler_parameters"]

PROTOCOLS = {
    "clean": "The density is fitted to codes of training images and scored against test images.",
    "paper": "The density is fitted to the very test images it is scored against: this flatters if it can repeat them.",
}

PAPER_CODES = 10_000  # test images that the public code fits to
PAPER_COMPONENTS = 100  # of the mixture of the public code, on every data set
MIN_EPOCHS = 20  # of a sampler that is trained by gradients


def sampler_for(
    run: Run,
    name: str = "prior",
    protocol: str = "clean",
    codes: Codes | Callable[[], Codes] | None = None,
    progress: Progress | None = None,
    **parameters: Any,
) -> Sampler:
    """Reads a sampler of a run from samplers/NAME-PROTOCOL if it is of the present model, else fits it and writes it there.

    Arguments:
        run: The run.
        name: One of `SAMPLERS`.
        protocol: One of `PROTOCOLS`.
        codes: The codes to fit to, or a function that returns them, which is only called if a fit is needed; by default
            those of the protocol.
        progress: Called with (epoch, epochs) while a sampler is trained.
        parameters: The parameters of the sampler. What the sampler chooses by itself is read with it, not chosen again.

    Raises:
        UserError: If the name or the protocol is unknown, if files are damaged, or if the codes are too few or not finite.
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
        saved = read_json(folder / "sampler.json")
        if isinstance(saved, dict) and all(saved.get(key) == value for key, value in wanted.items()):
            return load_sampler(folder)
    if codes is None:
        codes = codes_for_protocol(run, protocol)
    elif not isinstance(codes, Codes):
        codes = codes()
    sampler.fit(codes, progress).save(folder, model=wanted["model"], codes=len(codes.mean))
    return sampler


def codes_for_protocol(run: Run, protocol: str) -> Codes:
    """Returns the codes of a run that a protocol fits to."""
    if protocol == "clean":
        return run.codes("train")
    mean, logvar, labels = (value if value is None else value[:PAPER_CODES] for value in run.codes("test"))
    assert mean is not None
    return Codes(mean, logvar, labels)


def sampler_parameters(run: Run, name: str, protocol: str = "clean") -> dict[str, Any]:
    """Returns the settings of a sampler as a run fits it; a mixture's size is picked by likelihood but in `paper`.

    Arguments:
        run: The run, whose settings count where its own sampler is the one named.
        name: The name of the sampler.
        protocol: The protocol.
    """
    sampler = SAMPLERS.make(name, previous=run.config.sampler)
    sampler = sampler.for_run(max(MIN_EPOCHS, 2 * len(run.history)), run.config.training.seed)
    parameters = sampler.parameters
    if "components" in parameters:
        size = parameters["components"] or PAPER_COMPONENTS
        parameters |= {"components": size if protocol == "paper" else None, "covariance": None}
    return parameters


MIN_EPOCHS = 20  # of a sampler that is trained by gradients
