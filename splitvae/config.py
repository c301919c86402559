"""The settings of a run: one frozen `Config`, composed of the settings of its parts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from .errors import UserError, setting
from .models.vae import Model
from .objectives.base import Objective
from .objectives.elbo import ELBO
from .objectives.registry import OBJECTIVES
from .samplers.base import Sampler
from .samplers.gaussian_mixture import GaussianMixture
from .samplers.registry import SAMPLERS
from .utils.settings import ActsWith, OneOf, Option, Settings

__all__ = ["FORMAT", "LOGGERS", "Config", "Data", "Hardware", "Monitoring", "Training"]

FORMAT = 1  # the number of the format of config.json; a file with a larger number is refused
LEARNING_RATE_SCHEDULES = ("constant", "step", "cosine", "plateau")
PRECISIONS = ("auto", "bf16", "32")
ACCELERATORS = ("auto", "cpu", "cuda", "mps", "gpu", "tpu")  # those of Fabric
LOGGERS = ("tensorboard", "csv", "wandb", "mlflow", "none")
ALARM_RESPONSES = ("stop", "warn", "rollback")


def _uses_groups(config: Config) -> bool:
    """Returns whether images of a group share dimensions of the latent."""
    return config.model.latent.uses_groups


WITH_GROUPS = ActsWith(_uses_groups, "a latent of groups", ("latent", "grouped"))


def check_minimums(settings: Settings, **minimums: int) -> None:
    """Raises UserError for a setting that is below its minimum."""
    for name, minimum in minimums.items():
        if (value := getattr(settings, name)) < minimum:
            raise UserError(f"{setting(name, value)} must be at least {minimum}.")


@dataclass(frozen=True)
class Data(Settings):
    """Creates the settings of the images and of their preparation.

    Arguments:
        source: The source of the images: a name, a folder, a parquet, npy, npz or CIFAR file, or hf://org/name.
        pad: The number of black pixels that are added on each side of an image (MNIST: 2, from 28 to 32).
        crop: The side, in pixels, of the centre square that is cut out of each image before it is resized.
        mirror: Whether each training image is mirrored left to right at random.
        validation: The number of training images held out for the validation loss, at most a tenth.
        group_by: The attribute, or several attributes separated by commas, whose values group the images; for images
            without classes.
        group_members: The number of images of each group in a training batch; 0 draws batches at random, and all images of
            a label in a batch are a group.
    """

    source: Annotated[str | None, Option("data")] = None
    pad: int = 0
    crop: int | None = None
    mirror: bool = False
    validation: int = 1000
    group_by: Annotated[str, WITH_GROUPS] = ""
    group_members: Annotated[int, WITH_GROUPS] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_minimums(self, pad=0, group_members=0, **({} if self.crop is None else {"crop": 1}))
        if self.validation < 0:
            raise UserError(
                f"{setting('validation', self.validation)} must be a number of images of at least 0; 0 holds out none."
            )


@dataclass(frozen=True)
class Training(Settings):
    """Creates the settings of the training.

    Arguments:
        epochs: The number of passes over the training images.
        batch_size: The number of images in a training step on each device; a step has as many times more as there are
            devices.
        lr: The learning rate of Adam, which is not scaled by the number of devices, and rises over the first 100 steps.
        schedule: The schedule of the learning rate: constant, halved every `schedule_epochs` epochs (step), lowered to zero
            by a cosine, or halved when the validation loss no longer improves (plateau).
        schedule_epochs: The number of epochs between halvings (step), or without improvement before a halving (plateau).
        ema: The decay of a moving average of the weights, such as 0.999 (less in the first steps), which is saved as the
            model; 0 saves the weights themselves.
        best: Whether the weights of the epoch with the lowest validation loss are saved instead of those of the last epoch.
        seed: The seed of the initial weights, the order of the images, and noise.
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
        check_minimums(self, epochs=1, batch_size=2, schedule_epochs=1)
        if not (self.lr > 0 and math.isfinite(self.lr)):
            raise UserError(f"{setting('lr', self.lr)} must be a positive number, such as 1e-3.")
        if not 0 <= self.ema < 1:
            raise UserError(f"{setting('ema', self.ema)} must be a decay in [0, 1), such as 0.999; 0 switches it off.")
        if not 0 <= self.seed < 2**31:
            raise UserError(f"{setting('seed', self.seed)} must lie between 0 and 2147483647.")


@dataclass(frozen=True)
class Monitoring(Settings):
    """Creates the settings of what a training shows, and of its response to alarms.

    Arguments:
        preview_every: The number of epochs between pictures of the same fixed samples; 0 draws none.
        fid_every: The number of epochs between measurements of the Frechet distance of samples, of the blend and of each
            component, to training images; 0 measures none.
        on_alarm: The response to an alarm: stop at the last good checkpoint, go on with a warning (warn), or go on from
            that checkpoint with changed weights (rollback).
        logger: Where the history is logged beside history.jsonl: tensorboard and csv in the folder of the run, wandb and
            mlflow where these packages are installed, or none.
    """

    preview_every: int = 5
    fid_every: int = 0
    on_alarm: Annotated[str, OneOf(ALARM_RESPONSES)] = "stop"
    logger: Annotated[str, OneOf(LOGGERS)] = "tensorboard"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_minimums(self, preview_every=0, fid_every=0)


@dataclass(frozen=True)
class Hardware(Settings):
    """Creates the settings of the devices and of the arithmetic.

    Arguments:
        precision: The arithmetic: bf16 by autocast, or float32; auto is bf16 if the device computes it natively.
        compile: Whether encoder and decoder are compiled by torch.compile, which makes a GPU faster.
        accelerator: The kind of device: cpu, cuda, mps, or auto.
        devices: The number of devices on each machine, or auto for all of them; each has a process and batches of its own.
        nodes: The number of machines; torchrun or srun starts the command on each (docs/many-machines.md).
    """

    precision: Annotated[str, OneOf(PRECISIONS)] = "auto"
    compile: bool = False
    accelerator: Annotated[str, OneOf(ACCELERATORS)] = "auto"
    devices: int | str = 1
    nodes: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.devices, str) and self.devices != "auto":
            raise UserError(
                f"{setting('devices', self.devices)} must be a number of devices, or auto for all of each machine."
            )
        check_minimums(self, nodes=1, **({} if isinstance(self.devices, str) else {"devices": 1}))

    @property
    def processes(self) -> int:
        """The number of processes, one for each device of each machine; of devices that are yet unknown, one."""
        return self.nodes * (1 if isinstance(self.devices, str) else self.devices)


@dataclass(frozen=True)
class Config(Settings):
    """Creates the settings of a run.

    Arguments:
        data: The images and their preparation.
        model: The shape of an image, the latent, the split, and the network.
        objective: What training minimises.
        sampler: The density that is fitted to the codes after training, which gives better samples than the prior.
        training: The epochs, the batches, the learning rate, and the seed.
        monitoring: What the training shows, and its response to alarms.
        hardware: The devices and the arithmetic.
        preset: The name of the preset from which the settings were made; empty if there is none.
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
                raise UserError(f"{setting(field.option, value)} {field.acts.explain(field.option)}")
        if self.hardware.compile and self.objective.options().get("penalty") == "gradient":
            raise UserError(
                "the gradient penalty needs second derivatives, which torch.compile cannot compute; leave "
                f"{setting('compile', True)} out."
            )
        if self.data.validation == 0 and (self.training.best or self.training.schedule == "plateau"):
            raise UserError(
                "best=True and schedule='plateau' need a validation loss, and there is none with validation=0; type "
                f"{setting('validation', 1000)}."
            )

    def to_json(self) -> dict[str, Any]:
        """Returns the content of config.json, which includes the number of its format."""
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
            raise UserError("was written before splitvae 0.1.0, in a format that is no longer read; train the run anew")
        if not isinstance(number, int) or number > FORMAT:
            raise UserError(
                f"is of format {number}, and this version of splitvae reads up to {FORMAT}; install a newer splitvae"
            )
        return super().from_json(values)
