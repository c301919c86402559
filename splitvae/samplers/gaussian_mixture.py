"""A mixture of Gaussians that is fitted to posterior means; its size is given or chosen by held-out codes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError, nearest, setting
from ..models.codes import Codes
from ..utils.console import Progress
from ..utils.machine import default_device
from ..utils.settings import Option
from .base import Sampler, check_are_codes, check_codes
from .em import Convergence, Mixture, expectation_maximisation, log_density

__all__ = ["GaussianMixture"]

CANDIDATE_SIZES = (1, 5, 10, 20, 50, 100)  # the numbers of components that are compared
COVARIANCES = ("diag", "full")
MIN_CODES_PER_COMPONENT = 50  # for a size to be tried; a full covariance also needs more codes than dimensions
MAX_CODES_FOR_CHOICE = 20_000  # the number of codes by which the size is chosen, at most
HELD_OUT_EVERY = 10  # one of so many of these codes is held out


@dataclass(frozen=True)
class GaussianMixture(Sampler):
    """Creates a mixture of Gaussians that is fitted to posterior means by expectation maximisation.

    Arguments:
        components: The number K of components; None chooses it among 1, 5, 10, 20, 50 and 100 by the likelihood of held-out
            codes. In evaluations the protocol gives it (evaluation/protocols.py).
        covariance: Whether covariances are "full" or "diag"; None is full, or chosen along with the number of components.
        max_iterations: The largest number of iterations of expectation maximisation, which ends earlier when an iteration
            changes the log-likelihood by less than 0.001 nats per code.
        seed: The seed of k-means, whose clusters the fit starts from, and of the codes that are held out.

    The fit sets `weights_` (K,), `means_` (K, D) and `covariances_`, (K, D, D) or (K, D), in float64. `fit_info` holds the
    number of iterations, whether they converged, and the last change of the log-likelihood; if components are chosen,
    `fit_info["chosen"]` holds the choice and the scores of all candidates, in nats per code. Expectation maximisation runs
    on a CUDA device if there is one, scikit-learn's k-means on the CPU.

    Reference: From variational to deterministic autoencoders (Ghosh et al., 2020), ex-post density estimation.
    https://arxiv.org/abs/1903.12436
    """

    name = "gmm"
    prefix: ClassVar[str] = "sampler_"
    components: Annotated[int | None, Option("components")] = None
    covariance: str | None = None
    max_iterations: int = 200
    seed: Annotated[int, Option("")] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_iterations < 1:
            raise UserError(
                f"{setting('sampler_max_iterations', self.max_iterations)} of a mixture must be at least 1, such as 200."
            )
        if self.components is not None and self.components < 1:
            raise UserError(
                f"{setting('components', self.components)} must be at least 1; type {setting('components', 20)}."
            )
        if self.covariance is None and self.components is not None:
            object.__setattr__(self, "covariance", "full")
        if self.covariance not in (None, *COVARIANCES):
            raise UserError(
                f"{setting('sampler_covariance', self.covariance)} is unknown; {nearest(str(self.covariance), COVARIANCES)}"
            )

    def for_run(self, epochs: int, seed: int, content_dim: int = 0) -> Self:
        """Returns this mixture with the seed of the run."""
        return replace(self, seed=seed)

    def fit(self, codes: Codes, progress: Progress | None = None) -> Self:
        """Fits the mixture to the posterior means and returns it; see `Sampler.fit`.

        Raises:
            UserError: For fewer codes than components, and codes that are not finite.
        """
        check_are_codes(codes)
        components, covariance = self.components, self.covariance
        size = components or 1
        instead = f" or type {setting('components', max(1, len(codes.mean) // 10))}" if size > 1 else ""
        check_codes(codes, max(2, size), f"{size} components" if components else "a mixture", instead)
        means = codes.mean.detach().cpu().double()
        chosen: dict[str, Any] = {}
        if components is None:
            chosen = self._choose_size(means)
            components, covariance = chosen["components"], chosen["covariance"]
        clusters = self._cluster(means, components)
        mixture, convergence = self._fit_mixture(means, clusters, components, covariance or "full")
        fit_info = convergence._asdict() | ({"chosen": chosen} if chosen else {})
        return self.learn(fit_info_=fit_info, **dict(zip(("weights_", "means_", "covariances_"), mixture, strict=True)))

    def _choose_size(self, means: Tensor) -> dict[str, Any]:
        """Returns the number of components and the covariance under which held-out codes are likeliest, and all scores.

        For each covariance, sizes are tried in ascending order until the mean log-likelihood falls. A candidate replaces
        the best one before it if it is better by more than the standard error of the difference.
        """
        order = torch.randperm(len(means), generator=torch.Generator().manual_seed(self.seed))[:MAX_CODES_FOR_CHOICE]
        held_out, rest = means[order[::HELD_OUT_EVERY]], means[order[torch.arange(len(order)) % HELD_OUT_EVERY != 0]]
        min_codes = {"diag": MIN_CODES_PER_COMPONENT, "full": max(MIN_CODES_PER_COMPONENT, means.shape[1] + 1)}
        open_covariances = [c for c in COVARIANCES if self.covariance in (None, c)]
        last_score = {c: -np.inf for c in open_covariances}
        best, chosen, scores = torch.full((len(held_out),), -torch.inf), (0, ""), []
        failure: UserError | None = None
        for size in CANDIDATE_SIZES:
            open_covariances = [c for c in open_covariances if size == 1 or len(rest) >= size * min_codes[c]]
            clusters = self._cluster(rest, size) if open_covariances else rest
            for covariance in open_covariances.copy():
                try:
                    densities = log_density(self._fit_mixture(rest, clusters, size, covariance)[0], held_out)
                except UserError as error:  # other mixtures may fit
                    failure = error
                    open_covariances.remove(covariance)
                    continue
                score, gain = float(densities.mean()), densities - best
                scores.append({"components": size, "covariance": covariance, "log_likelihood": score})
                if not best.isfinite().all() or gain.mean() > gain.std(correction=0) / len(gain) ** 0.5:
                    best, chosen = densities, (size, covariance)
                if score <= last_score[covariance]:
                    open_covariances.remove(covariance)
                last_score[covariance] = score
        if failure is not None and not chosen[0]:
            raise failure
        return {"components": chosen[0], "covariance": chosen[1], "codes": len(order), "held_out": scores}

    def _cluster(self, means: Tensor, components: int) -> Tensor:
        """Returns the cluster of each code by k-means, shape (N,)."""
        from sklearn.cluster import KMeans  # takes a second to import, and only a fit needs it
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # if codes are equal, clusters may be empty
            labels = KMeans(components, n_init=1, random_state=self.seed).fit(means.numpy()).labels_
        return torch.from_numpy(labels).long()

    def _fit_mixture(
        self, means: Tensor, clusters: Tensor, components: int, covariance: str
    ) -> tuple[Mixture, Convergence]:
        """Returns the mixture, on the CPU, to which expectation maximisation converges, and how it ended."""
        accelerator = default_device()
        device = accelerator if accelerator.type == "cuda" else torch.device("cpu")  # other devices have no float64
        try:
            fitted, convergence = expectation_maximisation(
                means.to(device), clusters.to(device), components, covariance == "full", self.max_iterations
            )
        except torch.linalg.LinAlgError as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise UserError(
                f"no mixture of {components} components fits {len(means)} codes ({reason}); "
                f"type a smaller {setting('components')}."
            ) from None
        return Mixture(*(value.cpu() for value in fitted)), convergence

    def mean_log_likelihood(self, codes: Codes) -> float:
        """Returns the mean of log p over posterior means, in nats per code."""
        mixture = Mixture(self.weights_, self.means_, self.covariances_)
        return float(log_density(mixture, codes.mean.detach().cpu().double()).mean())

    def sample(self, n: int, seed: int = 0) -> Tensor:
        """Returns `n` draws in random order, shape (n, D)."""
        return self._draw(n, seed)[0]

    def sample_by_component(self, n: int, seed: int = 0) -> Tensor:
        """Returns the draws of `sample` in the order of their components, shape (n, D), as scikit-learn's mixture does."""
        z, component = self._draw(n, seed)
        return z[component.argsort(stable=True)]

    def _draw(self, n: int, seed: int) -> tuple[Tensor, Tensor]:
        """Returns `n` draws, shape (n, D), and the component of each, shape (n,)."""
        random = np.random.default_rng(seed)
        weights, means, covariances = (v.numpy() for v in (self.weights_, self.means_, self.covariances_))
        component = random.choice(len(weights), size=n, p=weights / weights.sum())
        noise = random.standard_normal((n, means.shape[1]))
        if covariances.ndim == 2:
            offsets = np.sqrt(covariances)[component] * noise
        else:
            offsets = np.empty_like(noise)
            for k, factor in enumerate(np.linalg.cholesky(covariances)):
                offsets[component == k] = noise[component == k] @ factor.T
        return torch.from_numpy((means[component] + offsets).astype(np.float32)), torch.from_numpy(component)

    def state_dict(self) -> dict[str, Tensor]:
        """Returns the weights, means and covariances."""
        tensors = {"weights": self.weights_, "means": self.means_, "covariances": self.covariances_}
        return {name: value.contiguous() for name, value in tensors.items()}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Restores the weights, means and covariances."""
        self.learn(**{f"{name}_": tensors[name] for name in ("weights", "means", "covariances")})
