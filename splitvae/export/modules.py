"""What is exported: copies of the decoder and the encoder, on the CPU, traced as one graph for any number of rows.

    decoder   z (B, D)             -> image (B, C, H, W), images (B, K, C, H, W), masks (B, K, 1, H, W)
    encoder   image (B, C, H, W)   -> mean (B, D), and logvar (B, D) where the posterior has noise

The encoder of a grouped latent treats each image as a group of its own: a graph has no room for groups that differ in size.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ..errors import UserError
from ..models.fusion import fuse_alone
from ..models.latents import GroupedHead
from ..models.posteriors import Posterior
from ..models.split import compose
from ..models.vae import VAE

__all__ = ["DecoderModule", "EncoderModule", "check_suffix", "describe_failure", "quiet", "trace"]

TRACED_ROWS = 2  # of the example; other numbers than 0 and 1, which a trace takes for constants


class DecoderModule(nn.Module):
    """Maps codes z (B, D) to the blend, the components and the maps: `image`, `images`, `masks`.

    Arguments:
        vae: The model, in evaluation mode.
    """

    inputs = ("z",)
    outputs: tuple[str, ...] = ("image", "images", "masks")

    def __init__(self, vae: VAE) -> None:
        super().__init__()
        self.decoder, self.split, self.latent_dim = copy.deepcopy(vae.decoder), vae.split, vae.latent_dim
        self.map_scale, self.map_norm = vae.settings.map_scale, vae.settings.map_norm
        self.title = f"the decoder of the network {vae.settings.net.name!r}"

    def forward(self, z: Tensor) -> tuple[Tensor, ...]:
        canvas = compose(self.decoder(z), self.split, self.map_scale, self.map_norm)
        return canvas.image, canvas.images, canvas.masks

    def example(self, rows: int = TRACED_ROWS, seed: int = 0) -> Tensor:
        """Returns codes of the prior, shape (rows, D)."""
        return torch.randn(rows, self.latent_dim, generator=torch.Generator().manual_seed(seed))


class EncoderModule(nn.Module):
    """Maps images (B, C, H, W) in [0, 1] to `mean` and, where the posterior has noise, `logvar`.

    Arguments:
        vae: The model, in evaluation mode.
    """

    inputs = ("image",)

    def __init__(self, vae: VAE) -> None:
        super().__init__()
        encoder = copy.deepcopy(vae.encoder).cpu()
        self.features, self.latent, self.shape = encoder.features, encoder.latent, vae.shape
        self.title = f"the encoder of the latent {vae.settings.latent.name!r}"
        with torch.no_grad():
            posterior = encoder(torch.zeros(1, *vae.shape))
        self.outputs = ("mean", "logvar") if posterior.logvar is not None else ("mean",)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        features = self.features(image)
        if isinstance(self.latent, GroupedHead):
            style = self.latent.style(features)
            content = fuse_alone(self.latent.evidence(features), self.latent.settings.fusion)
            return tuple(torch.cat(parts, 1) for parts in zip(style, content, strict=True))
        posterior: Posterior = self.latent(features)
        return (posterior.mean,) if posterior.logvar is None else (posterior.mean, posterior.logvar)

    def example(self, rows: int = TRACED_ROWS, seed: int = 0) -> Tensor:
        """Returns images of noise, shape (rows, C, H, W)."""
        return torch.rand(rows, *self.shape, generator=torch.Generator().manual_seed(seed))


def check_suffix(path: Path, suffix: str) -> None:
    """Raises UserError for a path of another suffix."""
    if path.suffix != suffix:
        raise UserError(f"{path} does not end in {suffix}; give a path such as {path.with_suffix(suffix)}.")


def trace(module: DecoderModule | EncoderModule) -> ExportedProgram:
    """Returns the graph of a module for any number of rows.

    Raises:
        UserError: If its code depends on the values that it computes, so that there is no one graph.
    """
    module = module.eval().to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # torch's stubs
    (name,) = module.inputs
    try:
        with quiet(), torch.no_grad():
            return torch.export.export(module, (module.example(),), dynamic_shapes={name: {0: Dim("batch", min=1)}})
    except Exception as error:  # the exporter raises many kinds
        raise UserError(describe_failure(module, error)) from None


def describe_failure(module: DecoderModule | EncoderModule, error: Exception) -> str:
    """Returns the sentence about a module that cannot be exported, with the first line of the exporter's reason."""
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return (
        f"{module.title} cannot be exported: its code would have to be one graph of tensors for any number of images, and "
        f"the exporter answers {type(error).__name__}: {reason[:200].rstrip('.')}. Use it from Python: `Run(path).vae`."
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Silences the remarks of the exporters on themselves, such as deprecations; errors are still raised."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch about itself, while it exports
            yield
    finally:
        logging.disable(before)
