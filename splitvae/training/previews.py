"""Previews during a training: pictures of the same samples, and the distance of samples from training images."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from ..config import Config
from ..data.geometry import remove_padding
from ..data.images import Images, evenly_spaced
from ..evaluation.scores import component_features
from ..features.base import Extractor
from ..features.cache import cached_features
from ..features.registry import load_extractor
from ..metrics.fid import frechet_distance
from ..models.vae import VAE
from ..utils.console import print_once
from ..utils.files import write_json

__all__ = ["SampleDistance", "draw_preview", "is_due", "remove_previews"]

IMAGES_PER_SET = 5000  # of the real and of the generated set, at most


class SampleDistance:
    """Measures the Frechet distance between samples and training images, of the blend and of each component.

    Features are those of the shipped classifier of the data set, else of one that learns the labels of the training images
    or, without labels, their rotation.
    Latents are drawn from the prior and are the same each time. Distances can be compared within a run only; `splitvae
    evaluate` measures those that can be compared between runs.

    Arguments:
        images: The training images, in the model's shape.
        config: The settings.
        device: The device of the extractor.
        progress: Whether to print a line when a classifier is trained.
    """

    def __init__(self, images: Images, config: Config, device: torch.device, progress: bool = True) -> None:
        self.pad, self.seed, self.device = config.data.pad, config.training.seed, device
        cropped = dataclasses.replace(images, pixels=remove_padding(images.pixels, self.pad))
        self.extractor: Extractor = load_extractor("auto", cropped, device=device, progress=progress)
        if getattr(self.extractor, "is_weak", False):
            print_once(progress, f"Note: {self.extractor.note}")
        self.real = cached_features(self.extractor, cropped.pixels[evenly_spaced(len(images), IMAGES_PER_SET)])
        self.provenance = {
            "extractor": {name: getattr(self.extractor, name) for name in ("name", "fingerprint", "note")},
            "real": {"source": images.source, "part": images.part, "images": len(self.real), "sha256": images.sha256},
            "generated": len(self.real),
            "seed": self.seed,
        }

    def __call__(self, vae: VAE) -> dict[str, float]:
        """Returns the distances of a model in evaluation mode: "fid" of the blend, "fid_x1" of the first component, ..."""
        z = torch.randn(len(self.real), vae.latent_dim, generator=torch.Generator().manual_seed(self.seed))
        with torch.autocast(self.device.type, enabled=False):
            matrices = component_features(vae, z, self.extractor, self.pad, self.seed)
            distances = {name: frechet_distance(self.real, rows) for name, rows in matrices.items() if name != "mix"}
        return {"fid" if name == "blend" else f"fid_{name}": value for name, value in distances.items()}

    def write_provenance(self, folder: Path) -> None:
        """Writes distances.json, which describes the extractor, the images and the seed of the distances."""
        write_json(folder / "distances.json", self.provenance)


def is_due(epoch: int, every: int, last: int) -> bool:
    """Returns whether something that is done every so many epochs, and after the last one, is due.

    Arguments:
        epoch: The epoch, counted from 1.
        every: The number of epochs between two times; 0 is never.
        last: The last epoch.
    """
    return bool(every) and (epoch % every == 0 or epoch == last)


def draw_preview(folder: Path, vae: VAE, epoch: int) -> None:
    """Draws samples of a model to epoch-NNNN.png; their latents are the same after all epochs.

    Arguments:
        folder: The folder of the picture.
        vae: The model, in evaluation mode.
        epoch: The number of finished epochs.
    """
    from ..figures.samples import save_preview  # imports matplotlib, which takes a second

    save_preview(folder / f"epoch-{epoch:04d}.png", vae)


def remove_previews(folder: Path, epoch: int) -> None:
    """Removes the pictures of later epochs than a given one, and the film that was made of them.

    Arguments:
        folder: The folder of the pictures.
        epoch: The number of finished epochs.
    """
    later = [file for file in folder.glob("epoch-*.png") if file.stem[6:].isdigit() and int(file.stem[6:]) > epoch]
    for file in [*later, folder / "film.gif"] if later else []:
        file.unlink(missing_ok=True)
