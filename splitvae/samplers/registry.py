"""Samplers by name, and the one that belongs to a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import safe_open

from ..errors import UserError
from ..utils.files import read_json
from .base import Prior, Sampler
from .flow import Flow
from .gaussian_mixture import GaussianMixture
from .second_stage import NoiselessSecondStage, SecondStage

__all__ = ["SAMPLERS", "load_sampler"]


SAMPLERS: dict[str, type[Any]] = {
    kind.name: kind for kind in (Prior, GaussianMixture, SecondStage, NoiselessSecondStage, Flow)
}


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
