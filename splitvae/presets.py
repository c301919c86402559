"""Presets: one frozen `Config` says everything about a run, and a plain dict maps names to configs.

A variant is two lines: `replace(PRESETS["mnist-svae"], split=3)`.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, cast, get_args, get_origin, get_type_hints

import tyro

from .balance import KL_WEIGHTS, VARIANCES, Capacity, KLWeight, variance_named
from .errors import UserError, nearest
from .nets import SIDES
from .objectives import ELBO, Objective
from .vae import VAE

__all__ = [
    "PRESETS",
    "Config",
    "configure",
    "create",
    "fields_of",
    "objective_of",
    "override",
    "suggest",
    "vae_of",
]

Precision = Literal["auto", "bf16", "32"]


@dataclass(frozen=True)
class Config:
    """Network, objective, treatment of the data and schedule of a run."""

    preset: Annotated[str, tyro.conf.Suppress] = ""  # the name it came by; no field to set
    data: str | None = None
    """Where the images come from: a name, a folder, a parquet, npy or npz file, or hf://org/name."""
    shape: tuple[int, int, int] | None = None
    """Channels, height and width the network paints; the side is 16, 32, 64 or 128."""
    pad: int = 0
    """Black pixels added on every side (MNIST: 2, from 28 to 32)."""
    crop: int | None = None
    """Side of the centre square that is cut out of each image before it is resized."""
    mirror: bool = False
    """Mirror each training image left to right at random."""
    validation: int = 1000
    """Training images held out for the validation loss, at most a tenth."""

    latent_dim: int = 32
    """Dimension of the latent z."""
    split: int = 2
    """Images the decoder paints and blends: 1 is a plain VAE, 2 a Split-VAE."""
    width: int = 64
    """Channels of the network's first scale, doubled at each halving; 16 is a small network."""
    scales: int = 4
    """Times the encoder halves the image."""
    blocks: int = 1
    """Residual blocks at each scale."""
    depth: int = 2
    """Convolutions in each residual block."""
    kernel: int = 3
    """Side of the convolutions."""
    embedding: int = 512
    """Features between the convolutions and the latent."""

    beta: float = 1.0
    """Weight of the KL."""
    variance: Literal["fixed", "computed", "ratchet", "learned", "optimal"] = "computed"
    """The likelihood's variance v: constant, the paper's running minimum, Asperti-Trentin's, Dai-Wipf's, sigma-VAE's."""
    v: float = 1.0
    """Value, or first value, of v."""
    kl: Literal["constant", "warmup", "cyclical", "capacity"] = "constant"
    """Schedule of the KL's weight."""
    kl_steps: int = 10_000
    """Length of that schedule in steps."""
    capacity: float = 25.0
    """Nats the KL is drawn to at the end of the capacity schedule."""
    ambiguity: float = 0.0
    """0 leaves the split free as in the paper, 1 makes each component explain the pixels it claims."""
    smoothness: float = 0.0
    """Weight of the maps' total variation."""

    epochs: int = 100
    """Passes over the training images."""
    batch_size: int = 100
    """Images a step."""
    lr: float = 1e-3
    """Adam's learning rate."""
    schedule: Literal["constant", "step", "cosine", "plateau"] = "constant"
    """Learning rate: constant, halved every `schedule_epochs`, cosine to zero, halved where the validation loss stalls."""
    schedule_epochs: int = 50
    """Epochs between halvings (step), or without improvement before one (plateau)."""
    ema: float = 0.0
    """Decay of a moving average of the weights that is kept as the model, such as 0.999; 0 keeps the weights."""
    best: bool = False
    """Keep the weights of the epoch with the lowest validation loss instead of the last."""
    pictures: int = 5
    """Epochs between pictures of the same fixed samples; 0 draws none."""

    seed: int = 0
    """Seed of initialisation, order, and noise."""
    precision: Precision = "auto"
    """bf16 autocast or float32; auto takes bf16 where the device computes it natively."""
    compile: bool = False
    """Compile encoder and decoder with torch.compile (worth it on a GPU)."""
    accelerator: str = "auto"
    """cpu, cuda, mps, or auto."""
    devices: int = 1
    """Devices on this machine, each with batches of its own."""

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(Config).items():
            value, choices = getattr(self, name), get_args(kind)
            if get_origin(kind) is Literal and value not in choices:
                raise UserError(f"{name}={value!r} is unknown; {nearest(str(value), choices)}")
        least = {"epochs": 1, "batch_size": 2, "pad": 0, "pictures": 0, "schedule_epochs": 1, "devices": 1}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise UserError(f"{name}={getattr(self, name)} must be at least {low}.")
        if self.validation < 0:
            raise UserError(f"validation={self.validation} must be a number of images, 0 for none.")
        if not (self.lr > 0 and math.isfinite(self.lr)):
            raise UserError(f"lr={self.lr} must be a positive number, such as 1e-3.")
        if not 0 <= self.ema < 1:
            raise UserError(f"ema={self.ema} is a decay in [0, 1), such as 0.999; 0 switches it off.")
        if not 0 <= self.seed < 2**31:
            raise UserError(f"seed={self.seed} must lie between 0 and 2147483647.")
        if self.validation == 0 and (self.best or self.schedule == "plateau"):
            raise UserError("best weights and the plateau schedule follow the validation loss; set validation=1000.")


# The paper's three systems: section 5, and its public code. Mirroring is ours.
MNIST = Config(data="mnist", shape=(1, 32, 32), pad=2, latent_dim=32, beta=8, epochs=250)
CIFAR10 = Config(data="hf://uoft-cs/cifar10", shape=(3, 32, 32), mirror=True, latent_dim=200, beta=3, epochs=110)
CELEBA = Config(data="hf://flwrlabs/celeba", shape=(3, 64, 64), crop=128, mirror=True, latent_dim=150, beta=3, epochs=160)
DIGITS = Config(
    data="digits", shape=(1, 16, 16), latent_dim=16, width=16, scales=3, beta=4, v=0.1, epochs=80, validation=100
)

PRESETS: dict[str, Config] = {
    "digits-svae": DIGITS,
    "digits-vae": replace(DIGITS, split=1),
    "mnist-svae": MNIST,
    "mnist-vae": replace(MNIST, split=1),
    "fashion-svae": replace(MNIST, data="fashion-mnist"),
    "kmnist-svae": replace(MNIST, data="kmnist"),
    "cifar10-svae": CIFAR10,
    "cifar10-vae": replace(CIFAR10, split=1),
    "celeba-svae": CELEBA,
    "celeba-vae": replace(CELEBA, split=1),
}
PRESETS = {name: replace(config, preset=name) for name, config in PRESETS.items()}


def configure(name: str, **overrides: Any) -> Config:
    """The preset called `name` with fields overridden; raises UserError naming the nearest presets or fields."""
    if name not in PRESETS:
        raise UserError(f"no preset is called {name!r}; {nearest(name, PRESETS)} `splitvae list` shows them all.")
    return override(PRESETS[name], **overrides)


def override(config: Config, **overrides: Any) -> Config:
    """A config with fields overridden; raises UserError naming the nearest fields."""
    fields = {f.name for f in dataclasses.fields(Config)} - {"preset"}
    for key in overrides:
        if key not in fields:
            raise UserError(f"a preset has no field {key!r}; {nearest(key, fields)}")
    return replace(config, **overrides)


def fields_of(thing: VAE | Objective) -> dict[str, Any]:
    """The fields of a config that describe a model or an objective made without one."""
    if isinstance(thing, VAE):
        return {**cast(dict[str, Any], thing._hub_mixin_config), "shape": thing.shape}
    if not isinstance(thing, ELBO):
        return {}
    fields: dict[str, Any] = {"ambiguity": thing.ambiguity, "smoothness": thing.smoothness}
    for name, kind in KL_WEIGHTS.items():
        if type(thing.weight) is kind:
            fields |= {"beta": thing.weight.beta, "kl": name, "kl_steps": thing.weight.steps}
    if isinstance(thing.weight, Capacity):
        fields["capacity"] = thing.weight.nats
    for name, variance in VARIANCES.items():
        if type(thing.variance) is variance:
            fields |= {"variance": name, "v": thing.variance.start}
    return fields


def create(name: str, **overrides: Any) -> VAE:
    """The untrained model of a preset: `create("mnist-svae", width=16)`."""
    return vae_of(configure(name, **overrides))


def vae_of(config: Config) -> VAE:
    """The untrained model a config describes."""
    if config.shape is None:
        raise UserError("the config says no shape; give one, such as shape=(3, 64, 64), or images to take it from.")
    return VAE(
        config.shape,
        config.latent_dim,
        config.split,
        config.width,
        config.scales,
        config.blocks,
        config.depth,
        config.kernel,
        config.embedding,
    )


def objective_of(config: Config) -> Objective:
    """The objective a config describes."""
    if config.kl == "capacity":
        weight: KLWeight = Capacity(config.beta, config.kl_steps, config.capacity)
    else:
        weight = KL_WEIGHTS[config.kl](config.beta, config.kl_steps)
    return ELBO(weight, variance_named(config.variance, config.v), config.ambiguity, config.smoothness)


def suggest(shape: tuple[int, int, int], count: int, cuda: bool) -> dict[str, Any]:
    """Fields for images of which only shape and number are known: what `splitvae train --data FOLDER` trains.

    The side becomes the nearest the network paints (padded where that takes at most an eighth, else resized); colour gets
    the paper's CelebA settings, gray its MNIST settings; a CPU gets the small network; epochs make about 10,000 steps.
    """
    channels, side = shape[0], shape[1]
    target = next((s for s in SIDES if s >= side), SIDES[-1])
    padded = (target - side) % 2 == 0 and (target - side) * 8 <= target
    target = target if padded else min(SIDES, key=lambda s: (abs(s - side), -s))
    batch = max(2, min(100, count // 10))
    latent = {16: 16, 32: 32, 64: 64, 128: 128} if channels == 1 else {16: 64, 32: 128, 64: 150, 128: 200}
    return {
        "shape": (channels, target, target),
        "pad": (target - side) // 2 if padded else 0,
        "mirror": channels == 3,
        "latent_dim": latent[target],
        "scales": min(4, target.bit_length() - 2),
        "width": 64 if cuda else 16,
        "beta": 3.0 if channels == 3 else 8.0,
        "batch_size": batch,
        "epochs": max(5, min(250, round(10_000 * batch / count))),
    }
