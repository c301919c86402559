"""The model: an encoder that ends with the posterior's heads, a decoder, and a split of what it paints."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import cast

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from ..errors import UserError
from ..networks.registry import Plan, build, normalise_spectra
from .groups import Groups
from .latents import Sharing, latent_named
from .posteriors import Posterior
from .split import Canvas, compose, logit_channels

__all__ = ["VAE"]


class Encoder(nn.Module):
    """Images (B, C, H, W) in [0, 1] to a posterior: a network's features, then the latent's heads."""

    def __init__(self, features: nn.Module, latent: nn.Module) -> None:
        super().__init__()
        self.features, self.latent = features, latent

    def forward(self, x: Tensor, group: Groups | Tensor | None = None) -> Posterior:
        return self.latent(self.features(x), group)


class VAE(
    nn.Module,
    PyTorchModelHubMixin,
    library_name="splitvae",
    license="mit",
    tags=["variational-autoencoder", "split-vae"],
):
    """Creates a variational autoencoder whose decoder paints `split` images and their maps.

    Arguments:
        shape: of an image, (C, H, W); H = W is 16, 32, 64 or 128, for "intro" nets up to 1024, for "mlp" any.
        latent_dim: D, the dimension of z.
        split: K, the number of images painted; 1 is a plain VAE, 2 a Split-VAE.
        width: channels at the image's scale of the encoder, doubled at each halving.
        scales: stride-2 convolutions of the encoder.
        blocks: residual blocks a scale.
        depth: convolutions a residual block.
        kernel: size of the convolutions.
        embedding: features between the convolutions and the latent.
        net: "resnet", the paper's, or another system's own (nets.py): "two-stage", "infogan", "rae", "higgins"; "mlp", the
            Multi-Level VAE's; "intro" and "intro-plain", the IntroVAE's with BatchNorm and without. A net without
            scales, blocks, depth or embedding ignores them.
        latent: "gaussian", "deterministic" for a code without noise, "grouped" or "adaptive" for groups (latents.py).
        spectral_norm: divide each layer's weight by its largest singular value (in "infogan" the encoder's alone).
        content_dim: of a "grouped" latent, the dimensions that a group shares, the last of z; 0 is half of them.
        fusion: how members' evidence of them becomes one Gaussian: "poe", "poe-prior", "mean", "harmonic" (fusion.py).
        content_draw: the content is drawn once a "group", anew for each "sample", or is its "mean".
        eps_std: standard deviation of the noise it is drawn with; 1 is the posterior.
        head_units: of a hidden layer that each of the two codes has before its heads; 0 is none, as in the paper.
        evidence: members of a group that say what its content is in training, drawn at random; 0 is all.

    Models are written by `save_pretrained(folder)` (config.json and model.safetensors) and read by
    `VAE.from_pretrained(folder)`, in evaluation mode.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int = 32,
        split: int = 2,
        width: int = 64,
        scales: int = 4,
        blocks: int = 1,
        depth: int = 2,
        kernel: int = 3,
        embedding: int = 512,
        net: str = "resnet",
        latent: str = "gaussian",
        spectral_norm: bool = False,
        content_dim: int = 0,
        fusion: str = "poe",
        content_draw: str = "group",
        eps_std: float = 1.0,
        head_units: int = 0,
        evidence: int = 0,
    ) -> None:
        super().__init__()
        if len(shape) != 3 or shape[1] != shape[2]:
            raise UserError(f"shape={tuple(shape)} is not (channels, side, side), such as (3, 64, 64).")
        self.shape = (int(shape[0]), int(shape[1]), int(shape[2]))
        self.latent_dim, self.split = latent_dim, split
        plan = Plan(self.shape, latent_dim, 0, width, scales, blocks, depth, kernel, embedding)
        features, self.decoder = build(net, plan._replace(outputs=logit_channels(self.shape[0], split)))
        sharing = Sharing(content_dim, fusion, content_draw, eps_std, head_units, evidence)
        self.encoder = Encoder(features, latent_named(latent, cast(int, features.features), latent_dim, sharing))
        if spectral_norm:
            normalise_spectra(net, self.encoder, self.decoder)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it

    @property
    def shares(self) -> bool:
        """Whether images of a group share something, so that training needs groups."""
        return bool(self.encoder.latent.shares)

    @property
    def pairs(self) -> bool:
        """Whether those groups must be pairs."""
        return bool(self.encoder.latent.pairs)

    @property
    def device(self) -> torch.device:
        """Where the model is; what it encodes and decodes is brought there."""
        return next(self.decoder.parameters()).device

    def encode(self, x: Tensor, group: Groups | Tensor | None = None) -> Posterior:
        """The posterior of images (B, C, H, W), float in [0, 1]; `group` (B,) says which share a latent."""
        if x.shape[1:] != self.shape or not x.is_floating_point():
            raise UserError(
                f"this model reads float images in [0, 1] of shape (B, {', '.join(map(str, self.shape))}), "
                f"not {x.dtype} of shape {tuple(x.shape)}; `splitvae.resize(pixels, vae.shape) / 255` converts."
            )
        return self.encoder(x.to(self.device), group)

    def decode(self, z: Tensor) -> Canvas:
        """What latents (B, D) are painted as."""
        return compose(self.decoder(z.to(self.device)), self.split)

    def forward(self, x: Tensor, group: Groups | Tensor | None = None) -> Canvas:
        """A stochastic reconstruction, decode(z) with z drawn from the posterior."""
        return self.decode(self.encode(x, group).rsample())

    @torch.no_grad()
    def reconstruct(self, x: Tensor, group: Groups | Tensor | None = None) -> Canvas:
        """The deterministic reconstruction, decode(posterior mean)."""
        return self.decode(self.encode(x, group).mean)

    @torch.no_grad()
    def sample(self, n: int, seed: int | None = None) -> Canvas:
        """`n` samples with z ~ N(0, I); the same on every device for one `seed`."""
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return self.decode(torch.randn(n, self.latent_dim, generator=generator))

    def counts(self) -> dict[str, int]:
        """Numbers of parameters: `trainable`, and `total` with BatchNorm's running statistics."""
        trainable = sum(p.numel() for p in self.parameters())
        return {"trainable": trainable, "total": trainable + sum(b.numel() for b in self.buffers() if b.ndim)}

    def fingerprint(self) -> str:
        """The first 16 hex digits of the SHA-256 of all weights and statistics; what fitted samplers are keyed by."""
        digest = hashlib.sha256()
        for name, value in sorted(self.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]
