"""TODO docstring of objectives.kl_weight."""

from __future__ import annotations

import math

from torch import Tensor

from ..errors import UserError

__all__ = ["KL_WEIGHTS", "Capacity", "Constant", "Cyclical", "KLWeight", "WarmUp"]


class KLWeight:
    """`weight(kl, step)` weighs KLs of shape (B,) in nats; `at(step)` is beta_t alone."""

    def __init__(self, beta: float = 1.0, steps: int = 10_000) -> None:
        if beta < 0 or not math.isfinite(beta):
            raise UserError(f"beta must be a number of at least 0, not {beta}.")
        if steps < 1:
            raise UserError(f"the KL schedule needs at least 1 step, not {steps}.")
        self.beta, self.steps = beta, steps

    def at(self, step: int) -> float:
        raise NotImplementedError

    def __call__(self, kl: Tensor, step: int) -> Tensor:
        return self.at(step) * kl


class Constant(KLWeight):
    """beta_t = beta."""

    def at(self, step: int) -> float:
        return self.beta


class WarmUp(KLWeight):
    """beta_t rises linearly from 0 to beta over `steps`."""

    def at(self, step: int) -> float:
        return self.beta * min(1.0, step / self.steps)


class Cyclical(KLWeight):
    """Four cycles over `steps`, each rising linearly to beta in its first half and holding it (Fu et al., 2019)."""

    cycles, ratio = 4, 0.5

    def at(self, step: int) -> float:
        if step >= self.steps:
            return self.beta
        phase = (step * self.cycles / self.steps) % 1.0
        return self.beta * min(1.0, phase / self.ratio)


class Capacity(KLWeight):
    """beta |KL - C_t| where the capacity C_t rises linearly from 0 to `nats` over `steps` (Burgess et al., 2018)."""

    def __init__(self, beta: float = 1000.0, steps: int = 10_000, nats: float = 25.0) -> None:
        super().__init__(beta, steps)
        if nats < 0:
            raise UserError(f"a capacity of {nats} nats cannot be reached: KLs are positive.")
        self.nats = nats

    def at(self, step: int) -> float:
        return self.beta

    def __call__(self, kl: Tensor, step: int) -> Tensor:
        return self.beta * (kl - self.nats * min(1.0, step / self.steps)).abs()


KL_WEIGHTS: dict[str, type[KLWeight]] = {
    "constant": Constant,
    "warmup": WarmUp,
    "cyclical": Cyclical,
    "capacity": Capacity,
}
