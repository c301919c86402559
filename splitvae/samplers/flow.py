r"""A normalizing flow over codes: an invertible map f of z to standard normal noise, trained by maximum likelihood.

    log p(z) = log N(f(s(z)); 0, I) + log |det df/ds| - sum_j log std_j,    s(z) = (z - mean) / std

f is a neural spline flow: each coordinate passes a monotonic rational-quadratic spline on [-5, 5] (the identity outside)
whose knots depend on the coordinates before it, in turn from first to last and from last to first. Codes are
standardised for the splines' sake.

References: Neural spline flows (Durkan, Bekasov, Murray, Papamakarios, 2019); zuko (Rozet et al.).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Self

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..models.codes import Codes
from ..utils.console import Progress
from ..utils.machine import default_device
from ..utils.settings import Option
from .base import Sampler, check_codes
from .fit import DensityTraining, check_positive, fixed_seed, train_density

__all__ = ["Flow"]


MIN_CODES = 100  # codes


MIN_STD = 1e-6  # deviation that is divided by, where codes are constant


CODES_PER_BATCH = 2000  # codes mapped at once


class FlowDensity(nn.Module):
    """The flow of standardised codes: `density(z)` is -log p(z), (B, D) -> (B,), in nats."""

    mean: Tensor
    std: Tensor

    def __init__(self, dim: int, transforms: int, width: int, depth: int) -> None:
        super().__init__()
        try:
            from zuko.flows import NSF
        except ImportError:
            raise UserError("a flow needs the package zuko; type: pip install zuko") from None
        self.flow = NSF(dim, transforms=transforms, hidden_features=(width,) * depth)
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("std", torch.ones(dim))

    def forward(self, z: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return self.std.log().sum() - self.flow().log_prob((z - self.mean) / self.std)

    def inverse(self, noise: Tensor) -> Tensor:
        """The codes that noise (B, D) is mapped from."""
        return self.flow().transform.inv(noise) * self.std + self.mean


@dataclass(frozen=True)
class Flow(Sampler):
    """Creates a neural spline flow that is fitted to posterior means.

    Arguments:
        transforms: The number of passes over the coordinates.
        width: The number of units of each layer of the networks that place the knots.
        depth: The number of those layers.
        epochs: The number of passes over the codes; None is 20, in a run twice the model's epochs and at least 20.
        lr: The learning rate of Adam, halved each time 3/8 of the epochs are over.
        batch: The number of codes in a step.
        draws: Whether the flow is fitted to draws from the posteriors, anew in each epoch, rather than to means.
        seed: The seed of initial weights and of the order of codes.

    Sampling inverts one coordinate after the other: its time is proportional to D.
    """

    name = "flow"
    prefix: ClassVar[str] = "sampler_"
    transforms: int = 3
    width: int = 128
    depth: int = 2
    epochs: int | None = None
    lr: float = 1e-3
    batch: int = 500
    draws: bool = False
    seed: Annotated[int, Option("")] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        epochs = 1 if self.epochs is None else self.epochs
        sizes = {"transforms": self.transforms, "width": self.width, "depth": self.depth}
        check_positive("flow", **sizes, epochs=epochs, lr=self.lr, batch=self.batch)

    def for_run(self, epochs: int, seed: int) -> Self:
        """Returns this flow with the seed of the run and, where its own are open, the given epochs."""
        return replace(self, epochs=self.epochs or epochs, seed=seed)

    def fit(self, codes: Codes, progress: Progress | None = None) -> Self:
        """Trains, on an accelerator if there is one; raises UserError for fewer than 100 codes or a loss that diverges."""
        check_codes(codes, MIN_CODES, "a flow", " or use --sampler gmm")
        with fixed_seed(self.seed):
            density = self._density(codes.mean.shape[1])
        mean, variance = codes.mean.double().mean(0), codes.mean.double().var(0)
        if self.draws and codes.logvar is not None:
            variance = variance + codes.logvar.double().exp().mean(0)
        density.mean.copy_(mean)
        density.std.copy_(variance.sqrt().clamp_min(MIN_STD))
        training = DensityTraining(self.epochs or 20, self.lr, self.batch, draws=self.draws, seed=self.seed)
        loss = train_density(density, codes, "the flow", training, progress)
        return self.learn(density_=density, fit_info_={"loss": loss})

    @torch.no_grad()
    def mean_log_likelihood(self, codes: Codes) -> float:
        """The mean of log p over posterior means, in nats a code."""
        density = self.density_.to(default_device())
        losses = [density(z.to(density.mean)) for z in codes.mean.split(CODES_PER_BATCH)]
        return -float(torch.cat(losses).double().mean())

    @torch.no_grad()
    def sample(self, n: int, seed: int = 0) -> Tensor:
        """Inverts noise that is drawn on the CPU, shape (n, D)."""
        density = self.density_.to(default_device())
        noise = torch.randn(n, len(density.mean), generator=torch.Generator().manual_seed(seed))
        return torch.cat([density.inverse(u.to(density.mean)).cpu() for u in noise.split(CODES_PER_BATCH)])

    def state_dict(self) -> dict[str, Tensor]:
        return {name: value.cpu().contiguous() for name, value in self.density_.state_dict().items()}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        self.learn(density_=self._density(len(tensors["mean"])).eval())
        self.density_.load_state_dict(tensors)

    def _density(self, dim: int) -> FlowDensity:
        return FlowDensity(dim, self.transforms, self.width, self.depth)
