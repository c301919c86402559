r"""A normalizing flow over codes: an invertible map f of z to standard normal noise, trained by maximum likelihood.

    log p(z) = log N(f(s(z)); 0, I) + log |det df/ds| - sum_j log std_j,    s(z) = (z - mean) / std

f is a neural spline flow: each coordinate passes a monotonic rational-quadratic spline on [-5, 5] (the identity outside)
whose knots depend on the coordinates before it, in turn from first to last and from last to first. Codes are
standardised for the splines' sake.

References: Neural spline flows (Durkan, Bekasov, Murray, Papamakarios, 2019); zuko (Rozet et al.).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..models.codes import Codes
from ..utils.console import Progress
from ..utils.machine import default_device
from .base import Sampler, check
from .fit import descend, seeded, settings_checked

__all__ = ["Flow"]


LEAST = 100  # codes


NARROWEST = 1e-6  # deviation that is divided by, where codes are constant


BLOCK = 2000  # codes mapped at once


class Density(nn.Module):
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


class Flow(Sampler):
    """A neural spline flow fitted to posterior means.

    Arguments:
        transforms: passes over the coordinates.
        width, depth: of the networks that place the knots.
        epochs, lr, batch: of Adam; the learning rate is halved each time 3/8 of the epochs are over.
        draws: fit to draws from the posteriors, anew each epoch, rather than to means.
        seed: of initial weights and of the order of codes.

    Sampling inverts one coordinate after the other: its time is proportional to D.
    """

    name = "flow"

    def __init__(
        self,
        transforms: int = 3,
        width: int = 128,
        depth: int = 2,
        epochs: int = 20,
        lr: float = 1e-3,
        batch: int = 500,
        draws: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        sizes = {"transforms": transforms, "width": width, "depth": depth, "epochs": epochs, "lr": lr, "batch": batch}
        settings_checked("flow", **sizes)
        self.parameters = {**sizes, "draws": draws, "seed": seed}

    def fit(self, codes: Codes, progress: Progress | None = None) -> Flow:
        """Trains, on an accelerator if there is one; raises UserError for fewer than 100 codes or a loss that diverges."""
        check(codes, LEAST, "a flow", " or use --sampler gmm")
        p = self.parameters
        with seeded(p["seed"]):
            self.density_ = self._density(codes.mean.shape[1])
        mean, variance = codes.mean.double().mean(0), codes.mean.double().var(0)
        if p["draws"] and codes.logvar is not None:
            variance = variance + codes.logvar.double().exp().mean(0)
        self.density_.mean.copy_(mean)
        self.density_.std.copy_(variance.sqrt().clamp_min(NARROWEST))
        settings = {key: p[key] for key in ("epochs", "lr", "batch", "draws", "seed")}
        self.facts = {"loss": descend(self.density_, codes, "the flow", progress=progress, **settings)}
        return self

    @torch.no_grad()
    def mean_log_likelihood(self, codes: Codes) -> float:
        """The mean of log p over posterior means, in nats a code."""
        density = self.density_.to(default_device())
        losses = [density(z.to(density.mean)) for z in codes.mean.split(BLOCK)]
        return -float(torch.cat(losses).double().mean())

    @torch.no_grad()
    def sample(self, n: int, seed: int = 0) -> Tensor:
        """Inverts noise that is drawn on the CPU, shape (n, D)."""
        density = self.density_.to(default_device())
        noise = torch.randn(n, len(density.mean), generator=torch.Generator().manual_seed(seed))
        return torch.cat([density.inverse(u.to(density.mean)).cpu() for u in noise.split(BLOCK)])

    def tensors(self) -> dict[str, Tensor]:
        return {name: value.cpu().contiguous() for name, value in self.density_.state_dict().items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self.density_ = self._density(len(tensors["mean"])).eval()
        self.density_.load_state_dict(tensors)

    def _density(self, dim: int) -> Density:
        p = self.parameters
        return Density(dim, p["transforms"], p["width"], p["depth"])
