"""What a training shows of its model now and then: pictures of the same samples, and how far samples are from images."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from ..config import Config
from ..data.images import Images, spaced
from ..data.resize import unpadded
from ..evaluation.scores import columns
from ..features.base import Extractor, features
from ..features.registry import extractor_named
from ..metrics.fid import frechet_distance
from ..models.vae import VAE

__all__ = ["SampleDistance", "due", "picture"]


COUNT = 5000  # images on each side


class SampleDistance:
    """The Frechet distance of samples of the prior to training images, of the blend and of each component.

    Features are those of a classifier of the training images, or of rotations where they have no labels; latents are the
    same every time. Numbers compare within a run; for others, see `splitvae evaluate`.
    """

    def __init__(self, images: Images, config: Config, device: torch.device, progress: bool = True) -> None:
        self.pad, self.seed, self.device = config.pad, config.seed, device
        known = dataclasses.replace(images, pixels=unpadded(images.pixels, config.pad))
        self.extractor: Extractor = extractor_named("auto", known, device=device, progress=progress)
        self.real = features(self.extractor, known.pixels[spaced(len(images), COUNT)])
        self.about = {
            "extractor": {name: getattr(self.extractor, name) for name in ("name", "fingerprint", "note")},
            "real": {"source": images.source, "part": images.split, "images": len(self.real), "sha256": images.sha256},
            "generated": len(self.real),
            "seed": config.seed,
        }

    def __call__(self, vae: VAE) -> dict[str, float]:
        """{"fid": of the blend, "fid_x1": ..., ...} of a model in evaluation mode."""
        with torch.autocast(self.device.type, enabled=False):
            return self.measured(vae)

    def measured(self, vae: VAE) -> dict[str, float]:
        z = torch.randn(len(self.real), vae.latent_dim, generator=torch.Generator().manual_seed(self.seed))
        found = columns(vae, z, self.extractor, self.pad, self.seed)
        return {name_of(column): frechet_distance(self.real, rows) for column, rows in found.items() if column != "mix"}


def name_of(column: str) -> str:
    """What a column is called in the history."""
    return "fid" if column == "blend" else f"fid_{column}"


def due(epoch: int, every: int, last: int) -> bool:
    """Whether an epoch, counted from 1, is one of each `every` or the last; never where `every` is 0."""
    return bool(every) and (epoch % every == 0 or epoch == last)


def picture(folder: Path, vae: VAE, epoch: int) -> None:
    """Draws the same fixed samples as after every other epoch."""
    from ..figures.samples import save_preview as draw  # matplotlib takes a second to import

    draw(folder / f"epoch-{epoch:04d}.png", vae)
