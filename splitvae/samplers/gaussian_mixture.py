"""A mixture of Gaussians over posterior means, of a given size or of the size that held-out codes prefer."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError, nearest
from ..models.codes import Codes
from ..utils.console import Progress
from ..utils.machine import default_device
from ..utils.settings import Option
from .base import Sampler, check_codes
from .em import Mixture, expectation_maximisation, log_density

__all__ = ["GaussianMixture"]


CANDIDATE_SIZES = (1, 5, 10, 20, 50, 100)


COVARIANCES = ("diag", "full")


MIN_CODES_PER_COMPONENT = 50  # codes a component of a size that is tried; of a full covariance also more than dimensions


MAX_CODES_FOR_CHOICE = 20_000  # codes the choice is made on, at most


HELD_OUT_EVERY = 10  # one code in so many is held out of it


@dataclass(frozen=True)
class GaussianMixture(Sampler):
    """Creates a mixture of Gaussians that is fitted to posterior means by expectation maximisation.

    Arguments:
        components: The number K of components; None picks it among 1, 5, 10, 20, 50 and 100 by the likelihood of held-out
            codes. The protocol `clean` picks it always, `paper` takes 100 for None.
        covariance: Whether covariances are "full" or "diag"; None is full, or picked along with the number of components.
        seed: The seed of k-means, from whose clusters the fit starts, and of what is held out.

    The fit sets `weights_` (K,), `means_` (K, D) and `covariances_`, (K, D, D) or (K, D), in float64; what was picked
    stands in `fit_info["chosen"]`, with every score in nats a code. Expectation maximisation runs on a CUDA device where
    there is one, scikit-learn's k-means on the CPU.

    Reference: From variational to deterministic autoencoders (Ghosh et al., 2020), ex-post density estimation.
    https://arxiv.org/abs/1903.12436
    """

    name = "gmm"
    prefix: ClassVar[str] = "sampler_"
    components: Annotated[int | None, Option("components")] = None
    covariance: str | None = None
    seed: Annotated[int, Option("")] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.components is not None and self.components < 1:
            raise UserError(f"a mixture of {self.components} components is none; type --components 20.")
        if self.covariance is None and self.components is not None:
            object.__setattr__(self, "covariance", "full")
        if self.covariance not in (None, *COVARIANCES):
            raise UserError(f"covariance={self.covariance!r} is unknown; {nearest(str(self.covariance), COVARIANCES)}")

    def for_run(self, epochs: int, seed: int) -> Self:
        """Returns this mixture with the seed of the run."""
        return replace(self, seed=seed)

    def fit(self, codes: Codes, progress: Progress | None = None) -> Self:
        """Fits to means (N, D); raises UserError for fewer codes than components, or codes not finite."""
        components, covariance = self.components, self.covariance
        size = components or 1
        instead = f" or type --components {max(1, len(codes.mean) // 10)}" if size > 1 else ""
        check_codes(codes, max(2, size), f"{size} components" if components else "a mixture", instead)
        means = codes.mean.detach().cpu().double()
        if components is None:
            components, covariance = self._choose(means)
        mixture = self._mixture(means, self._clusters(means, components), components, covariance or "full")
        return self.learn(**dict(zip(("weights_", "means_", "covariances_"), mixture, strict=True)))

    def _choose(self, means: Tensor) -> tuple[int, str]:
        """The size and covariance under which held-out codes are likeliest.

        Each covariance grows until its score falls; a larger mixture wins by more than the standard error of its gain.
        """
        order = torch.randperm(len(means), generator=torch.Generator().manual_seed(self.seed))[:MAX_CODES_FOR_CHOICE]
        held, rest = means[order[::HELD_OUT_EVERY]], means[order[torch.arange(len(order)) % HELD_OUT_EVERY != 0]]
        least = {"diag": MIN_CODES_PER_COMPONENT, "full": max(MIN_CODES_PER_COMPONENT, means.shape[1] + 1)}
        growing = [c for c in COVARIANCES if self.covariance in (None, c)]
        last = {c: -np.inf for c in growing}
        best, chosen, held_out = torch.full((len(held),), -torch.inf), (0, ""), []
        for size in CANDIDATE_SIZES:
            growing = [c for c in growing if size == 1 or len(rest) >= size * least[c]]
            clusters = self._clusters(rest, size) if growing else rest
            for covariance in growing.copy():
                densities = log_density(self._mixture(rest, clusters, size, covariance), held)
                score, gain = float(densities.mean()), densities - best
                held_out.append({"components": size, "covariance": covariance, "log_likelihood": score})
                if not best.isfinite().all() or gain.mean() > gain.std(correction=0) / len(gain) ** 0.5:
                    best, chosen = densities, (size, covariance)
                if score <= last[covariance]:
                    growing.remove(covariance)
                last[covariance] = score
        report = {**dict(zip(("components", "covariance"), chosen, strict=True)), "codes": len(order), "held_out": held_out}
        self.learn(fit_info_={"chosen": report})
        return chosen

    def _clusters(self, means: Tensor, components: int) -> Tensor:
        """Returns labels (N,) of as many clusters, found by k-means."""
        from sklearn.cluster import KMeans  # a second to import, and only a fit needs it
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of equal codes: clusters may be empty
            labels = KMeans(components, n_init=1, random_state=self.seed).fit(means.numpy()).labels_
        return torch.from_numpy(labels).long()

    def _mixture(self, means: Tensor, clusters: Tensor, components: int, covariance: str) -> Mixture:
        here = default_device()
        device = here if here.type == "cuda" else torch.device("cpu")  # others have no float64
        try:
            fitted = expectation_maximisation(means.to(device), clusters.to(device), components, covariance == "full")
        except torch.linalg.LinAlgError as error:
            raise UserError(
                f"no mixture of {components} components fits {len(means)} codes ({str(error).split('.')[0]}); "
                "type a smaller --components."
            ) from None
        return Mixture(*(value.cpu() for value in fitted))

    def mean_log_likelihood(self, codes: Codes) -> float:
        """The mean of log p over posterior means, in nats a code."""
        mixture = Mixture(self.weights_, self.means_, self.covariances_)
        return float(log_density(mixture, codes.mean.detach().cpu().double()).mean())

    def sample(self, n: int, seed: int = 0) -> Tensor:
        """Draws in random order, shape (n, D)."""
        random = np.random.default_rng(seed)
        weights, means, covariances = (v.numpy() for v in (self.weights_, self.means_, self.covariances_))
        which = random.choice(len(weights), size=n, p=weights / weights.sum())
        noise = random.standard_normal((n, means.shape[1]))
        if covariances.ndim == 2:
            spread = np.sqrt(covariances)[which] * noise
        else:
            spread = np.empty_like(noise)
            for k, factor in enumerate(np.linalg.cholesky(covariances)):
                spread[which == k] = noise[which == k] @ factor.T
        return torch.from_numpy((means[which] + spread).astype(np.float32))

    def state_dict(self) -> dict[str, Tensor]:
        fitted = {"weights": self.weights_, "means": self.means_, "covariances": self.covariances_}
        return {name: value.contiguous() for name, value in fitted.items()}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        self.learn(**{f"{name}_": tensors[name] for name in ("weights", "means", "covariances")})
