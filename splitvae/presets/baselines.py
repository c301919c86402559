r"""The systems with which a Split-VAE is compared, for one data set.

| system           | description                                                                                       |
| ---------------- | ------------------------------------------------------------------------------------------------- |
| `vae`            | the unsplit twin: the same network and objective                                                  |
| `beta-vae`       | a fixed variance and weight of the KL (Higgins et al., 2017)                                      |
| `2svae`          | a learned variance, and a second VAE of the codes (Dai, Wipf, 2019)                               |
| `2svae-balanced` | the variance `Ratchet`, beta = (2 side / latent_dim)^2, and a second VAE without noise in samples |
|                  | (Asperti, Trentin, 2020)                                                                          |
| `rae-l2`, `rae-gp`, `rae-sn` | regularized autoencoders (Ghosh et al., 2020) with a penalty of weights, a penalty of |
|                  | gradients, or spectral normalisation                                                              |

Each system has two presets: one with the Split-VAE's network and training, at equal cost, and one, called `NAME-own`, with
the network and training of its own paper. Each of them may be split (`--split 2`).

All systems on a data set have the same augmentation, which is none, and a mixture of the same size; the authors of
regularized autoencoders took 10 components.

The settings differ from public code in these points. The authors' gradient penalty for CIFAR-10 has weight 0, here 1e-7.
Their L2 penalty excludes dense layers for images of 32 pixels, here it includes all layers. The learned variance starts at
1 in the authors' code, and at 0.05 with the Split-VAE's network, whose few thousand steps would otherwise pass before v is
small enough. For the same reason the second stage there is 256 wide and has ten times the authors' learning rate; theirs
(1024 wide, 1e-4) needs hundreds of epochs.

References: Diagnosing and enhancing VAE models (Dai, Wipf, 2019), https://arxiv.org/abs/1903.05789; Balancing
reconstruction error and Kullback-Leibler divergence in variational autoencoders (Asperti, Trentin, 2020),
https://arxiv.org/abs/2002.07514; From variational to deterministic autoencoders (Ghosh et al., 2020),
https://arxiv.org/abs/1903.12436.
"""

from __future__ import annotations

from typing import NamedTuple

from ..config import Config
from ..models.latents import Deterministic
from ..networks.strided import BetaVAE, InfoGAN, RegularizedAE
from ..networks.two_stage import TwoStage
from ..objectives.rae import RAE
from ..objectives.variance import Fixed, Learned, Ratchet
from ..samplers.second_stage import NoiselessSecondStage, SecondStage

__all__ = ["baseline_presets"]


class BalancedSettings(NamedTuple):
    """The settings of `2svae-balanced-own`, which differ between data sets.

    Arguments:
        latent_dim: The dimension of the latent.
        lr: The learning rate.
        epochs: The number of epochs.
        schedule_epochs: The number of epochs between halvings of the learning rate.
        second_epochs: The number of epochs of the second stage.
        second_width: The width of the second stage.
        width: The number of channels at the first scale of the network.
    """

    latent_dim: int
    lr: float
    epochs: int
    schedule_epochs: int
    second_epochs: int
    second_width: int
    width: int


RAE_WEIGHTS = {  # beta and the weight of the penalty, in the scaling of the authors' code
    "mnist": {"gp": (1e-4, 0.5e-7), "l2": (1e-4, 1e-7), "sn": (9e-3, 0.0)},
    "cifar10": {"gp": (9e-4, 1e-7), "l2": (1e-3, 1e-6), "sn": (0.03, 0.0)},
    "celeba": {"gp": (1e-4, 1e-7), "l2": (1e-4, 1e-7), "sn": (2.4e-3, 0.0)},
}
RAE_LATENT_DIMS = {"mnist": 16, "cifar10": 128, "celeba": 64}
TWO_STAGE_EPOCHS = {  # epochs, epochs between halvings of the learning rate, epochs of the second stage
    "mnist": (400, 150, 800),
    "cifar10": (1000, 300, 2000),
    "celeba": (400, 150, 800),
}
BALANCED = {
    "mnist": BalancedSettings(32, 1e-4, 400, 150, second_epochs=800, second_width=1024, width=32),
    "cifar10": BalancedSettings(128, 1e-4, 700, 250, second_epochs=1400, second_width=2048, width=64),
    "celeba": BalancedSettings(64, 5e-5, 70, 60, second_epochs=140, second_width=4096, width=32),
}


def baseline_presets(data: str, svae: Config) -> dict[str, Config]:
    """Returns the presets of all baselines for a data set.

    Arguments:
        data: The data set: "mnist", "cifar10" or "celeba".
        svae: The preset of the Split-VAE for this data set.
    """
    twin = svae.override(split=1)
    presets = {
        "vae": twin,
        "beta-vae": twin.override(variance=Fixed(v=0.02), beta=4),
        "2svae": twin.override(variance=Learned(v=0.05), beta=1, sampler=SecondStage()),
        "2svae-balanced": _with_balanced_loss(twin.override(sampler=NoiselessSecondStage())),
    }
    for kind in RAE_WEIGHTS[data]:
        presets[f"rae-{kind}"] = _as_rae(twin, data, kind)
    presets |= {f"{name}-own": config for name, config in _own_presets(data, twin).items()}
    return {f"{data}-{name}": config for name, config in presets.items()}


def _own_presets(data: str, twin: Config) -> dict[str, Config]:
    """Returns the presets with the networks and trainings of their own papers, made from that of the unsplit twin."""
    epochs, schedule_epochs, second_epochs = TWO_STAGE_EPOCHS[data]
    plain = twin.override(schedule="step", lr=1e-4, batch_size=64)
    two_stage = plain.override(
        net=InfoGAN(width=64, kernel=4, embedding=1024),
        spectral_norm=True,
        latent_dim=64,
        variance=Learned(),
        beta=1,
        epochs=epochs,
        schedule_epochs=schedule_epochs,
    )
    balanced = BALANCED[data]
    residual = plain.override(
        net=TwoStage(width=balanced.width),
        latent_dim=balanced.latent_dim,
        lr=balanced.lr,
        epochs=balanced.epochs,
        schedule_epochs=balanced.schedule_epochs,
        sampler=NoiselessSecondStage(epochs=balanced.second_epochs, width=balanced.second_width, lr=1e-4, batch=64),
    )
    higgins = twin.override(net=BetaVAE(), latent_dim=32, lr=1e-4, epochs=100)
    own = {
        "vae": two_stage,
        "beta-vae": higgins.override(variance=Fixed(v=0.02), beta=4),
        "2svae": two_stage.override(sampler=SecondStage(epochs=second_epochs, width=1024, lr=1e-4, batch=64)),
        "2svae-balanced": _with_balanced_loss(residual),
    }
    is_celeba = data == "celeba"
    network = twin.override(
        net=RegularizedAE(width=128, kernel=5 if is_celeba else 4),
        latent_dim=RAE_LATENT_DIMS[data],
        lr=1e-3 if is_celeba else 5e-4,
        epochs=70 if is_celeba else 100,
        schedule="plateau",
        schedule_epochs=5,
        best=True,
        validation=10_000,
    )
    for kind in RAE_WEIGHTS[data]:
        own[f"rae-{kind}"] = _as_rae(network, data, kind)
    own["rae-gp"] = own["rae-gp"].override(epochs=70 if is_celeba or data == "cifar10" else 100)
    return own


def _with_balanced_loss(config: Config) -> Config:
    """Returns a configuration with the loss of Asperti and Trentin."""
    assert config.model.shape is not None
    return config.override(variance=Ratchet(), beta=(2 * config.model.shape[1] / config.model.latent_dim) ** 2)


def _as_rae(config: Config, data: str, kind: str) -> Config:
    """Returns a configuration turned into a regularized autoencoder of a kind: "l2", "gp" or "sn"."""
    beta, weight = RAE_WEIGHTS[data][kind]
    penalty = {"l2": "l2", "gp": "gradient", "sn": "none"}[kind]
    config = config.override(latent=Deterministic(), loss=RAE(beta, penalty, weight))
    return config.override(spectral_norm=True) if kind == "sn" else config
