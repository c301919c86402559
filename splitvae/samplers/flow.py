r"""A normalizing flow of codes: an invertible map f of z to standard normal noise, trained by maximum likelihood.

    log p(z) = log N(f(s(z)); 0, I) + log |det df/ds| - sum_j log std_j,    s(z) = (z - mean) / std

f is a neural spline flow, a composition of transforms. A transform maps each coordinate by a monotonic rational-quadratic
spline on [-5, 5], which is the identity outside; a network computes the knots of the spline from the coordinates before it.
Codes are standardised, so that they lie where the splines act. There are two ways to say which coordinates come before:

    autoregressive    each coordinate after all before it; the order is reversed from one transform to the next
    coupling          one half after the other half, which stays as it is; the next transform maps the other half; each
                      pair of transforms draws its halves at random

An autoregressive flow is closer to codes of few dimensions, but samples one coordinate after the other, and learns codes of
many dimensions slowly. So a flow of more than 64 dimensions is a coupling flow (benchmarks/flow_speed.py compares them).
With a context, a coupling maps the half that would stay too, by splines that depend on the context alone.

References: Neural spline flows (Durkan, Bekasov, Murray, Papamakarios, 2019), https://arxiv.org/abs/1906.04032; the package
zuko (Rozet et al.), https://github.com/probabilists/zuko.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Self

import torch
from torch import Tensor, nn

from ..errors import UserError, setting
from ..models.codes import Codes
from ..utils.console import Progress
from ..utils.machine import default_device
from ..utils.random_streams import fixed_seed
from ..utils.settings import Option
from .base import Sampler, check_codes
from .fit import MIN_CODES, DensityTraining, check_positive, train_density

__all__ = ["CODES_PER_BATCH", "COUPLINGS", "Flow", "FlowDensity", "InvertibleDensity"]

MIN_STD = 1e-6  # by which codes are divided if they are constant
MAX_AUTOREGRESSIVE_DIM = 64  # of codes; those of more dimensions have coupling flows
AUTOREGRESSIVE_TRANSFORMS, COUPLINGS = 3, 8  # the usual numbers of transforms
BINS = 8  # of a spline, as zuko's own flows have them
CODES_PER_BATCH = 2000  # the number of codes that the fitted flow maps at once


class InvertibleDensity(nn.Module):
    """The base of densities of codes that map noise to codes: `density(z)` returns -log p(z), (B, D) -> (B,), in nats."""

    mean: Tensor  # by which codes are standardised, (D,)

    def standardise_by(self, mean: Tensor, std: Tensor) -> None:
        """Sets the means and standard deviations (D,) by which codes are standardised."""
        raise NotImplementedError

    def inverse(self, noise: Tensor) -> Tensor:
        """Returns the codes of given noise, (B, D) -> (B, D)."""
        raise NotImplementedError


class FlowDensity(InvertibleDensity):
    """A neural spline flow of standardised codes: `density(z)` returns -log p(z), (B, D) -> (B,), in nats.

    Arguments:
        dim: The dimension D of the codes.
        transforms: The number of transforms.
        width: The number of units of each hidden layer of the networks that compute knots.
        depth: The number of these layers.
        context: The dimension C of contexts (B, C), on which the splines depend too; 0 is none.
        coupling: Whether transforms are couplings. They begin as the identity.

    Raises:
        UserError: If the package zuko is not installed.
    """

    std: Tensor

    def __init__(self, dim: int, transforms: int, width: int, depth: int, context: int = 0, coupling: bool = False) -> None:
        super().__init__()
        try:
            from zuko.flows import NSF
        except ImportError:
            raise UserError("a flow needs the package zuko; type: pip install zuko") from None
        units = (width,) * depth
        if coupling and not context:
            self.flow = _build_couplings(dim, transforms, units)
        else:
            passes = 2 if coupling else None
            self.flow = NSF(dim, context, transforms=transforms, passes=passes, randperm=coupling, hidden_features=units)
        for name, parameter in self.flow.named_parameters():
            if ".phi." in name or (coupling and f".hyper.{2 * depth}." in name):  # knots, also of a single coordinate
                nn.init.zeros_(parameter)
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("std", torch.ones(dim))

    def forward(self, z: Tensor, generator: torch.Generator | None = None, context: Tensor | None = None) -> Tensor:
        return self.std.log().sum() - self.flow(context).log_prob(self.standardise(z))

    def standardise_by(self, mean: Tensor, std: Tensor) -> None:
        """Sets what codes are standardised by; see `InvertibleDensity`."""
        self.mean.copy_(mean)
        self.std.copy_(std)

    def standardise(self, z: Tensor) -> Tensor:
        """Returns (z - mean) / std, (B, D) -> (B, D)."""
        return (z - self.mean) / self.std

    def noise(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Returns the noise to which the flow maps codes, (B, D) -> (B, D)."""
        return self.flow(context).transform(self.standardise(z))

    def inverse(self, noise: Tensor, context: Tensor | None = None) -> Tensor:
        """Returns the codes that the flow maps to given noise, (B, D) -> (B, D)."""
        return self.flow(context).transform.inv(noise) * self.std + self.mean


def _build_couplings(dim: int, transforms: int, units: tuple[int, ...]) -> nn.Module:
    """Returns a flow of zuko whose transforms map one half of the coordinates each, in turn.

    Arguments:
        dim: The number of coordinates.
        transforms: The number of transforms.
        units: The number of units of each hidden layer.
    """
    from zuko import distributions, flows
    from zuko.transforms import MonotonicRQSTransform

    knots = [(BINS,), (BINS,), (BINS - 1,)]  # widths and heights of the bins of a spline, and slopes between them
    halves: list[Tensor] = []
    while len(halves) < transforms:
        half = torch.randperm(dim) < dim // 2
        halves += [half, ~half]
    couplings = [
        flows.GeneralCouplingTransform(dim, 0, half, MonotonicRQSTransform, knots, hidden_features=units)
        for half in halves[:transforms]
    ]
    noise = flows.UnconditionalDistribution(distributions.DiagNormal, torch.zeros(dim), torch.ones(dim), buffer=True)
    return flows.Flow(couplings, noise)


@dataclass(frozen=True)
class Flow(Sampler):
    """Creates a neural spline flow that is fitted to posterior means.

    Arguments:
        transforms: The number of transforms, each of all coordinates; None is 3, but 8 for a coupling flow.
        width: The number of units of each hidden layer of the networks that compute knots.
        depth: The number of these layers.
        epochs: The number of passes over the codes; None is 20, but in a run twice the model's epochs and at least 20.
        lr: The learning rate of Adam, halved each time 3/8 of the epochs are over.
        batch: The number of codes in a step.
        draws: Whether the flow is fitted to draws from the posteriors, anew in each epoch, instead of their means.
        seed: The seed of initial weights and of the order of codes.

    Sampling takes one pass through each transform of a coupling flow, and as many as there are coordinates otherwise.
    """

    name = "flow"
    prefix: ClassVar[str] = "sampler_"
    layout: ClassVar[int] = 2
    transforms: int | None = None
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
        sizes = {"transforms": 1 if self.transforms is None else self.transforms, "width": self.width, "depth": self.depth}
        check_positive("flow", **sizes, epochs=epochs, lr=self.lr, batch=self.batch)

    def for_run(self, epochs: int, seed: int, content_dim: int = 0) -> Self:
        """Returns this flow with the seed of the run and, if its own epochs are None, the given epochs."""
        return replace(self, epochs=self.epochs or epochs, seed=seed)

    def fit(self, codes: Codes, progress: Progress | None = None) -> Self:
        """Trains the flow and returns it; see `Sampler.fit`.

        Raises:
            UserError: For fewer than 100 codes, codes that are not finite, and a loss that diverges.
        """
        check_codes(codes, MIN_CODES, "a flow", f" or use {setting('sampler', 'gmm')}")
        with fixed_seed(self.seed):
            density = self._build_density(codes.mean.shape[1])
        mean, variance = codes.mean.double().mean(0), codes.mean.double().var(0)
        if self.draws and codes.logvar is not None:
            variance = variance + codes.logvar.double().exp().mean(0)
        density.standardise_by(mean, variance.sqrt().clamp_min(MIN_STD))
        training = DensityTraining(self.epochs or 20, self.lr, self.batch, draws=self.draws, seed=self.seed)
        loss = train_density(density, codes, "the flow", training, progress)
        return self.learn(density_=density, fit_info_={"loss": loss})

    @torch.no_grad()
    def mean_log_likelihood(self, codes: Codes) -> float:
        """Returns the mean of log p over posterior means, in nats per code."""
        density = self.density_.to(default_device())
        losses = [density(z.to(density.mean)) for z in codes.mean.split(CODES_PER_BATCH)]
        return -float(torch.cat(losses).cpu().double().mean())

    @torch.no_grad()
    def sample(self, n: int, seed: int = 0) -> Tensor:
        """Returns `n` draws, shape (n, D): noise that is drawn on the CPU and mapped by the inverse flow."""
        density = self.density_.to(default_device())
        noise = torch.randn(n, len(density.mean), generator=torch.Generator().manual_seed(seed))
        return torch.cat([density.inverse(u.to(density.mean)).cpu() for u in noise.split(CODES_PER_BATCH)])

    def state_dict(self) -> dict[str, Tensor]:
        """Returns the weights of the density."""
        return {name: value.cpu().contiguous() for name, value in self.density_.state_dict().items()}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Restores the weights of the density."""
        self.learn(density_=self._build_density(len(tensors["mean"])).eval())
        self.density_.load_state_dict(tensors)

    def _build_density(self, dim: int) -> InvertibleDensity:
        """Returns an untrained density of codes of dimension `dim`."""
        coupling = dim > MAX_AUTOREGRESSIVE_DIM
        transforms = self.transforms or (COUPLINGS if coupling else AUTOREGRESSIVE_TRANSFORMS)
        return FlowDensity(dim, transforms, self.width, self.depth, coupling=coupling)
