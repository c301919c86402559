"""What a sampler is: a density of the latent space that is fitted once and kept with the run.

A sampler has `fit(codes, progress)`, which returns it, and `sample(n, seed)` -> (n, D) float32 on the CPU. It is saved
without pickle: `tensors()` goes to a safetensors file; its parameters, what the fit found (`facts`) and the hash of the
model it was fitted to go beside it as JSON.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors.torch import save as to_bytes
from torch import Tensor

from ..errors import UserError
from ..models.codes import Codes
from ..utils.console import Progress
from ..utils.files import atomic_write, write_json

__all__ = ["Prior", "Sampler", "check"]


class Sampler:
    """What every sampler has in common: its name, its parameters, and how it is kept."""

    name: ClassVar[str]

    def __init__(self) -> None:
        self.parameters: dict[str, Any] = {}
        self.facts: dict[str, Any] = {}

    def fit(self, codes: Codes, progress: Progress | None = None) -> Sampler:
        raise NotImplementedError

    def sample(self, n: int, seed: int = 0) -> Tensor:
        raise NotImplementedError

    def tensors(self) -> dict[str, Tensor]:
        raise NotImplementedError

    def restore(self, tensors: dict[str, Tensor]) -> None:
        raise NotImplementedError

    def save(self, folder: Path, **about: Any) -> None:
        """Writes sampler.safetensors and sampler.json, each in one piece; `about` says what it belongs to."""
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / "sampler.safetensors") as draft:
            draft.write_bytes(to_bytes(self.tensors()))
        values = {"sampler": self.name, **about, "parameters": self.parameters, "facts": self.facts}
        write_json(folder / "sampler.json", values)


class Prior(Sampler):
    """The standard normal prior N(0, I); fitting learns the dimension alone."""

    name = "prior"

    def fit(self, codes: Codes, progress: Progress | None = None) -> Prior:
        check(codes, 1, "the prior's dimension")
        self.dim_ = codes.mean.shape[1]
        return self

    def sample(self, n: int, seed: int = 0) -> Tensor:
        return torch.randn(n, self.dim_, generator=torch.Generator().manual_seed(seed))

    def tensors(self) -> dict[str, Tensor]:
        return {"dim": torch.tensor(self.dim_)}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self.dim_ = int(tensors["dim"])


def check(codes: Codes, least: int, what: str, instead: str = "") -> None:
    """Raises UserError for fewer codes than `least`, or codes that are not finite."""
    if len(codes.mean) < least:
        raise UserError(f"{len(codes.mean)} codes are too few for {what}; give more images{instead}.")
    if not all(bool(values.isfinite().all()) for values in (codes.mean, codes.logvar) if values is not None):
        raise UserError("some codes are not finite, so no density fits them; the model's training went wrong.")
