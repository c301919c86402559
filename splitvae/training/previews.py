"""What a training shows of its model from time to time: pictures of the same samples, and their distance from images."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from ..config import Config
from ..data.geometry import remove_padding
from ..data.images import Images, evenly_spaced
from ..evaluation.scores import component_features
from ..features.base import Extractor, extract_features
from ..features.registry import load_extractor
from ..metrics.fid import frechet_distance
from ..models.vae import VAE
from ..utils.files import write_json

__all__ = ["SampleDistance", "draw_preview", "is_due"]


IMAGES_PER_SIDE = 5000  # real ones, and generated ones


class SampleDistance:
    """The Frechet distance of samples of the prior to training images, of the blend and of each component.

    Features are those of a classifier of the training images, or of rotations where they have no labels; latents are the
    same every time. Distances are comparable within a run; for others, see `splitvae evaluate`.

    Arguments:
        images: The training images, in the model's shape.
        config: The settings.
        device: The device of the extractor.
        progress: Whether to tell that a classifier is trained.
    """

    def __init__(self, images: Images, config: Config, device: torch.device, progress: bool = True) -> None:
        self.pad, self.seed, self.device = config.data.pad, config.training.seed, device
        cropped = dataclasses.replace(images, pixels=remove_padding(images.pixels, self.pad))
        self.extractor: Extractor = load_extractor("auto", cropped, device=device, progress=progress)
        self.real = extract_features(self.extractor, cropped.pixels[evenly_spaced(len(images), IMAGES_PER_SIDE)])
        self.provenance = {
            "extractor": {name: getattr(self.extractor, name) for name in ("name", "fingerprint", "note")},
            "real": {"source": images.source, "part": images.split, "images": len(self.real), "sha256": images.sha256},
            "generated": len(self.real),
            "seed": self.seed,
        }

    def __call__(self, vae: VAE) -> dict[str, float]:
        """Returns {"fid": of the blend, "fid_x1": of the first component, ...} of a model in evaluation mode."""
        z = torch.randn(len(self.real), vae.latent_dim, generator=torch.Generator().manual_seed(self.seed))
        with torch.autocast(self.device.type, enabled=False):
            matrices = component_features(vae, z, self.extractor, self.pad, self.seed)
            distances = {name: frechet_distance(self.real, rows) for name, rows in matrices.items() if name != "mix"}
        return {"fid" if name == "blend" else f"fid_{name}": value for name, value in distances.items()}

    def write_provenance(self, folder: Path) -> None:
        """Writes distances.json: the extractor, the images and the seed of the distances."""
        write_json(folder / "distances.json", self.provenance)


def is_due(epoch: int, every: int, last: int) -> bool:
    """Returns whether an epoch, counted from 1, is a multiple of `every` or the last; never where `every` is 0."""
    return bool(every) and (epoch % every == 0 or epoch == last)


def draw_preview(folder: Path, vae: VAE, epoch: int) -> None:
    """Draws the same fixed samples as after every other epoch."""
    from ..figures.samples import save_preview as draw  # matplotlib takes a second to import

    draw(folder / f"epoch-{epoch:04d}.png", vae)
