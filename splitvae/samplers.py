"""Samplers: densities of the latent space that are fitted once and kept with the run.

A sampler has `fit(codes)`, which returns it, `sample(n, seed)` -> (n, D) float32, and is saved without pickle:
`tensors()` goes to a safetensors file, its parameters and the hash of the model it was fitted to beside it as JSON.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save as to_bytes
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Mixture
from torch import Tensor

from .errors import UserError, nearest
from .files import read_json, replacing, write_json
from .runs import Codes, Run

__all__ = ["SAMPLERS", "GaussianMixture", "Prior", "Sampler", "sampler_for"]


class Sampler:
    """What every sampler has in common: its name, its parameters, and how it is kept."""

    name: ClassVar[str]

    def __init__(self) -> None:
        self.parameters: dict[str, Any] = {}

    def fit(self, codes: Codes) -> Sampler:
        raise NotImplementedError

    def sample(self, n: int, seed: int = 0) -> Tensor:
        raise NotImplementedError

    def tensors(self) -> dict[str, Tensor]:
        raise NotImplementedError

    def restore(self, tensors: dict[str, Tensor]) -> None:
        raise NotImplementedError

    def save(self, folder: Path, model: str = "") -> None:
        """Writes sampler.safetensors and sampler.json, each in one piece; `model` is the fingerprint it belongs to."""
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / "sampler.safetensors") as draft:
            draft.write_bytes(to_bytes(self.tensors()))
        write_json(folder / "sampler.json", {"sampler": self.name, "model": model, "parameters": self.parameters})

    @staticmethod
    def load(folder: Path) -> Sampler:
        """Reads a sampler; raises UserError where the files are damaged or of an unknown kind."""
        about = read_json(folder / "sampler.json")
        try:
            sampler = SAMPLERS[about["sampler"]](**about["parameters"])
            with safe_open(folder / "sampler.safetensors", framework="pt") as file:
                sampler.restore({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118  # no mapping
        except UserError:
            raise
        except Exception as error:  # damage shows as any of a dozen exceptions
            raise UserError(f"{folder} is damaged ({error}); delete it and the sampler is fitted anew.") from None
        return sampler


class Prior(Sampler):
    """The standard normal prior N(0, I); fitting learns the dimension alone."""

    name = "prior"

    def fit(self, codes: Codes) -> Prior:
        self.dim_ = codes.mean.shape[1]
        return self

    def sample(self, n: int, seed: int = 0) -> Tensor:
        return torch.randn(n, self.dim_, generator=torch.Generator().manual_seed(seed))

    def tensors(self) -> dict[str, Tensor]:
        return {"dim": torch.tensor(self.dim_)}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self.dim_ = int(tensors["dim"])


class GaussianMixture(Sampler):
    """A mixture of Gaussians fitted to posterior means by expectation maximisation (scikit-learn).

    Arguments:
        components: K. covariance: "full" or "diag". seed: of the initial k-means.

    Reference: From variational to deterministic autoencoders (Ghosh et al., 2020), ex-post density estimation.
    """

    name = "gmm"

    def __init__(self, components: int = 20, covariance: str = "full", seed: int = 0) -> None:
        if components < 1:
            raise UserError(f"a mixture of {components} components is none; type --components 20.")
        if covariance not in ("full", "diag"):
            raise UserError(f"covariance={covariance!r} is unknown; {nearest(covariance, ['full', 'diag'])}")
        self.parameters = {"components": components, "covariance": covariance, "seed": seed}

    def fit(self, codes: Codes) -> GaussianMixture:
        """Fits to means (N, D) in float64; raises UserError for fewer codes than components, or codes not finite."""
        means = codes.mean.double().numpy()
        components = self.parameters["components"]
        if len(means) < max(2, components):
            raise UserError(
                f"{len(means)} codes are too few for {components} components; "
                f"give more images or type --components {max(1, len(means) // 10)}."
            )
        if not np.isfinite(means).all():
            raise UserError("some codes are not finite, so no density fits them; the model's training went wrong.")
        mixture = Mixture(components, covariance_type=self.parameters["covariance"], random_state=self.parameters["seed"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # 100 iterations are scikit-learn's own choice
            try:
                mixture.fit(means)
            except ValueError as error:
                raise UserError(
                    f"no mixture of {components} components fits {len(means)} codes ({str(error).split('.')[0]}); "
                    "type a smaller --components."
                ) from None
        self.weights_, self.means_, self.covariances_ = mixture.weights_, mixture.means_, mixture.covariances_
        return self

    def sample(self, n: int, seed: int = 0) -> Tensor:
        """Draws in random order (scikit-learn's own come grouped by component), shape (n, D)."""
        random = np.random.default_rng(seed)
        which = random.choice(len(self.weights_), size=n, p=self.weights_ / self.weights_.sum())
        noise = random.standard_normal((n, self.means_.shape[1]))
        if self.parameters["covariance"] == "diag":
            spread = np.sqrt(self.covariances_)[which] * noise
        else:
            spread = np.empty_like(noise)
            factors = np.linalg.cholesky(self.covariances_)
            for k in range(len(factors)):
                spread[which == k] = noise[which == k] @ factors[k].T
        return torch.from_numpy((self.means_[which] + spread).astype(np.float32))

    def tensors(self) -> dict[str, Tensor]:
        fitted = {"weights": self.weights_, "means": self.means_, "covariances": self.covariances_}
        return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in fitted.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self.weights_, self.means_, self.covariances_ = (
            tensors[name].numpy() for name in ("weights", "means", "covariances")
        )


SAMPLERS: dict[str, type[Any]] = {"prior": Prior, "gmm": GaussianMixture}


def sampler_for(run: Run, name: str = "prior", **parameters: Any) -> Sampler:
    """A run's sampler: the kept one if model and parameters are the same, else fitted to the training codes and kept."""
    if name not in SAMPLERS:
        raise UserError(f"no sampler is called {name!r}; {nearest(name, SAMPLERS)}")
    sampler: Sampler = SAMPLERS[name](**parameters)
    if isinstance(sampler, Prior):
        return sampler.fit(Codes(torch.zeros(1, run.vae.latent_dim), torch.zeros(1, run.vae.latent_dim)))
    folder, model = run.path / "samplers" / name, run.vae.fingerprint()
    if (folder / "sampler.json").exists():
        about = read_json(folder / "sampler.json")
        if about.get("model") == model and about.get("parameters") == sampler.parameters:
            return Sampler.load(folder)
    sampler.fit(run.codes("train")).save(folder, model)
    return sampler
