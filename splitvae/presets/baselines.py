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

from dataclasses import replace

from ..config import Config

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
    """Presets of every baseline for a data set ("mnist", "cifar10" or "celeba"), made from its Split-VAE's."""
    twin = replace(svae, split=1)
    named = {
        "vae": twin,
        "beta-vae": replace(twin, variance="fixed", v=0.02, beta=4),
        "2svae": replace(twin, variance="learned", v=0.05, beta=1, sampler="second-stage"),
        "2svae-balanced": _balanced(replace(twin, sampler="second-stage-noiseless")),
    }
    for kind in RAE_WEIGHTS[data]:
        named[f"rae-{kind}"] = _regularized(replace(twin, components=10), data, kind)
    named |= {f"{name}-own": config for name, config in _own(data, twin).items()}
    return {f"{data}-{name}": config for name, config in named.items()}


def _own(data: str, twin: Config) -> dict[str, Config]:
    """The baselines on the networks of their own papers."""
    epochs, halving, second = TWO_STAGE[data]
    plain = replace(twin, mirror=False, schedule="step", lr=1e-4, batch_size=64)
    two_stage = replace(
        plain,
        net="infogan",
        spectral_norm=True,
        kernel=4,
        embedding=1024,
        latent_dim=64,
        variance="learned",
        beta=1,
        epochs=epochs,
        schedule_epochs=halving,
        sampler="second-stage",
        sampler_epochs=second,
        sampler_width=1024,
        sampler_lr=1e-4,
    )
    latent, lr, epochs, halving, second, wide, base = BALANCED[data]
    residual = replace(plain, net="two-stage", width=base, latent_dim=latent, lr=lr, epochs=epochs, schedule_epochs=halving)
    residual = replace(residual, sampler="second-stage-noiseless", sampler_epochs=second, sampler_width=wide)
    residual = replace(residual, sampler_lr=1e-4)
    higgins = replace(
        twin, net="higgins", mirror=False, width=32, kernel=4, embedding=256, latent_dim=32, lr=1e-4, epochs=100
    )
    own = {
        "vae": replace(two_stage, sampler="gmm", sampler_epochs=0, sampler_lr=1e-3),
        "beta-vae": replace(higgins, variance="fixed", v=0.02, beta=4),
        "2svae": two_stage,
        "2svae-balanced": _balanced(residual),
    }
    large = data == "celeba"
    network = replace(
        twin,
        net="rae",
        mirror=False,
        width=128,
        kernel=5 if large else 4,
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
    own["rae-gp"] = replace(own["rae-gp"], epochs=70 if large or data == "cifar10" else 100)
    return own


def _balanced(config: Config) -> Config:
    assert config.shape is not None
    return replace(config, variance="ratchet", beta=(2 * config.shape[1] / config.latent_dim) ** 2)


def _regularized(config: Config, data: str, kind: str) -> Config:
    beta, weight = RAE_WEIGHTS[data][kind]
    config = replace(config, latent="deterministic", loss="rae", beta=beta)
    if kind == "sn":
        return replace(config, spectral_norm=True)
    return replace(config, penalty="l2" if kind == "l2" else "gradient", penalty_weight=weight)
