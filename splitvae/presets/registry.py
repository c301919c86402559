"""The registry of presets, a dict of whole configurations; to add one, add a line such as `MNIST.override(split=3)`."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..config import Config, Data, Training
from ..errors import UserError, nearest
from ..models.vae import Model
from ..networks.residual import Residual
from ..objectives.elbo import ELBO
from ..objectives.variance import Computed
from ..samplers.gaussian_mixture import GaussianMixture
from .baselines import baseline_presets
from .introvae import introvae_presets
from .ml_vae import ml_vae_presets

__all__ = ["PRESETS", "find_preset"]

# The three systems of the paper, from its section 5 and its public code.
MNIST = Config(
    data=Data("mnist", pad=2),
    model=Model((1, 32, 32), latent_dim=32),
    objective=ELBO(beta=8),
    sampler=GaussianMixture(20),
    training=Training(epochs=250),
)
CIFAR10 = Config(
    data=Data("hf://uoft-cs/cifar10"),
    model=Model((3, 32, 32), latent_dim=200),
    objective=ELBO(beta=3),
    sampler=GaussianMixture(100),
    training=Training(epochs=110),
)
CELEBA = Config(
    data=Data("hf://flwrlabs/celeba", crop=128),
    model=Model((3, 64, 64), latent_dim=150),
    objective=ELBO(beta=3),
    sampler=GaussianMixture(100),
    training=Training(epochs=160),
)
DIGITS = Config(
    data=Data("digits", validation=100),
    model=Model((1, 16, 16), latent_dim=16, net=Residual(width=16, scales=3)),
    objective=ELBO(beta=4, variance=Computed(v=0.1)),
    training=Training(epochs=40, batch_size=50, schedule="step", schedule_epochs=8),
)

PRESETS: dict[str, Config] = {
    "digits-svae": DIGITS,
    "digits-vae": DIGITS.override(split=1),
    "mnist-svae": MNIST,
    "mnist-svae-semantic": MNIST.override(smoothness=0.0001),  # maps that follow strokes
    "fashion-svae": MNIST.override(data="fashion-mnist"),
    "kmnist-svae": MNIST.override(data="kmnist"),
    "cifar10-svae": CIFAR10,
    "celeba-svae": CELEBA,
    "celeba-svae-semantic": CELEBA.override(smoothness=0.001, map_scale=4.0, map_norm=True),  # maps of the face
    **baseline_presets("mnist", MNIST),
    **baseline_presets("cifar10", CIFAR10),
    **baseline_presets("celeba", CELEBA),
    **ml_vae_presets(MNIST, CELEBA),
    **introvae_presets(MNIST, CELEBA),
}
PRESETS = {name: dataclasses.replace(config, preset=name) for name, config in PRESETS.items()}


def find_preset(name: str, **options: Any) -> Config:
    """Returns a preset with settings changed.

    Arguments:
        name: The name of the preset.
        options: Settings by flat name.

    Raises:
        UserError: For an unknown preset or option, with the nearest ones.
    """
    if name not in PRESETS:
        raise UserError(f"no preset is called {name!r}; {nearest(name, PRESETS)} `splitvae list` shows them all.")
    return PRESETS[name].override(**options)
