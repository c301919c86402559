"""The registry of samplers, and the reader of saved ones; to add a sampler, write its class and add it to this list."""

from __future__ import annotations

from pathlib import Path

from safetensors import safe_open

from ..errors import UserError
from ..utils.files import read_json
from ..utils.random_streams import fixed_seed
from ..utils.settings import Registry
from .base import Prior, Sampler
from .conditional_flow import ConditionalFlow
from .flow import Flow
from .gaussian_mixture import GaussianMixture
from .second_stage import NoiselessSecondStage, SecondStage

__all__ = ["SAMPLERS", "load_sampler"]

SAMPLERS: Registry[Sampler] = Registry(
    "sampler", "sampler", [Prior, GaussianMixture, SecondStage, NoiselessSecondStage, Flow, ConditionalFlow]
)


def load_sampler(folder: Path) -> Sampler:
    """Reads a fitted sampler that `Sampler.save` wrote.

    Arguments:
        folder: The folder of sampler.json and sampler.safetensors.

    Raises:
        UserError: For damaged files, for a sampler whose name is unknown, and for one of another layout.
    """
    values = read_json(folder / "sampler.json")
    try:
        sampler = SAMPLERS[values["sampler"]](**values["parameters"])
        if values.get("layout", 1) != sampler.layout:
            raise UserError(f"{folder} is of another version of splitvae; delete it, and the sampler will be fitted anew.")
        # Initial weights, which are replaced, draw nothing from the global random stream.
        with safe_open(folder / "sampler.safetensors", framework="pt") as file, fixed_seed(0):
            sampler.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118  # no mapping
        sampler.learn(fit_info_=values["fit_info"])
    except UserError:
        raise
    except Exception as error:  # a damaged file may raise any of a dozen exceptions
        raise UserError(f"{folder} is damaged ({error}); delete it, and the sampler will be fitted anew.") from None
    return sampler
