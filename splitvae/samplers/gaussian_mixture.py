"""A mixture of Gaussians over posterior means, of a given size or of the size that held-out codes prefer."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from ..errors import UserError, nearest
from ..models.codes import Codes
from ..utils.console import Progress
from ..utils.machine import default_device
from .base import Sampler, check
from .em import Mixture, expectation_maximisation, log_density

__all__ = ["GaussianMixture"]


SIZES = (1, 5, 10, 20, 50, 100)


COVARIANCES = ("diag", "full")


ENOUGH = 50  # codes a component of a size that is tried; of a full covariance also more than dimensions


CHOICE = 20_000  # codes the choice is made on, at most


HELD = 10  # one code in so many is held out of it


class GaussianMixture(Sampler):
    """A mixture of Gaussians fitted to posterior means by expectation maximisation.

    Arguments:
        components: K; None picks it among 1, 5, 10, 20, 50, 100 by the likelihood of held-out codes.
        covariance: "full" or "diag"; by default full, or picked along with K.
        seed: of k-means, from whose clusters the fit starts, and of what is held out.

    The fit is `weights_` (K,), `means_` (K, D) and `covariances_`, (K, D, D) or (K, D), in float64; what was picked is in
    `facts["chosen"]`, with every score in nats a code. Expectation maximisation runs on a CUDA device where there is one,
    scikit-learn's k-means on the CPU.

    Reference: From variational to deterministic autoencoders (Ghosh et al., 2020), ex-post density estimation.
    """

    name = "gmm"

    def __init__(self, components: int | None = 20, covariance: str | None = None, seed: int = 0) -> None:
        super().__init__()
        if components is not None and components < 1:
            raise UserError(f"a mixture of {components} components is none; type --components 20.")
        if covariance is None and components is not None:
            covariance = "full"
        if covariance not in (None, *COVARIANCES):
            raise UserError(f"covariance={covariance!r} is unknown; {nearest(covariance, COVARIANCES)}")
        self.parameters = {"components": components, "covariance": covariance, "seed": seed}

    def fit(self, codes: Codes, progress: Progress | None = None) -> GaussianMixture:
        """Fits to means (N, D); raises UserError for fewer codes than components, or codes not finite."""
        components, covariance, _ = self.parameters.values()
        size = components or 1
        instead = f" or type --components {max(1, len(codes.mean) // 10)}" if size > 1 else ""
        check(codes, max(2, size), f"{size} components" if components else "a mixture", instead)
        means = codes.mean.detach().cpu().double()
        if components is None:
            components, covariance = self._choose(means)
        mixture = self._mixture(means, self._clusters(means, components), components, covariance)
        self.weights_, self.means_, self.covariances_ = mixture
        return self

    def _choose(self, means: Tensor) -> tuple[int, str]:
        """The size and covariance under which held-out codes are likeliest.

        Each covariance grows until its score falls; a larger mixture wins by more than the standard error of its gain.
        """
        order = torch.randperm(len(means), generator=torch.Generator().manual_seed(self.parameters["seed"]))[:CHOICE]
        held, rest = means[order[::HELD]], means[order[torch.arange(len(order)) % HELD != 0]]
        least = {"diag": ENOUGH, "full": max(ENOUGH, means.shape[1] + 1)}
        growing = [c for c in COVARIANCES if self.parameters["covariance"] in (None, c)]
        last = {c: -np.inf for c in growing}
        best, chosen, held_out = torch.full((len(held),), -torch.inf), (0, ""), []
        for size in SIZES:
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
        self.facts["chosen"] = dict(zip(("components", "covariance"), chosen, strict=True))
        self.facts["chosen"] |= {"codes": len(order), "held_out": held_out}
        return chosen

    def _clusters(self, means: Tensor, components: int) -> Tensor:
        """Labels (N,) of as many clusters by k-means."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of equal codes: clusters may be empty
            labels = KMeans(components, n_init=1, random_state=self.parameters["seed"]).fit(means.numpy()).labels_
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

    def tensors(self) -> dict[str, Tensor]:
        fitted = {"weights": self.weights_, "means": self.means_, "covariances": self.covariances_}
        return {name: value.contiguous() for name, value in fitted.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self.weights_, self.means_, self.covariances_ = (tensors[name] for name in ("weights", "means", "covariances"))
