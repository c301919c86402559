"""The model: an encoder that returns a posterior, and a decoder whose output is composed to a canvas."""

from __future__ import annotations

import hashlib
import math
import numbers
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Self, cast

import torch
from torch import Tensor, nn

from ..errors import UserError, setting
from ..networks.base import Network
from ..networks.registry import NETWORKS
from ..networks.residual import Residual
from ..utils.memory import MEASURED_IMAGES
from ..utils.settings import ActsWith, OneOf, Settings
from .groups import Groups
from .inference import inference_batch_size
from .inputs import to_images, to_latents
from .latents import LATENTS, Gaussian, Latent
from .posteriors import Posterior
from .pretrained import check_is_no_run, find_model_folder, read_model, write_model
from .separate import build_separate
from .split import Canvas, compose, count_logit_channels

__all__ = ["SPLIT_DECODERS", "VAE", "Model"]

SPLIT_DECODERS = ("shared", "separate")


def _is_split(config: Any) -> bool:
    """Returns whether there is more than one component."""
    return bool(config.model.split > 1)


@dataclass(frozen=True)
class Model(Settings):
    """Creates the settings of a `VAE`.

    Arguments:
        shape: The channels, height and width of an image; height and width are equal, and each network has its own sizes.
            None takes them from the images.
        latent_dim: The dimension of the latent z.
        split: The number of images that the decoder generates and blends; 1 is a plain VAE, 2 a Split-VAE.
        net: The network of the encoder and the decoder, which is that of the Split-VAE or of another paper.
        latent: The kind of posterior, which has noise or not, or has a part that images of a group share.
        spectral_norm: Whether every layer's weight is divided by its largest singular value.
        split_decoder: Whether one decoder generates all images and maps (shared), or each image and its map has a smaller
            decoder of its own (separate), which together have as many parameters.
        map_scale: The factor on the logits of the maps; with 8 they learn faster than the images, and differ from pixel to
            pixel after short trainings.
        map_norm: Whether the logits of each map are first normalised over the pixels of an image, to mean 0 and variance 1,
            so that no component can take the whole image.
    """

    shape: tuple[int, int, int] | None = None
    latent_dim: int = 32
    split: int = 2
    net: Annotated[Network, NETWORKS] = Residual()
    latent: Annotated[Latent, LATENTS] = Gaussian()
    spectral_norm: bool = False
    split_decoder: Annotated[str, OneOf(SPLIT_DECODERS), ActsWith(_is_split, "a split", ("split", 2))] = "shared"
    map_scale: Annotated[float, ActsWith(_is_split, "a split", ("split", 2))] = 1.0
    map_norm: Annotated[bool, ActsWith(_is_split, "a split", ("split", 2))] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shape is not None and (len(self.shape) != 3 or self.shape[1] != self.shape[2]):
            raise UserError(f"shape={tuple(self.shape)} is not (channels, side, side), such as (3, 64, 64).")
        if self.latent_dim < 1:
            raise UserError(
                f"{setting('latent_dim', self.latent_dim)} leaves nothing of the network; it must be at least 1."
            )
        if not (self.map_scale > 0 and math.isfinite(self.map_scale)):
            raise UserError(f"{setting('map_scale', self.map_scale)} must be a positive number; 1 is the paper's.")


class Encoder(nn.Module):
    """Maps images (B, C, H, W) in [0, 1] to features by a network, and these to a posterior by the heads of a latent."""

    def __init__(self, features: nn.Module, latent: nn.Module) -> None:
        super().__init__()
        self.features, self.latent = features, latent

    def forward(self, x: Tensor, group: Groups | Tensor | None = None) -> Posterior:
        return self.latent(self.features(x), group)


class VAE(nn.Module):
    """Creates a variational autoencoder whose decoder generates `split` images and their maps.

    Arguments:
        shape: The shape (C, H, W) of an image; H = W is 16, 32, 64 or 128, for the networks of IntroVAE up to 1024, and any
            number for "mlp".
        latent_dim: The dimension D of z.
        split: The number K of images that the decoder generates; 1 is a plain VAE, 2 a Split-VAE.
        net: The network, such as `splitvae.networks.Residual(width=32)`, or its name.
        latent: The latent, such as `splitvae.Grouped(content_dim=16)`, or its name.
        spectral_norm: Whether each layer's weight is divided by its largest singular value.
        split_decoder: "shared", or "separate" for a smaller decoder of its own for each image and its map, which together
            have as many parameters (models/separate.py); without a split these are the same.
        map_scale: The factor on the logits of the maps.
        options: Further settings by flat name: `map_norm`, and those of the network and the latent, such as `width=32`.

    Models are written by `save_pretrained(folder)` (config.json and model.safetensors), put on the hub by `push_to_hub`,
    and read by `VAE.from_pretrained`, in evaluation mode.

    Raises:
        UserError: For sizes that leave nothing of the network, unknown names, and options of another choice.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int = 32,
        split: int = 2,
        net: Network | str | Mapping[str, Any] = "resnet",
        latent: Latent | str | Mapping[str, Any] = "gaussian",
        spectral_norm: bool = False,
        split_decoder: str = "shared",
        map_scale: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__()
        if not isinstance(shape, Sequence):
            raise UserError(f"shape={shape!r} is not (channels, side, side), such as (3, 64, 64).")
        sizes = {"shape": tuple(map(int, shape)), "latent_dim": latent_dim, "split": split, "spectral_norm": spectral_norm}
        maps = {"split_decoder": split_decoder, "map_scale": map_scale}
        settings = Model(net=net, latent=latent, **sizes, **maps)  # type: ignore[arg-type]  # names become choices there
        settings = settings.override(**options)
        self.shape, self.latent_dim, self.split = cast(tuple[int, int, int], settings.shape), latent_dim, split
        self.settings = settings
        outputs = count_logit_channels(self.shape[0], split)
        if settings.split_decoder == "separate" and split > 1:
            features, self.decoder = build_separate(settings.net, self.shape, latent_dim, split)
        else:
            features, self.decoder = settings.net.build(self.shape, latent_dim, outputs)
        self.encoder = Encoder(features, settings.latent.build(cast(int, features.features), latent_dim))
        if spectral_norm:
            settings.net.normalise_spectra(self.encoder, self.decoder)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it

    @property
    def uses_groups(self) -> bool:
        """Whether images of a group share dimensions of the latent, so that training needs groups."""
        return self.settings.latent.uses_groups

    @property
    def has_group_terms(self) -> bool:
        """Whether the loss of a batch of groups is divided by the number of groups instead of that of images."""
        return self.settings.latent.has_group_terms

    @property
    def needs_pairs(self) -> bool:
        """Whether the groups must be pairs."""
        return self.settings.latent.needs_pairs

    @property
    def device(self) -> torch.device:
        """The device of the model, to which images and latents are moved before they are encoded and decoded."""
        return next(self.decoder.parameters()).device

    def _place(self) -> tuple[torch.device, torch.dtype]:
        """Returns the device and the type of the weights."""
        weight = next(self.decoder.parameters())
        return weight.device, weight.dtype

    def __setattr__(self, name: str, value: Any) -> None:
        """Sets an attribute; raises UserError for a setting, which the layers of a model cannot follow."""
        settings = self.__dict__.get("settings")
        if settings is not None and name in ("settings", *settings.options()):
            example = f"{name}={value!r}" if name not in ("settings", "shape") else "latent_dim=32"
            raise UserError(
                f"{name} of a model cannot be changed, since its layers were built for it; create another model, such as "
                f"splitvae.VAE({value if name == 'shape' else 'vae.shape'}, {example})."
            )
        super().__setattr__(name, value)

    def encode(self, x: Any, group: Groups | Tensor | None = None) -> Posterior:
        """Returns the posterior of images.

        Arguments:
            x: The images, shape (B, C, H, W), floats in [0, 1]; or any kind of images of that size that
                `splitvae.as_images` takes, such as bytes, arrays, images of Pillow or lists of these.
            group: The group of each image, shape (B,), any integers; None makes each image a group of its own.

        Raises:
            UserError: For images of another shape, and for values of another range.
        """
        # A training step must not wait for values: of a model in training mode they are looked at in the first batch alone.
        checks_values = not self.training or "has_seen_images" not in self.__dict__
        x = to_images(x, self.shape, *self._place(), checks_values)
        self.__dict__["has_seen_images"] = True
        if size := self._inference_batch_size(len(x)):
            return self.encoder.latent(torch.cat([self.encoder.features(part) for part in x.split(size)]), group)
        return self.encoder(x, group)

    def decode(self, z: Any) -> Canvas:
        """Returns the canvas of latents.

        Arguments:
            z: The latents, shape (B, D); a tensor, an array, or lists of numbers. A single one may be (D,).

        Raises:
            UserError: For latents of another shape.
        """
        z = to_latents(z, self.latent_dim, *self._place())
        if size := self._inference_batch_size(len(z)):
            canvases = [self._compose(part) for part in z.split(size)]
            return Canvas(torch.cat([c.images for c in canvases]), torch.cat([c.masks for c in canvases]))
        return self._compose(z)

    def _compose(self, z: Tensor) -> Canvas:
        """Returns the canvas of latents (B, D), computed at once."""
        return compose(self.decoder(z), self.split, self.settings.map_scale, self.settings.map_norm)

    def _inference_batch_size(self, count: int) -> int:
        """Returns the size of the parts in which `count` images are computed to save memory; 0 for all at once.

        Parts are computed only where nothing is trained: BatchNorm in training mode needs the whole batch, and gradients
        keep all activations anyway.
        """
        if self.training or torch.is_grad_enabled() or count <= max(MEASURED_IMAGES):
            return 0
        size = inference_batch_size(self)
        return size if size < count else 0

    def forward(self, x: Tensor, group: Groups | Tensor | None = None) -> Canvas:
        """Returns a stochastic reconstruction, decode(z) with z drawn from the posterior."""
        return self.decode(self.encode(x, group).rsample())

    @torch.no_grad()
    def reconstruct(self, x: Tensor, group: Groups | Tensor | None = None) -> Canvas:
        """Returns the deterministic reconstruction, decode(posterior mean)."""
        return self.decode(self.encode(x, group).mean)

    @torch.no_grad()
    def sample(self, n: int, seed: int | None = None) -> Canvas:
        """Returns the canvas of `n` samples z ~ N(0, I).

        Arguments:
            n: The number of samples.
            seed: A seed that makes z the same on every device; None draws from the global random stream.
        """
        if not isinstance(n, numbers.Integral) or n < 0:
            raise UserError(f"{setting('n', n)} is no number of samples; give a whole number, such as 64.")
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return self.decode(torch.randn(n, self.latent_dim, generator=generator))

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Writes the model to a folder: config.json, its settings, and model.safetensors, its weights.

        Raises:
            UserError: For the folder of a run, whose own settings are in its config.json.
        """
        check_is_no_run(Path(folder))
        write_model(self, Path(folder))

    @classmethod
    def from_pretrained(cls, source: str | os.PathLike[str], **options: Any) -> Self:
        """Returns a model in evaluation mode, on the CPU.

        Arguments:
            source: The folder of a model, that of a run, or a model of the Hugging Face hub, "owner/name". A model of
                somebody else executes nothing: only its settings and its safetensors are read.
            options: For the hub: `revision`, `token`, `cache_dir`, `local_files_only` and `force_download`.

        Raises:
            UserError: If there is no such model, if it is damaged, or if a newer version wrote it.
        """
        return read_model(cls, find_model_folder(source, **options))

    def push_to_hub(self, to: str, licence: str = "", **options: Any) -> str:
        """Puts the model on the Hugging Face hub with a model card, and returns the address.

        The card of a model alone says nothing of its training; `Run.push_to_hub` writes it from a run.

        Arguments:
            to: The name of the repository, "owner/name".
            licence: The licence of the model, such as "cc-by-4.0", which must be given.
            options: Further arguments of `splitvae.hub.push`, such as `private=True`.
        """
        return str(import_module("splitvae.hub").push(self, to, licence, **options))

    def counts(self) -> dict[str, int]:
        """Returns the numbers of parameters: `trainable`, and `total` with BatchNorm's running statistics."""
        trainable = sum(p.numel() for p in self.parameters())
        return {"trainable": trainable, "total": trainable + sum(b.numel() for b in self.buffers() if b.ndim)}

    def fingerprint(self) -> str:
        """Returns 16 hex digits of the SHA-256 of all weights and statistics, by which fitted samplers are keyed."""
        digest = hashlib.sha256()
        for name, value in sorted(self.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]
