"""The settings of a run: one frozen `Config` says everything about it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal, get_args, get_origin, get_type_hints

import tyro

from .errors import UserError, nearest

__all__ = ["Config"]


Precision = Literal["auto", "bf16", "32"]


@dataclass(frozen=True)
class Config:
    """Network, objective, treatment of the data and schedule of a run."""

    preset: Annotated[str, tyro.conf.Suppress] = ""  # the name it came by; no field to set
    data: str | None = None
    """Where the images come from: a name, a folder, a parquet, npy or npz file, or hf://org/name."""
    shape: tuple[int, int, int] | None = None
    """Channels, height and width the network paints; the side is 16, 32, 64 or 128, in IntroVAE's networks up to 1024."""
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
    net: Literal["resnet", "two-stage", "infogan", "rae", "higgins", "mlp", "intro", "intro-plain"] = "resnet"
    """The network: the Split-VAE's, or the one another system was published with (`intro-plain`: no BatchNorm)."""
    latent: Literal["gaussian", "deterministic", "grouped", "adaptive"] = "gaussian"
    """Codes with noise, without (regularized autoencoders), or for images in groups: content and style, or pairs."""
    spectral_norm: bool = False
    """Divide every layer's weight by its largest singular value."""
    content_dim: int = 0
    """Dimensions of a grouped latent that a group shares; 0 is half of them, the others are each image's style."""
    fusion: Literal["poe", "poe-prior", "mean", "harmonic"] = "poe"
    """How what members know of the content becomes one Gaussian (product of experts, Group VAE's mean, ...)."""
    content_draw: Literal["group", "sample", "mean"] = "group"
    """Draw the content once a group, anew for each sample, or take its mean."""
    eps_std: float = 1.0
    """Standard deviation of the noise that the content is drawn with; 1 is the posterior's."""
    head_units: int = 0
    """Units of a hidden layer that style and content of a grouped latent each have; 0 is none, as in the paper."""
    evidence: int = 0
    """Members of a group that say what its content is in a training step, drawn at random; 0 is all of them."""
    independence: float = 0.0
    """Weight, in nats, of what a grouped latent's styles tell of the groups; 0 in the paper, 100 is much."""
    members: int = 0
    """Images of a group in a training batch; 0 takes batches at random, and those of a label that meet are a group."""
    group_by: str = ""
    """Attribute, or attributes joined by commas, by which images are grouped where they have no classes."""

    loss: Literal["elbo", "rae", "intro", "soft-intro"] = "elbo"
    """The evidence lower bound; or the regularized autoencoder's, IntroVAE's, Soft-IntroVAE's: no variance, no schedule."""
    beta: float = 1.0
    """Weight of the KL; in IntroVAE, as its authors write it, that of the reconstruction instead."""
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
    scaling: Literal["units", "pixels"] = "units"
    """The bound in nats per image, or per group; or public Multi-Level VAE code's mean over pixels, to reproduce it."""
    penalty: Literal["none", "l2", "gradient"] = "none"
    """What else a regularized autoencoder asks of its decoder: small weights, or small gradients."""
    penalty_weight: float = 0.0
    """Weight of that penalty."""

    alpha: float = 0.25
    """IntroVAE: weight of the hinges that raise the KL of what is painted up to the margin; 0 for both is a plain VAE."""
    alpha_decoder: float | None = None
    """IntroVAE: weight with which the decoder lowers the KL of what it paints; None is alpha."""
    margin: float = 10.0
    """IntroVAE: KL in nats that what is painted is driven to, somewhat above the images' own."""
    hinge: Literal["batch", "sample"] = "batch"
    """IntroVAE: compare the margin with the KL of the mean image of a batch, or with each image's."""
    beta_rec: float = 1.0
    """Soft-IntroVAE: weight of the squared error."""
    beta_kl: float = 1.0
    """Soft-IntroVAE: weight of the KL."""
    beta_neg: float = 256.0
    """Soft-IntroVAE: weight of the KL of what is painted, in the encoder's loss."""
    gamma: float = 1e-8
    """Soft-IntroVAE: weight of the reconstruction of what is painted, in the decoder's loss; 0 saves two passes."""
    vae_epochs: int = 0
    """IntroVAE and Soft-IntroVAE: first epochs, which train a plain VAE."""
    on_alarm: Literal["stop", "warn", "rollback"] = "stop"
    """Where training begins to die: stop at the last good checkpoint, go on, or go on from it with a gentler weight."""

    sampler: Literal["gmm", "second-stage", "second-stage-noiseless", "flow"] = "gmm"
    """The density fitted to the codes after training, from which better samples are drawn than from the prior."""
    components: int = 0
    """Components of the mixture in the protocol `paper`, 0 is 100; `clean` picks them by held-out likelihood."""
    sampler_epochs: int = 0
    """Epochs a second stage or a flow is trained for; 0 is twice the model's, at least 20."""
    sampler_width: int = 256
    """Units of a second stage's layers."""
    sampler_lr: float = 1e-3
    """Learning rate of a second stage or a flow."""

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
    """Decay of a moving average of the weights that is kept as the model (shorter at first), such as 0.999; 0 is none."""
    best: bool = False
    """Keep the weights of the epoch with the lowest validation loss instead of the last."""
    pictures: int = 5
    """Epochs between pictures of the same fixed samples; 0 draws none."""
    fid: int = 0
    """Epochs between Frechet distances of samples to training images, of the blend and each component; 0 measures none."""

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
        least |= {"components": 0, "sampler_epochs": 0, "sampler_width": 1, "fid": 0, "members": 0, "vae_epochs": 0}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise UserError(f"{name}={getattr(self, name)} must be at least {low}.")
        if self.validation < 0:
            raise UserError(f"validation={self.validation} must be a number of images, 0 for none.")
        for name in ("lr", "sampler_lr"):
            if not (getattr(self, name) > 0 and math.isfinite(getattr(self, name))):
                raise UserError(f"{name}={getattr(self, name)} must be a positive number, such as 1e-3.")
        if not 0 <= self.ema < 1:
            raise UserError(f"ema={self.ema} is a decay in [0, 1), such as 0.999; 0 switches it off.")
        if not 0 <= self.seed < 2**31:
            raise UserError(f"seed={self.seed} must lie between 0 and 2147483647.")
        if self.compile and self.penalty == "gradient":
            raise UserError(
                "the gradient penalty needs second derivatives, which torch.compile does not give; drop --compile."
            )
        if self.independence and (self.latent != "grouped" or self.loss != "elbo"):
            raise UserError(
                f"independence={self.independence:g} keeps groups out of styles, which only latent='grouped' with "
                "loss='elbo' has; leave it away, or type --latent grouped."
            )
        if self.penalty != "none" and self.loss != "rae":
            raise UserError(
                f"penalty={self.penalty!r} belongs to loss='rae'; set that, or take a preset such as mnist-rae-l2."
            )
        if self.validation == 0 and (self.best or self.schedule == "plateau"):
            raise UserError("best weights and the plateau schedule follow the validation loss; set validation=1000.")
