"""The systems of the Multi-Level VAE's experiment, and the accuracies that the best-known public code publishes.

The models `readme-...` are those of the public code, whose README gives accuracies of two of them. All others train all
their heads, with one KL of the content for each group and the number of groups as normaliser. Each varies one thing,
starting from `plain` or from `corrected`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from ..config import Config
from ..presets.registry import PRESETS

__all__ = [
    "README_ACCURACIES",
    "RELEASED",
    "SYSTEMS",
    "SYSTEMS_WITH_FIGURES",
    "PublishedAccuracy",
    "System",
    "released_config",
]


class PublishedAccuracy(NamedTuple):
    """Accuracies of probes of the sampled style and class codes, in percent of the training and the test images."""

    style_train: float
    style_test: float
    class_train: float
    class_test: float


README_ACCURACIES = {  # by the standard deviation of the class code's noise, and whether evidence is accumulated
    (1.0, True): PublishedAccuracy(78.66, 78.17, 85.93, 85.99),
    (1.0, False): PublishedAccuracy(78.69, 77.82, 33.26, 33.08),
    (0.1, True): PublishedAccuracy(44.61, 42.06, 99.75, 99.71),
    (0.1, False): PublishedAccuracy(44.38, 42.99, 37.74, 38.55),
}


class System(NamedTuple):
    """A model that the experiment trains.

    description: The model in a few words, for the table.
    fields: The config fields in which it differs from `COMMON_CONFIG`.
    epoch_factor: By how much it is trained longer than most systems.
    public_code: Whether it is a model of the public code, with its first weights and its untrained content heads.
    """

    description: str
    fields: dict[str, Any]
    epoch_factor: int = 1
    public_code: bool = False


CORRECTED = PRESETS["mnist-ml-vae"]
PAPER_FIELDS: dict[str, Any] = {"group_head_units": 0, "independence": 0.0}  # the paper's network and bound
COMMON_CONFIG = replace(CORRECTED, preset="").override(preview_every=0, precision="32", **PAPER_FIELDS)
README_FIELDS: dict[str, Any] = {"scaling": "pixels", "schedule": "constant", "batch_size": 256}
STYLE_INDEPENDENCE = {name: CORRECTED.options()[name] for name in PAPER_FIELDS}  # keeps the class out of the style
HIDDEN_HEADS = STYLE_INDEPENDENCE | {"independence": 0.0}

SYSTEMS = {
    "readme-1": System("its model, eps ~ N(0, 1)", README_FIELDS, 6, public_code=True),
    "readme-0.1": System("its model, eps ~ N(0, 0.1^2)", README_FIELDS | {"group_eps_std": 0.1}, 6, public_code=True),
    "readme-sample": System(
        "its model, eps anew for each image", README_FIELDS | {"content_draw": "sample"}, 6, public_code=True
    ),
    "readme-mean": System("its model, no noise", README_FIELDS | {"content_draw": "mean"}, 6, public_code=True),
    "corrected": System("the preset mnist-ml-vae", STYLE_INDEPENDENCE, 6),
    "corrected-0.1": System("the same, eps ~ N(0, 0.1^2)", STYLE_INDEPENDENCE | {"group_eps_std": 0.1}, 6),
    "plain": System("the paper's network and bound alone", {}),
    "heads": System("heads with a hidden layer, no independence", HIDDEN_HEADS),
    "beta-4": System("the same, KLs weighed 4 times", HIDDEN_HEADS | {"beta": 4.0}),
    "short": System("corrected, trained as short as these", STYLE_INDEPENDENCE),
    "batch-64": System("heads, batches of 64", HIDDEN_HEADS | {"batch_size": 64}),
    "batch-1024": System("heads, batches of 1,024", HIDDEN_HEADS | {"batch_size": 1024}),
    "dims-5": System("corrected with 5 + 5 dimensions", STYLE_INDEPENDENCE | {"latent_dim": 10, "content_dim": 5}),
    "dims-20": System("corrected with 20 + 20 dimensions", STYLE_INDEPENDENCE | {"latent_dim": 40, "content_dim": 20}),
}

RELEASED = {"readme-1": "1", "readme-0.1": "0.1"}  # in the names of the files that the public code's authors released
SYSTEMS_WITH_FIGURES = ("readme-1", "readme-0.1", "corrected", "plain")


def released_config(name: str, **options: Any) -> Config:
    """Returns the config of a released model, a key of `RELEASED`, with settings changed."""
    return COMMON_CONFIG.override(**{**SYSTEMS[name].fields, **options})
