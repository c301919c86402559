r"""The second stage of a two-stage VAE: a small VAE of the first one's codes z, with a latent u of the same dimension.

    q(u|z) = N(mean(z), exp(2 logsd(z))),    p(z|u) = N(zhat(u), v),    p(u) = N(0, I)

    L = mean_i( |z_i - zhat_i|^2 / (2 v) + D/2 log(2 pi v) + KL(q(u|z_i) || N(0, I)) ),    z_i ~ q(z|x_i)

Codes fill their D dimensions where images do not fill theirs, so that u, unlike z, can come to be distributed as its
prior. New z are zhat(u) + sqrt(v) eps with u ~ N(0, I). Both networks see their input again in the last layer.

| sampler                | v                                                    | noise in samples |
| ---------------------- | ---------------------------------------------------- | ---------------- |
| `SecondStage`          | learned, log sqrt(v) from 0 (Dai, Wipf)              | yes              |
| `NoiselessSecondStage` | computed, a running minimum (Asperti, Trentin)       | no               |

References: Diagnosing and enhancing VAE models (Dai, Wipf, 2019); Balancing reconstruction error and Kullback-Leibler
divergence in variational autoencoders (Asperti, Trentin, 2020); their public code.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..models.codes import Codes
from ..networks.layers import glorot_
from ..objectives.variance import variance_named
from ..utils.console import Progress
from ..utils.machine import has_native_bf16
from .base import Sampler, check
from .fit import descend, seeded, settings_checked

__all__ = ["NoiselessSecondStage", "SecondStage"]


LEAST = 100  # codes


class Dense(nn.Module):
    """`depth` layers of `width` ReLUs give h; one linear layer of [x, h] the outputs: (B, I) -> (B, O).

    In training on a CPU that computes bfloat16 itself the layers of h do so, in half the time; all else is float32.
    """

    def __init__(self, inputs: int, outputs: int, width: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width if i else inputs, width) for i in range(depth))
        self.head = nn.Linear(inputs + width, outputs)
        self.apply(glorot_)

    def forward(self, x: Tensor) -> Tensor:
        h = x
        half = self.training and x.device.type == "cpu" and has_native_bf16("cpu")
        with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
            for layer in self.layers:
                h = F.relu(layer(h))
        return self.head(torch.cat([x, h.float()], 1))


class Stage(nn.Module):
    """The VAE of codes: `stage(z, generator)` is its loss, (B, D) -> (B,), in nats; `generator` draws u."""

    def __init__(self, dim: int, width: int, depth: int, balance: str) -> None:
        super().__init__()
        self.encoder = Dense(dim, 2 * dim, width, depth)
        self.decoder = Dense(dim, dim, width, depth)
        self.variance = variance_named(balance)
        nn.init.zeros_(self.encoder.head.weight[dim:])  # q starts with the prior's variance, however large codes are

    def forward(self, z: Tensor, generator: torch.Generator | None = None) -> Tensor:
        mean, logsd = self.encoder(z).chunk(2, 1)
        eps = torch.randn(z.shape, generator=generator, device=z.device)
        sse = (z - self.decoder(mean + logsd.exp() * eps)).square().sum(1)
        v = self.variance(sse.detach().mean() / z.shape[1])
        kl = 0.5 * (mean.square() + (2 * logsd).exp() - 2 * logsd - 1).sum(1)
        return sse / (2 * v) + 0.5 * z.shape[1] * torch.log(2 * math.pi * v) + kl

    @property
    def gamma(self) -> Tensor:
        """sqrt(v), the deviation of p(z|u)."""
        return self.variance(torch.zeros(())).sqrt()


class SecondStage(Sampler):
    """Dai and Wipf's second stage, with a learned variance whose noise is part of samples.

    Arguments:
        epochs: of training; the authors' are 100 to 2000. v starts at 1, about the variance of codes, where u says nothing
            yet, and log sqrt(v) moves by at most `lr` a step: give it tens of thousands of steps, few images more epochs.
        width, depth: of the dense networks.
        lr: of Adam; halved each time `halve_every` of the epochs is over (300 of 800 in the authors' code).
        batch: codes a step. seed: of initial weights and of draws.
        noise: whether samples have it.

    Codes are drawn from their posteriors anew each epoch (means where there is no noise) and not standardised.
    """

    name = "second-stage"
    balance: ClassVar[str] = "learned"

    def __init__(
        self,
        epochs: int = 100,
        width: int = 1024,
        depth: int = 3,
        lr: float = 1e-4,
        halve_every: float = 0.375,
        batch: int = 100,
        seed: int = 0,
        noise: bool = True,
    ) -> None:
        super().__init__()
        sizes = {"epochs": epochs, "width": width, "depth": depth, "lr": lr, "halve_every": halve_every, "batch": batch}
        settings_checked("second stage", **sizes)
        self.parameters = {**sizes, "seed": seed, "noise": noise}
        self.noise = noise

    def fit(self, codes: Codes, progress: Progress | None = None) -> SecondStage:
        """Trains, on an accelerator if there is one; raises UserError for fewer than 100 codes or a loss that diverges."""
        check(codes, LEAST, "a second stage", " or use --sampler gmm")
        p = self.parameters
        with seeded(p["seed"]):
            self.stage_ = self._stage(codes.mean.shape[1])
        settings = {key: p[key] for key in ("epochs", "lr", "batch", "halve_every", "seed")}
        loss = descend(self.stage_, codes, "the second stage", progress=progress, **settings)
        self.facts = {"loss": loss, "gamma": float(self.stage_.gamma.detach())}
        return self

    @torch.no_grad()
    def sample(self, n: int, seed: int = 0) -> Tensor:
        """z = zhat(u) + gamma eps, computed on the CPU, shape (n, D)."""
        generator = torch.Generator().manual_seed(seed)
        dim = self.stage_.decoder.head.out_features
        z: Tensor = self.stage_.decoder(torch.randn(n, dim, generator=generator))
        return z + self.stage_.gamma * torch.randn(n, dim, generator=generator) if self.noise else z

    def tensors(self) -> dict[str, Tensor]:
        return self.stage_.state_dict()

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self.stage_ = self._stage(len(tensors["decoder.head.bias"])).eval()
        self.stage_.load_state_dict(tensors)

    def _stage(self, dim: int) -> Stage:
        return Stage(dim, self.parameters["width"], self.parameters["depth"], self.balance)


class NoiselessSecondStage(SecondStage):
    """Asperti and Trentin's second stage: a computed variance, and samples zhat(u) without noise; else as `SecondStage`."""

    name = "second-stage-noiseless"
    balance = "ratchet"

    def __init__(
        self,
        epochs: int = 100,
        width: int = 1024,
        depth: int = 3,
        lr: float = 1e-4,
        halve_every: float = 0.375,
        batch: int = 100,
        seed: int = 0,
    ) -> None:
        super().__init__(epochs, width, depth, lr, halve_every, batch, seed, noise=False)
        del self.parameters["noise"]
