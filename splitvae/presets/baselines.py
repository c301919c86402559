r"""The systems a Split-VAE is compared with, for one data set.

| system           | what it is                                                                                        |
| ---------------- | ------------------------------------------------------------------------------------------------- |
| `vae`            | the twin: the same network and objective, not split                                               |
| `beta-vae`       | a fixed variance and weight of the KL (Higgins et al., 2017)                                      |
| `2svae`          | a learned variance, and a second VAE of the codes (Dai, Wipf, 2019)                               |
| `2svae-balanced` | the ratcheted variance, a second VAE without noise (Asperti, Trentin, 2020), KL (2 side/latent)^2 |
| `rae-l2`, `rae-gp`, `rae-sn` | regularized autoencoders (Ghosh et al., 2020), smooth by weights, gradients or spectra |

Each stands on the Split-VAE's network with its schedule, at equal cost; and, as `NAME-own`, on the network of its own paper
with that paper's schedule. Each may be split (`--split 2`).

Where public code is wrong or silent: the authors' CIFAR-10 gradient penalty has weight 0, here 1e-7; their L2 penalty
leaves out dense layers at 32 pixels, here it has all kernels; the learned variance starts at 1 in their runs and at .05 on
the Split-VAE's network, whose few thousand steps it would otherwise spend falling. For the same reason the second stage
there is 256 wide and learns ten times as fast as the authors' (1024, 1e-4), which needs hundreds of epochs.
"""

from __future__ import annotations

from ..config import Config
from ..models.latents import Deterministic
from ..networks.strided import BetaVAE, InfoGAN, RegularizedAE
from ..networks.two_stage import TwoStage
from ..objectives.rae import RAE
from ..objectives.variance import Fixed, Learned, Ratchet
from ..samplers.second_stage import NoiselessSecondStage, SecondStage

__all__ = ["baseline_presets"]
RAE_WEIGHTS = {  # of the code's size and of the penalty, in the scaling of the authors' code
    "mnist": {"gp": (1e-4, 0.5e-7), "l2": (1e-4, 1e-7), "sn": (9e-3, 0.0)},
    "cifar10": {"gp": (9e-4, 1e-7), "l2": (1e-3, 1e-6), "sn": (0.03, 0.0)},
    "celeba": {"gp": (1e-4, 1e-7), "l2": (1e-4, 1e-7), "sn": (2.4e-3, 0.0)},
}
RAE_LATENTS = {"mnist": 16, "cifar10": 128, "celeba": 64}
TWO_STAGE = {  # epochs, epochs between halvings, epochs of the second stage
    "mnist": (400, 150, 800),
    "cifar10": (1000, 300, 2000),
    "celeba": (400, 150, 800),
}
BALANCED = {  # latents, rate, epochs, epochs between halvings, epochs and width of the second stage, base channels
    "mnist": (32, 1e-4, 400, 150, 800, 1024, 32),
    "cifar10": (128, 1e-4, 700, 250, 1400, 2048, 64),
    "celeba": (64, 5e-5, 70, 60, 140, 4096, 32),
}


def baseline_presets(data: str, svae: Config) -> dict[str, Config]:
    """Returns the presets of every baseline for a data set ("mnist", "cifar10" or "celeba"), made from its Split-VAE's."""
    twin = svae.override(split=1)
    presets = {
        "vae": twin,
        "beta-vae": twin.override(variance=Fixed(v=0.02), beta=4),
        "2svae": twin.override(variance=Learned(v=0.05), beta=1, sampler=SecondStage()),
        "2svae-balanced": _balanced(twin.override(sampler=NoiselessSecondStage())),
    }
    for kind in RAE_WEIGHTS[data]:
        presets[f"rae-{kind}"] = _regularized(twin.override(components=10), data, kind)
    presets |= {f"{name}-own": config for name, config in _own(data, twin).items()}
    return {f"{data}-{name}": config for name, config in presets.items()}


def _own(data: str, twin: Config) -> dict[str, Config]:
    """Returns the baselines on the networks of their own papers."""
    epochs, halving, second = TWO_STAGE[data]
    plain = twin.override(mirror=False, schedule="step", lr=1e-4, batch_size=64)
    two_stage = plain.override(
        net=InfoGAN(width=64, kernel=4, embedding=1024),
        spectral_norm=True,
        latent_dim=64,
        variance=Learned(),
        beta=1,
        epochs=epochs,
        schedule_epochs=halving,
    )
    latent, lr, epochs, halving, balanced_second, wide, base = BALANCED[data]
    residual = plain.override(
        net=TwoStage(width=base), latent_dim=latent, lr=lr, epochs=epochs, schedule_epochs=halving
    ).override(sampler=NoiselessSecondStage(epochs=balanced_second, width=wide, lr=1e-4))
    higgins = twin.override(net=BetaVAE(), mirror=False, latent_dim=32, lr=1e-4, epochs=100)
    own = {
        "vae": two_stage,
        "beta-vae": higgins.override(variance=Fixed(v=0.02), beta=4),
        "2svae": two_stage.override(sampler=SecondStage(epochs=second, width=1024, lr=1e-4)),
        "2svae-balanced": _balanced(residual),
    }
    large = data == "celeba"
    network = twin.override(
        net=RegularizedAE(width=128, kernel=5 if large else 4),
        mirror=False,
        latent_dim=RAE_LATENTS[data],
        lr=1e-3 if large else 5e-4,
        epochs=70 if large else 100,
        schedule="plateau",
        schedule_epochs=5,
        best=True,
        validation=10_000,
        components=10,
    )
    for kind in RAE_WEIGHTS[data]:
        own[f"rae-{kind}"] = _regularized(network, data, kind)
    own["rae-gp"] = own["rae-gp"].override(epochs=70 if large or data == "cifar10" else 100)
    return own


def _balanced(config: Config) -> Config:
    assert config.model.shape is not None
    return config.override(variance=Ratchet(), beta=(2 * config.model.shape[1] / config.model.latent_dim) ** 2)


def _regularized(config: Config, data: str, kind: str) -> Config:
    beta, weight = RAE_WEIGHTS[data][kind]
    penalty = {"l2": "l2", "gp": "gradient", "sn": "none"}[kind]
    config = config.override(latent=Deterministic(), loss=RAE(beta, penalty, weight))
    return config.override(spectral_norm=True) if kind == "sn" else config
