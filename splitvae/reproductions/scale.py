"""The scale of an experiment: the width of the networks and the number of epochs, from the machine and a time.

With a GPU they are those of the paper. Without one, networks have the experiment's own smaller width, and the number of
epochs is the largest at which all trainings together fit the time that is given: a few steps of each system are timed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

from ..data.images import Images
from ..errors import UserError
from ..presets.build import build_vae
from ..presets.images import match_config
from ..presets.registry import find_preset
from ..training.rehearsal import TIMED_STEPS, time_steps
from ..training.trainer import Trainer
from ..utils.console import print_once
from ..utils.machine import default_device, describe_device
from ..utils.text import count_noun
from .experiment import Experiment, System

__all__ = ["DEFAULT_HOURS", "TEST_IMAGES", "Scale", "choose_scale", "seconds_of_epoch"]

DEFAULT_HOURS = 3.0
TEST_IMAGES = 10_000


@dataclass(frozen=True)
class Scale:
    """Creates the scale of an experiment.

    Arguments:
        width: The width of all networks.
        epochs: The number of epochs of most systems.
        images: The number of test images, and of generated ones, of each distance.
        reason: Where width and epochs come from, in a few words.
    """

    width: int
    epochs: int
    images: int
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return asdict(self)


def choose_scale(
    experiment: Experiment,
    train: Images,
    hours: float | None = None,
    width: int | None = None,
    epochs: int | None = None,
    images: int = TEST_IMAGES,
    **options: Any,
) -> Scale:
    """Returns the scale of an experiment on this machine.

    Arguments:
        experiment: The experiment.
        train: The training images, in the shape of its systems.
        hours: The time for all trainings; None is no limit with a GPU, and three hours without.
        width: A width that is used in any case.
        epochs: A number of epochs that is used in any case.
        images: The number of test images of each distance.
        options: Further settings by flat name that all runs share.

    Raises:
        UserError: If the time is no positive number.
    """
    if hours is not None and not hours > 0:
        raise UserError(f"hours={hours:g} leaves no time to train; give a number such as 3.")
    has_gpu = default_device().type == "cuda"
    if width is None:
        width = int(find_preset(experiment.systems[0].preset).options()["width"]) if has_gpu else experiment.width
    if epochs is not None:
        return Scale(width, epochs, images, "given")
    if has_gpu and hours is None:
        return Scale(width, experiment.epochs, images, f"those of the paper, on {describe_device()}")
    hours = hours or DEFAULT_HOURS
    print_once(
        True, f"Timing a few steps of {count_noun(len(experiment.systems), 'system')}, to fit {hours:g} hours of training."
    )
    seconds = sum(
        seconds_of_epoch(experiment, system, train, width=width, **options) * system.seeds for system in experiment.systems
    )
    fitting = max(1, min(experiment.epochs, int(hours * 3600 / seconds)))
    threads = count_noun(torch.get_num_threads(), "thread")
    reason = f"the epochs that fit {hours:g} hours of training on {describe_device()}, {threads}"
    if fitting == experiment.epochs:
        reason = f"the epochs of the paper, which fit {hours:g} hours of training on {describe_device()}"
    return Scale(width, fitting, images, reason)


def seconds_of_epoch(experiment: Experiment, system: System, train: Images, **options: Any) -> float:
    """Returns the seconds that an epoch of a system takes, from a few steps on the first training images."""
    config = experiment.config(system, 0, 1, **options)
    batch = config.training.batch_size
    rows = torch.arange((TIMED_STEPS + 2) * batch) % len(train)
    some = match_config(train[rows], config)  # a system may have other sizes
    trainer = Trainer(build_vae(config), config.objective, some, config.override(validation=0, best=False))
    return time_steps(trainer) * len(train) / batch
