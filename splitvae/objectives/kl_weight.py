r"""Schedules of the KL's weight: how the term beta_t g(KL) of the loss depends on the training step t.

| schedule    | beta_t g(KL_i)                                                                                   |
| ----------- | ------------------------------------------------------------------------------------------------ |
| `Constant`  | beta KL                                                                                          |
| `WarmUp`    | beta min(1, t / steps) KL                                                                        |
| `Cyclical`  | beta min(1, 2 phase) KL, four cycles over `steps`, then constant                                 |
| `Capacity`  | beta abs(KL - C_t), C_t = nats min(1, t / steps)                                                 |

References: Cyclical annealing schedule: a simple approach to mitigating KL vanishing (Fu et al., 2019),
https://arxiv.org/abs/1903.10145; Understanding disentangling in beta-VAE (Burgess et al., 2018),
https://arxiv.org/abs/1804.03599.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from ..errors import UserError, setting
from ..utils.settings import Option, Registry, Settings

__all__ = ["KL_SCHEDULES", "Capacity", "Constant", "Cyclical", "KLSchedule", "WarmUp"]


@dataclass(frozen=True)
class KLSchedule(Settings):
    """The base of all schedules of the KL's weight; a subclass has a `name` and the method `factor`."""

    def factor(self, step: int) -> float:
        """Returns the factor, in [0, 1], by which beta is multiplied at a training step."""
        raise NotImplementedError

    def weigh(self, kl: Tensor, beta: float, step: int) -> Tensor:
        """Returns the weighted KLs at a training step.

        Arguments:
            kl: The KL of each image, shape (B,), in nats.
            beta: The weight before the factor of the schedule.
            step: The training step, counted from 0.
        """
        return beta * self.factor(step) * kl


@dataclass(frozen=True)
class Constant(KLSchedule):
    """Creates a constant weight: beta_t = beta."""

    name = "constant"

    def factor(self, step: int) -> float:
        """Returns 1."""
        return 1.0


@dataclass(frozen=True)
class _Timed(KLSchedule):
    """The base of schedules that last a given number of steps.

    Arguments:
        steps: The number of training steps that the schedule lasts.
    """

    steps: Annotated[int, Option("kl_steps")] = 10_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps < 1:
            raise UserError(f"{setting('kl_steps', self.steps)} must be a number of steps of at least 1.")


@dataclass(frozen=True)
class WarmUp(_Timed):
    """Creates a weight that rises linearly from 0 to beta over `steps`."""

    name = "warmup"

    def factor(self, step: int) -> float:
        """Returns min(1, step / steps)."""
        return min(1.0, step / self.steps)


@dataclass(frozen=True)
class Cyclical(_Timed):
    """Creates a weight with four cycles over `steps`: linearly from 0 to beta in the first half, beta in the second."""

    name = "cyclical"

    def factor(self, step: int) -> float:
        """Returns min(1, 2 phase), where phase in [0, 1) is the position in the present cycle; 1 after the last cycle."""
        if step >= self.steps:
            return 1.0
        phase = (step * 4 / self.steps) % 1.0
        return min(1.0, phase / 0.5)


@dataclass(frozen=True)
class Capacity(_Timed):
    """Creates the loss beta |KL - C_t|, where the capacity C_t rises linearly from 0 to `nats` over `steps`.

    Arguments:
        nats: The capacity at the end, in nats.
    """

    name = "capacity"
    nats: Annotated[float, Option("capacity")] = 25.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nats < 0:
            raise UserError(
                f"{setting('capacity', self.nats)} must be a number of nats of at least 0, since a KL is never negative."
            )

    def factor(self, step: int) -> float:
        """Returns 1, because the step changes the capacity, not the weight."""
        return 1.0

    def weigh(self, kl: Tensor, beta: float, step: int) -> Tensor:
        """Returns beta |KL - C_t|, shape (B,), in nats; see `KLSchedule.weigh`."""
        return beta * (kl - self.nats * min(1.0, step / self.steps)).abs()


KL_SCHEDULES: Registry[KLSchedule] = Registry("schedule of the KL", "kl", [Constant, WarmUp, Cyclical, Capacity])
