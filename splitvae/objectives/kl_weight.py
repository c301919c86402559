r"""The weight of the KL: how beta g(KL) follows the training step.

| schedule    | beta_t g(KL_i)                                                                                   |
| ----------- | ------------------------------------------------------------------------------------------------ |
| `Constant`  | beta KL                                                                                          |
| `WarmUp`    | beta min(1, t / steps) KL                                                                        |
| `Cyclical`  | beta min(1, 2 phase) KL, four cycles over `steps`, then constant                                 |
| `Capacity`  | beta abs(KL - C_t), C_t = nats min(1, t / steps)                                                 |

References: Cyclical annealing schedule (Fu et al., 2019), https://arxiv.org/abs/1903.10145; Understanding disentangling in
beta-VAE (Burgess et al., 2018), https://arxiv.org/abs/1804.03599.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from ..errors import UserError
from ..utils.settings import Option, Registry, Settings

__all__ = ["KL_SCHEDULES", "Capacity", "Constant", "Cyclical", "KLSchedule", "WarmUp"]


@dataclass(frozen=True)
class KLSchedule(Settings):
    """The base of every schedule of the KL's weight; a subclass has a `name` and `factor`."""

    def factor(self, step: int) -> float:
        """Returns the factor of beta at a training step, in [0, 1]."""
        raise NotImplementedError

    def weigh(self, kl: Tensor, beta: float, step: int) -> Tensor:
        """Returns the weighted KLs at a training step.

        Arguments:
            kl: The KL of each image, shape (B,), in nats.
            beta: The weight.
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
    """A schedule of a given length.

    Arguments:
        steps: The number of training steps that the schedule lasts.
    """

    steps: Annotated[int, Option("kl_steps")] = 10_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps < 1:
            raise UserError(f"kl_steps={self.steps} is no schedule; it must be at least 1.")


@dataclass(frozen=True)
class WarmUp(_Timed):
    """Creates a weight that rises linearly from 0 to beta over `steps`."""

    name = "warmup"

    def factor(self, step: int) -> float:
        """Returns min(1, step / steps)."""
        return min(1.0, step / self.steps)


@dataclass(frozen=True)
class Cyclical(_Timed):
    """Creates a weight of four cycles over `steps`, each rising linearly to beta in its first half and holding it."""

    name = "cyclical"

    def factor(self, step: int) -> float:
        """Returns the place in the present cycle's rise; 1 after the last cycle."""
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
            raise UserError(f"a capacity of {self.nats} nats cannot be reached: KLs are positive.")

    def factor(self, step: int) -> float:
        """Returns 1: the capacity follows the step, the weight does not."""
        return 1.0

    def weigh(self, kl: Tensor, beta: float, step: int) -> Tensor:
        """Returns beta |KL - C_t|, shape (B,)."""
        return beta * (kl - self.nats * min(1.0, step / self.steps)).abs()


KL_SCHEDULES: Registry[KLSchedule] = Registry("schedule of the KL", "kl", [Constant, WarmUp, Cyclical, Capacity])
