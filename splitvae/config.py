"""The settings of a run: one frozen `Config`, composed of the settings of its parts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from .errors import UserError
from .models.vae import Model
from .objectives.base import Objective
from .objectives.elbo import ELBO
from .objectives.registry import OBJECTIVES
from .samplers.base import Sampler
from .samplers.gaussian_mixture import GaussianMixture
from .samplers.registry import SAMPLERS
from .utils.settings import ActsWith, OneOf, Option, Settings

__all__ = ["FORMAT", "Config", "Data", "Hardware", "Monitoring", "Training"]

FORMAT = 1  # of config.json; a file with a larger number is refused
LEARNING_RATE_SCHEDULES = ("constant", "step", "cosine", "plateau")
PRECISIONS = ("auto", "bf16", "32")
ALARM_RESPONSES = ("stop", "warn", "rollback")


def _uses_groups(config: Config) -> bool:
    return config.model.latent.uses_groups


GROUPS = ActsWith(_uses_groups, "a latent of groups (--latent grouped or --latent adaptive)")


def check_least(settings: Settings, **least: int) -> None:
    """Raises UserError for a setting below its least value."""
    for name, low in least.items():
        if (value := getattr(settings, name)) < low:
            raise UserError(f"{name}={value} must be at least {low}.")


@dataclass(frozen=True)
class Data(Settings):
    """Creates the settings of the images and their treatment.

    Arguments:
        source: Where the images come from: a name, a folder, a parquet, npy or npz file, or hf://org/name.
        pad: The number of black pixels added on every side (MNIST: 2, from 28 to 32).
        crop: The side of the centre square, in pixels, that is cut out of each image before it is resized.
        mirror: Whether each training image is mirrored left to right at random.
        validation: The number of training images held out for the validation loss, at most a tenth.
        group_by: The attribute, or attributes joined by commas, by which images are grouped where they have no classes.
        group_members: The number of images of a group in a training batch; 0 draws batches at random, and those images of a
            label that meet are a group.
    """

    source: Annotated[str | None, Option("data")] = None
    pad: int = 0
    crop: int | None = None
    mirror: bool = False
    validation: int = 1000
    group_by: Annotated[str, GROUPS] = ""
    group_members: Annotated[int, GROUPS] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, pad=0, group_members=0)
        if self.validation < 0:
            raise UserError(f"validation={self.validation} must be a number of images, 0 for none.")


@dataclass(frozen=True)
class Training(Settings):
    """Creates the settings of the training.

    Arguments:
        epochs: The number of passes over the training images.
        batch_size: The number of images in a step.
        lr: The learning rate of Adam.
        schedule: How the learning rate falls: not at all, halved every `schedule_epochs` epochs, by a cosine to zero, or
            halved where the validation loss stalls.
        schedule_epochs: The number of epochs between halvings (step), or without improvement before one (plateau).
        ema: The decay of a moving average of the weights that is kept as the model (shorter at first), such as 0.999; 0 is
            none.
        best: Whether the weights of the epoch with the lowest validation loss are kept instead of the last.
        seed: The seed of initialisation, order, and noise.
    """

    epochs: int = 100
    batch_size: int = 100
    lr: float = 1e-3
    schedule: Annotated[str, OneOf(LEARNING_RATE_SCHEDULES)] = "constant"
    schedule_epochs: int = 50
    ema: float = 0.0
    best: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, epochs=1, batch_size=2, schedule_epochs=1)
        if not (self.lr > 0 and math.isfinite(self.lr)):
            raise UserError(f"lr={self.lr} must be a positive number, such as 1e-3.")
        if not 0 <= self.ema < 1:
            raise UserError(f"ema={self.ema} is a decay in [0, 1), such as 0.999; 0 switches it off.")
        if not 0 <= self.seed < 2**31:
            raise UserError(f"seed={self.seed} must lie between 0 and 2147483647.")


@dataclass(frozen=True)
class Monitoring(Settings):
    """Creates the settings of what a training shows, and of how it answers alarms.

    Arguments:
        preview_every: The number of epochs between pictures of the same fixed samples; 0 draws none.
        fid_every: The number of epochs between Frechet distances of samples to training images, of the blend and of each
            component; 0 measures none.
        on_alarm: What to do where training begins to die: stop at the last good checkpoint, go on with a warning, or go on
            from that checkpoint with a gentler weight.
    """

    preview_every: int = 5
    fid_every: int = 0
    on_alarm: Annotated[str, OneOf(ALARM_RESPONSES)] = "stop"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, preview_every=0, fid_every=0)


@dataclass(frozen=True)
class Hardware(Settings):
    """Creates the settings of the device and of the arithmetic.

    Arguments:
        precision: The arithmetic: bf16 autocast or float32; auto takes bf16 where the device computes it natively.
        compile: Whether encoder and decoder are compiled with torch.compile (worth it on a GPU).
        accelerator: The kind of device: cpu, cuda, mps, or auto.
        devices: The number of devices on this machine, each with batches of its own.
    """

    precision: Annotated[str, OneOf(PRECISIONS)] = "auto"
    compile: bool = False
    accelerator: str = "auto"
    devices: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, devices=1)


@dataclass(frozen=True)
class Config(Settings):
    """Creates the settings of a run.

    Arguments:
        data: The images and their treatment.
        model: The shape of an image, the latent, the split, and the network.
        objective: What training minimises.
        sampler: The density fitted to the codes after training, from which better samples are drawn than from the prior.
        training: The epochs, the batches, the learning rate, and the seed.
        monitoring: What a training shows, and how it answers alarms.
        hardware: The device and the arithmetic.
        preset: The name of the preset that the settings began as.
    """

    data: Data = Data()
    model: Model = Model()
    objective: Annotated[Objective, OBJECTIVES] = ELBO()
    sampler: Annotated[Sampler, SAMPLERS] = GaussianMixture()
    training: Training = Training()
    monitoring: Monitoring = Monitoring()
    hardware: Hardware = Hardware()
    preset: Annotated[str, Option("")] = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        for _, field, value in self.walk():
            if field.acts is not None and value != field.default and not field.acts.condition(self):
                raise UserError(
                    f"{field.option}={value!r} acts only with {field.acts.needed}; choose that, or leave "
                    f"{field.option} out."
                )
        if self.hardware.compile and self.objective.options().get("penalty") == "gradient":
            raise UserError(
                "the gradient penalty needs second derivatives, which torch.compile does not give; drop --compile."
            )
        if self.data.validation == 0 and (self.training.best or self.training.schedule == "plateau"):
            raise UserError("best weights and the plateau schedule follow the validation loss; set validation=1000.")

    def to_json(self) -> dict[str, Any]:
        """Returns the content of config.json, with the number of its format."""
        return {"format": FORMAT, **super().to_json()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Config:
        """Returns the settings in the content of config.json.

        Raises:
            UserError: For a file of another format, or unknown fields.
        """
        values = dict(values)
        number = values.pop("format", None)
        if number is None:
            raise UserError("was written before splitvae 0.1.0, in a form that is no longer read; train the run anew")
        if not isinstance(number, int) or number > FORMAT:
            raise UserError(
                f"is of format {number}, and this version of splitvae reads up to {FORMAT}; install a newer splitvae"
            )
        return super().from_json(values)
