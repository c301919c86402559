"""What metrics are computed from: a model, the test images, and what the model does on them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ..data.images import batches, evenly_spaced
from ..models.inference import inference_batch_size
from ..models.posteriors import Posterior
from ..models.split import Canvas, ambiguity
from ..utils.random_streams import isolated_randomness
from .correlations import directions
from .high_frequencies import high_frequency_power
from .maps import edge_correlations, map_energies

__all__ = ["Autoencoder", "ModelOutputs"]

MAX_DIRECTIONS = 1000  # of images, and of samples, that are compared in pairs


class Autoencoder(Protocol):
    """A model as metrics use it; `splitvae.VAE` is one."""

    split: int  # K, the number of components that are decoded
    latent_dim: int  # D

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""

    def eval(self) -> object:
        """Switches to evaluation mode."""

    def encode(self, x: Tensor) -> Posterior:
        """Returns the posterior of images (B, C, H, W), float in [0, 1]."""

    def decode(self, z: Tensor) -> Canvas:
        """Returns the canvas that latents (B, D) are decoded to."""


class _Columns(NamedTuple):
    """Numbers of N images, one row per image; `ModelOutputs` says what each is."""

    mean: Tensor
    logvar: Tensor | None
    kl: Tensor
    mse: Tensor
    mse_sampled: Tensor
    map_energy_high: Tensor
    map_energy: Tensor
    map_variance: Tensor
    edge_correlation: Tensor
    ambiguity: Tensor


class ModelOutputs:
    """What a model does on N test images. Numbers have one row per image, in float64 on the CPU.

    The model runs when a number is first used: once over the test images for all numbers of images, and once over N samples
    from the prior for numbers of samples.

    Arguments:
        model: The model; it is set to evaluation mode.
        images: The test images in the shape of the model, uint8, (N, C, H, W).
        seed: The seed of the noise. The global generators are not changed.
    """

    def __init__(self, model: Autoencoder, images: Tensor, seed: int = 0) -> None:
        model.eval()
        self.model, self.images, self.seed = model, images, seed
        self.batch_size = inference_batch_size(model)

    @property
    def split(self) -> int:
        """K, the number of components; 1 for an unsplit model, whose only map is constant."""
        return self.model.split

    @property
    def mean(self) -> Tensor:
        """The posterior means, (N, D)."""
        return self._columns.mean

    @property
    def logvar(self) -> Tensor | None:
        """The posterior log-variances, (N, D); None if codes have no noise."""
        return self._columns.logvar

    @property
    def kl(self) -> Tensor:
        """KL(q(z|x) || p(z)) in nats, (N,)."""
        return self._columns.kl

    @property
    def mse(self) -> Tensor:
        """The mean squared error, over pixels and channels in [0, 1], of what posterior means are decoded to, (N,)."""
        return self._columns.mse

    @property
    def mse_sampled(self) -> Tensor:
        """The mean squared error of what a draw of the posterior is decoded to, (N,)."""
        return self._columns.mse_sampled

    @property
    def map_energy_high(self) -> Tensor:
        """The spectral energy of the maps above half the Nyquist frequency (metrics/maps.py), (N,)."""
        return self._columns.map_energy_high

    @property
    def map_energy(self) -> Tensor:
        """The spectral energy of the maps, (N,)."""
        return self._columns.map_energy

    @property
    def map_variance(self) -> Tensor:
        """The variance of a map over its pixels, mean over the K maps, (N,)."""
        return self._columns.map_variance

    @property
    def edge_correlation(self) -> Tensor:
        """The correlation of the edges of the maps with the edges of the image, in [-1, 1], (N,)."""
        return self._columns.edge_correlation

    @property
    def ambiguity(self) -> Tensor:
        """sum_k s_k (x_k - xhat)^2, mean over pixels and channels, (N,)."""
        return self._columns.ambiguity

    @property
    def sample_power(self) -> Tensor:
        """The power of N samples from the prior at high frequencies (metrics/high_frequencies.py), (N,)."""
        return self._samples[0]

    @property
    def sample_directions(self) -> Tensor:
        """The directions of the first samples (metrics/correlations.py), at most 1,000, (n, P)."""
        return self._samples[1]

    @cached_property
    def image_directions(self) -> Tensor:
        """The directions of evenly spaced test images, at most 1,000, (n, P)."""
        rows = self.images[evenly_spaced(len(self.images), MAX_DIRECTIONS)]
        return torch.cat([directions(x) for x in batches(rows, torch.device("cpu"), self.batch_size)])

    @cached_property
    def image_power(self) -> Tensor:
        """The power of the test images at high frequencies, (N,)."""
        return torch.cat([high_frequency_power(x) for x in batches(self.images, torch.device("cpu"), self.batch_size)])

    def reconstructions(self) -> Iterator[tuple[Tensor, Canvas]]:
        """Yields batches of images, float in [0, 1], and the canvases that their posterior means are decoded to.

        This is for metrics that need the maps or the reconstructions themselves, which rarely fit into memory at once.
        """
        means = self.mean.float().split(self.batch_size)
        for x, mean in zip(batches(self.images, self.model.device, self.batch_size), means, strict=True):
            with torch.no_grad():
                canvas = self.model.decode(mean)
            yield x, canvas

    def samples(self) -> Iterator[Canvas]:
        """Yields batches of the canvases that N draws z ~ N(0, I) are decoded to."""
        z = torch.randn(len(self.images), self.model.latent_dim, generator=torch.Generator().manual_seed(self.seed))
        for part in z.split(self.batch_size):
            with torch.no_grad():
                canvas = self.model.decode(part)
            yield canvas

    @cached_property
    def _samples(self) -> tuple[Tensor, Tensor]:
        power, first, missing = [], [], MAX_DIRECTIONS
        for canvas in self.samples():
            power.append(high_frequency_power(canvas.image))
            if missing > 0:
                first.append(directions(canvas.image[:missing]))
                missing -= len(first[-1])
        return torch.cat(power), torch.cat(first)

    @cached_property
    @torch.no_grad()
    def _columns(self) -> _Columns:
        rows: list[list[Tensor | None]] = []
        with isolated_randomness(self.model.device):
            torch.manual_seed(self.seed)
            for x in batches(self.images, self.model.device, self.batch_size):
                posterior = self.model.encode(x)
                canvas = self.model.decode(posterior.mean)
                high_energy, energy = map_energies(canvas.masks)
                row = _Columns(
                    mean=posterior.mean,
                    logvar=posterior.logvar,
                    kl=posterior.kl(),
                    mse=_mean_squared_error(canvas.image, x),
                    mse_sampled=_mean_squared_error(self.model.decode(posterior.rsample()).image, x),
                    map_energy_high=high_energy,
                    map_energy=energy,
                    map_variance=canvas.masks.var((-2, -1), correction=0).mean((1, 2)),
                    edge_correlation=edge_correlations(canvas.masks, x),
                    ambiguity=ambiguity(canvas) / x[0].numel(),
                )
                rows.append([None if value is None else value.cpu().double() for value in row])
        columns = zip(*rows, strict=True)
        joined = (None if column[0] is None else torch.cat(column) for column in columns)
        return _Columns(*joined)  # type: ignore[arg-type]  # mypy does not know which columns may be None


def _mean_squared_error(xhat: Tensor, x: Tensor) -> Tensor:
    """Returns the squared error of each image, mean over pixels and channels, shape (B,), in float32."""
    return (xhat.float() - x.float()).square().flatten(1).sum(1) / x[0].numel()
