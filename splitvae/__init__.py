"""Variational autoencoders that can be split: decode several images and the maps that blend them.

import splitvae
images = splitvae.load("mnist")
run = splitvae.train("mnist-svae", images, epochs=10)
canvas = run.vae.sample(64)  # canvas.image, canvas.images, canvas.masks
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .balance import Capacity, Constant, Cyclical, WarmUp
    from .data import Images, fit, load
    from .errors import UserError
    from .introspection import Intro, SoftIntro
    from .objectives import ELBO, RAE, Objective
    from .presets import Config, create
    from .runs import Codes, Run
    from .samplers import Flow, GaussianMixture, NoiselessSecondStage, Prior, SecondStage
    from .split import Canvas
    from .training import train
    from .vae import VAE

__version__ = "0.1.0"

# Names are imported when first asked for: `splitvae --help` need not wait for torch.
HOMES = {
    "balance": ("Capacity", "Constant", "Cyclical", "WarmUp"),
    "data": ("Images", "fit", "load"),
    "errors": ("UserError",),
    "introspection": ("Intro", "SoftIntro"),
    "objectives": ("ELBO", "RAE", "Objective"),
    "presets": ("Config", "create"),
    "runs": ("Codes", "Run"),
    "samplers": ("Flow", "GaussianMixture", "NoiselessSecondStage", "Prior", "SecondStage"),
    "split": ("Canvas",),
    "training": ("train",),
    "vae": ("VAE",),
}
MODULES = {name: module for module, names in HOMES.items() for name in names}
SUBMODULES = (
    *("data_studies", "distances", "evaluate", "features", "figures"),
    *("introspection", "metrics", "report", "scores"),
)

__all__ = [  # provided by __getattr__
    "ELBO",
    "RAE",
    "VAE",
    "Canvas",
    "Capacity",
    "Codes",
    "Config",
    "Constant",
    "Cyclical",
    "Flow",
    "GaussianMixture",
    "Images",
    "Intro",
    "NoiselessSecondStage",
    "Objective",
    "Prior",
    "Run",
    "SecondStage",
    "SoftIntro",
    "UserError",
    "WarmUp",
    "create",
    "fit",
    "load",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in SUBMODULES:
        return importlib.import_module(f".{name}", __name__)
    if name not in MODULES:
        raise AttributeError(f"module 'splitvae' has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *SUBMODULES])
