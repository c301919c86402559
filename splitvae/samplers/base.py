"""The base of all samplers: densities of the latent space that are fitted to codes and saved with the run.

A sampler is a frozen dataclass of settings. `fit(codes, progress)` learns attributes, whose names end in `_`, and returns
the sampler itself; `sample(n, seed)` returns latents (n, D), float32 on the CPU. A sampler is saved without pickle:
`state_dict()` is written to a safetensors file; the settings, the results of the fit (`fit_info`) and the hash of the model
whose codes it was fitted to are written beside it as JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from safetensors.torch import save as to_bytes
from torch import Tensor

from ..errors import UserError
from ..models.codes import Codes
from ..utils.console import Progress
from ..utils.files import atomic_write, write_json
from ..utils.settings import Settings

__all__ = ["Prior", "Sampler", "check_are_codes", "check_codes"]


@dataclass(frozen=True)
class Sampler(Settings):
    """The base of all samplers; a subclass has a `name`, its settings as fields, and the first four methods below."""

    layout: ClassVar[int] = 1  # the number of the version of `state_dict`; saved samplers of another one are fitted anew

    def fit(self, codes: Codes, progress: Progress | None = None) -> Self:
        """Fits the density to codes and returns the sampler itself.

        Arguments:
            codes: The posterior means and log-variances.
            progress: A function that is called with (epoch, epochs) after each epoch, by samplers that are fitted in
                epochs.

        Raises:
            UserError: For codes that are too few or not finite.
        """
        raise NotImplementedError

    def sample(self, n: int, seed: int = 0) -> Tensor:
        """Returns `n` draws, shape (n, D), float32 on the CPU.

        Arguments:
            n: The number of draws.
            seed: The seed of the draws.
        """
        raise NotImplementedError

    def state_dict(self) -> dict[str, Tensor]:
        """Returns the tensors that the fit learned."""
        raise NotImplementedError

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Restores the tensors that `state_dict` returned."""
        raise NotImplementedError

    def for_run(self, epochs: int, seed: int, content_dim: int = 0) -> Self:
        """Returns this sampler as a run fits it.

        Arguments:
            epochs: The number of epochs for a sampler that is fitted in epochs and whose own number is None.
            seed: The seed of the run.
            content_dim: The number of last coordinates that are the content of a grouped latent; 0 for other latents.
        """
        return self

    def learn(self, **learned: Any) -> Self:
        """Sets learned attributes, which a frozen dataclass cannot set otherwise; returns the sampler itself."""
        self.__dict__.update(learned)
        return self

    def __getattr__(self, name: str) -> Any:
        if name.endswith("_") and not name.startswith("_"):
            raise UserError(f"this {type(self).__name__} is not fitted yet; call fit(codes) first.")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def parameters(self) -> dict[str, Any]:
        """The settings by field name."""
        return {field.name: value for field, value in self.items()}

    @property
    def fit_info(self) -> dict[str, Any]:
        """The results of the fit, such as its loss; empty before the fit."""
        return dict(self.__dict__.get("fit_info_", {}))

    def save(self, folder: Path, **provenance: Any) -> None:
        """Writes sampler.safetensors and sampler.json, each in one piece.

        Arguments:
            folder: The folder of both files.
            provenance: Facts about the codes to which the sampler was fitted, as JSON values.
        """
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "sampler.json").unlink(missing_ok=True)  # until it is written anew there is no sampler
        with atomic_write(folder / "sampler.safetensors") as draft:
            draft.write_bytes(to_bytes(self.state_dict()))
        values = {
            "sampler": self.name,
            "layout": self.layout,
            **provenance,
            "parameters": self.parameters,
            "fit_info": self.fit_info,
        }
        write_json(folder / "sampler.json", values)


@dataclass(frozen=True)
class Prior(Sampler):
    """Creates the standard normal prior N(0, I); the fit learns only the dimension."""

    name = "prior"

    def fit(self, codes: Codes, progress: Progress | None = None) -> Self:
        """Learns the dimension of the codes."""
        check_codes(codes, 1, "the prior's dimension")
        return self.learn(dim_=codes.mean.shape[1])

    def sample(self, n: int, seed: int = 0) -> Tensor:
        """Returns `n` draws, shape (n, D)."""
        return torch.randn(n, self.dim_, generator=torch.Generator().manual_seed(seed))

    def state_dict(self) -> dict[str, Tensor]:
        """Returns the dimension."""
        return {"dim": torch.tensor(self.dim_)}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Restores the dimension."""
        self.learn(dim_=int(tensors["dim"]))


def check_are_codes(codes: object) -> None:
    """Raises UserError for anything but codes, such as the tensor of their means."""
    if not isinstance(getattr(codes, "mean", None), Tensor):
        raise UserError(
            f"a sampler is fitted to codes, not to a value of type {type(codes).__name__}; give run.codes('train'), or "
            "splitvae.Codes(mean, None) for means alone."
        )


def check_codes(codes: Codes, least: int, what: str, instead: str = "") -> None:
    """Raises UserError for fewer codes than `least`, or codes that are not finite.

    Arguments:
        codes: The codes.
        least: The smallest number of codes.
        what: The density that is fitted, as the message names it.
        instead: The end of the message: what to do if there are no more images.
    """
    check_are_codes(codes)
    if len(codes.mean) < least:
        raise UserError(f"{len(codes.mean)} codes are too few for {what}; give more images{instead}.")
    if not all(bool(values.isfinite().all()) for values in (codes.mean, codes.logvar) if values is not None):
        raise UserError("some codes are not finite, so no density can be fitted: the training of the model failed.")
