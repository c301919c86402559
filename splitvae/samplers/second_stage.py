r"""The second stage of a two-stage VAE: a small VAE of the codes z of the first one, with a latent u of the same dimension.

    q(u|z) = N(mean(z), exp(2 logsd(z))),    p(z|u) = N(zhat(u), v),    p(u) = N(0, I)

    L = mean_i( |z_i - zhat_i|^2 / (2 v) + D/2 log(2 pi v) + KL(q(u|z_i) || N(0, I)) ),    z_i ~ q(z|x_i)

Images lie near a manifold of fewer dimensions than pixels, so the codes z of the first VAE need not be distributed as their
prior. Codes have a density in all D dimensions, and then the latent u of a second VAE can be distributed as its prior. New
codes are zhat(u) + sqrt(v) eps with u ~ N(0, I). The last layer of each network also reads the input of the network.

| sampler                | v                                                    | noise in samples |
| ---------------------- | ---------------------------------------------------- | ---------------- |
| `SecondStage`          | learned, log sqrt(v) from 0 (Dai, Wipf)              | yes              |
| `NoiselessSecondStage` | `Ratchet`, a running minimum (Asperti, Trentin)      | no               |

References: Diagnosing and enhancing VAE models (Dai, Wipf, 2019), https://arxiv.org/abs/1903.05789; Balancing
reconstruction error and Kullback-Leibler divergence in variational autoencoders (Asperti, Trentin, 2020),
https://arxiv.org/abs/2002.07514; their public code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import setting
from ..models.codes import Codes
from ..networks.layers import glorot_
from ..objectives.variance import Learned, Ratchet, Variance
from ..utils.console import Progress
from ..utils.machine import has_native_bf16
from ..utils.random_streams import fixed_seed
from ..utils.settings import Option
from .base import Sampler, check_codes
from .fit import MIN_CODES, DensityTraining, check_positive, train_density

__all__ = ["NoiselessSecondStage", "SecondStage", "SecondStageVAE"]


class DenseStack(nn.Module):
    """Maps x to h by `depth` dense layers with ReLU, and [x, h] to the outputs by a linear layer, (B, I) -> (B, O).

    In training on a CPU that computes in bfloat16 natively, h is computed in bfloat16, which takes half the time.
    Everything else is computed in float32.

    Arguments:
        inputs: The number I of inputs.
        outputs: The number O of outputs.
        width: The number of units of each layer of h.
        depth: The number of layers of h.
    """

    def __init__(self, inputs: int, outputs: int, width: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width if i else inputs, width) for i in range(depth))
        self.head = nn.Linear(inputs + width, outputs)
        self.apply(glorot_)

    def forward(self, x: Tensor) -> Tensor:
        h = x
        uses_bf16 = self.training and x.device.type == "cpu" and has_native_bf16("cpu")
        with torch.autocast(x.device.type, torch.bfloat16, enabled=uses_bf16):
            for layer in self.layers:
                h = F.relu(layer(h))
        return self.head(torch.cat([x, h.float()], 1))


class SecondStageVAE(nn.Module):
    """A VAE of codes: `stage(z, generator)` returns its loss, (B, D) -> (B,), in nats; `generator` draws u.

    Arguments:
        dim: The dimension D of the codes.
        width: The number of units of each dense layer.
        depth: The number of dense layers of each network.
        variance: The variance v.
    """

    def __init__(self, dim: int, width: int, depth: int, variance: Variance) -> None:
        super().__init__()
        self.encoder = DenseStack(dim, 2 * dim, width, depth)
        self.decoder = DenseStack(dim, dim, width, depth)
        self.variance = variance.build()
        nn.init.zeros_(self.encoder.head.weight[dim:])  # for codes of any size, q(u|z) first has the variance of the prior

    def forward(self, z: Tensor, generator: torch.Generator | None = None) -> Tensor:
        mean, logsd = self.encoder(z).chunk(2, 1)
        eps = torch.randn(z.shape, generator=generator, device=z.device)
        sse = (z - self.decoder(mean + logsd.exp() * eps)).square().sum(1)
        v = self.variance(sse.detach().mean() / z.shape[1])
        kl = 0.5 * (mean.square() + (2 * logsd).exp() - 2 * logsd - 1).sum(1)
        return sse / (2 * v) + 0.5 * z.shape[1] * torch.log(2 * math.pi * v) + kl

    @property
    def gamma(self) -> Tensor:
        """The standard deviation sqrt(v) of p(z|u)."""
        return self.variance(torch.zeros(())).sqrt()


@dataclass(frozen=True)
class SecondStage(Sampler):
    """Creates Dai and Wipf's second stage, with a learned variance and with noise in samples.

    Codes are drawn from their posteriors anew in each epoch (codes without noise are taken as they are) and are not
    standardised. v starts at 1, about the variance of codes, where u has no information yet, and log sqrt(v) changes by at
    most `lr` in a step. So the fit takes tens of thousands of steps; with few images, choose more epochs.

    Arguments:
        epochs: The number of passes over the codes, which is 100 to 2000 in the paper; None is 100, but in a run twice the
            model's epochs and at least 20.
        width: The number of units of each dense layer; the authors' is 1024.
        depth: The number of dense layers of each network.
        lr: The learning rate of Adam; the authors' is 1e-4.
        halve_every: The share of the epochs after which the learning rate is halved, each time; the authors' is 300 / 800.
        batch: The number of codes in a step.
        seed: The seed of initial weights and of draws.
        noise: Whether samples have the noise sqrt(v) eps of p(z|u).
    """

    name = "second-stage"
    prefix: ClassVar[str] = "sampler_"
    variance: ClassVar[Variance] = Learned()
    epochs: int | None = None
    width: int = 256
    depth: int = 3
    lr: float = 1e-3
    halve_every: float = 0.375
    batch: int = 100
    seed: Annotated[int, Option("")] = 0
    noise: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        epochs = 1 if self.epochs is None else self.epochs
        sizes = {"epochs": epochs, "width": self.width, "depth": self.depth, "lr": self.lr, "batch": self.batch}
        check_positive("second stage", **sizes, halve_every=self.halve_every)

    def for_run(self, epochs: int, seed: int, content_dim: int = 0) -> Self:
        """Returns this second stage with the seed of the run and, if its own epochs are None, the given epochs."""
        return replace(self, epochs=self.epochs or epochs, seed=seed)

    def fit(self, codes: Codes, progress: Progress | None = None) -> Self:
        """Trains the second stage and returns it; see `Sampler.fit`.

        Raises:
            UserError: For fewer than 100 codes, codes that are not finite, and a loss that diverges.
        """
        check_codes(codes, MIN_CODES, "a second stage", f" or use {setting('sampler', 'gmm')}")
        with fixed_seed(self.seed):
            stage = self._build_stage(codes.mean.shape[1])
        training = DensityTraining(self.epochs or 100, self.lr, self.batch, self.halve_every, seed=self.seed)
        loss = train_density(stage, codes, "the second stage", training, progress)
        return self.learn(stage_=stage, fit_info_={"loss": loss, "gamma": float(stage.gamma.detach())})

    @torch.no_grad()
    def sample(self, n: int, seed: int = 0) -> Tensor:
        """Returns `n` draws zhat(u) + sqrt(v) eps, or zhat(u) if `noise` is False, shape (n, D), computed on the CPU."""
        generator = torch.Generator().manual_seed(seed)
        dim = self.stage_.decoder.head.out_features
        z: Tensor = self.stage_.decoder(torch.randn(n, dim, generator=generator))
        return z + self.stage_.gamma * torch.randn(n, dim, generator=generator) if self.noise else z

    def state_dict(self) -> dict[str, Tensor]:
        """Returns the weights of the VAE."""
        return self.stage_.state_dict()

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Restores the weights of the VAE."""
        self.learn(stage_=self._build_stage(len(tensors["decoder.head.bias"])).eval())
        self.stage_.load_state_dict(tensors)

    def _build_stage(self, dim: int) -> SecondStageVAE:
        """Returns an untrained VAE of codes of dimension `dim`."""
        return SecondStageVAE(dim, self.width, self.depth, self.variance)


@dataclass(frozen=True)
class NoiselessSecondStage(SecondStage):
    """Creates Asperti and Trentin's second stage, with a variance computed from the error and no noise in samples."""

    name = "second-stage-noiseless"
    variance: ClassVar[Variance] = Ratchet()
    noise: bool = field(default=False, init=False)
