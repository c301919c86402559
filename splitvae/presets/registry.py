"""The registry of presets, a dict of whole configurations; to add one, add a line such as `MNIST.override(split=3)`."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..config import Config, Data, Training
from ..errors import UserError, nearest
from ..models.latents import Grouped
from ..models.vae import Model
from ..networks.dense import Dense
from ..networks.residual import Residual
from ..objectives.elbo import ELBO
from ..objectives.variance import Computed, Fixed
from ..samplers.gaussian_mixture import GaussianMixture
from .baselines import baseline_presets
from .introvae import introvae_presets

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

# The network of the Multi-Level VAE, with settings that keep information about the digit out of the style (docs/groups.md).
ML_VAE = Config(
    data=Data("mnist"),
    model=Model(
        (1, 28, 28), latent_dim=20, split=1, net=Dense(embedding=500), latent=Grouped(content_dim=10, head_units=500)
    ),
    objective=ELBO(variance=Fixed(v=0.5), independence=40),
    training=Training(epochs=48, batch_size=128, schedule="cosine"),
)

PRESETS: dict[str, Config] = {
    "digits-svae": DIGITS,
    "digits-vae": DIGITS.override(split=1),
    "mnist-svae": MNIST,
    "fashion-svae": MNIST.override(data="fashion-mnist"),
    "kmnist-svae": MNIST.override(data="kmnist"),
    "mnist-ml-vae": ML_VAE,
    "cifar10-svae": CIFAR10,
    "celeba-svae": CELEBA,
    **baseline_presets("mnist", MNIST),
    **baseline_presets("cifar10", CIFAR10),
    **baseline_presets("celeba", CELEBA),
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
