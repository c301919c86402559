"""What a network is: settings that build an encoder (B, C, H, W) -> (B, F) and a decoder (B, D) -> (B, outputs, H, W)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ..errors import UserError
from ..utils.settings import Settings
from .layers import SIDES

__all__ = ["EncoderDecoder", "Network"]


class EncoderDecoder(NamedTuple):
    """The two halves of a network.

    encoder: A module (B, C, H, W) -> (B, F) whose attribute `features` is F.
    decoder: A module (B, D) -> (B, outputs, H, W) whose last layer is its attribute `head`.
    """

    encoder: nn.Module
    decoder: nn.Module


@dataclass(frozen=True)
class Network(Settings):
    """The base of every network's settings; a subclass has a `name`, its sizes as fields, and `build`."""

    sides: ClassVar[tuple[int, ...]] = SIDES  # of the images that it reads and generates, in pixels
    normalises_decoder: ClassVar[bool] = True  # whether `spectral_norm` concerns the decoder too

    def __post_init__(self) -> None:
        super().__post_init__()
        for option, value in self.options().items():
            if option == "kernel" and value < 2:
                raise UserError(f"kernel={value} cannot double a map; it must be at least 2 (3 in the paper).")
            if isinstance(value, int) and value < 1:
                raise UserError(f"{option}={value} leaves nothing of the network; it must be at least 1.")

    def build(self, shape: tuple[int, int, int], latent_dim: int, outputs: int) -> EncoderDecoder:
        """Returns an untrained encoder and decoder.

        Arguments:
            shape: The shape (C, H, W) of an image.
            latent_dim: The dimension D of the latent.
            outputs: The number of channels of the decoder's logits.

        Raises:
            UserError: For a side of images that the network does not reach.
        """
        raise NotImplementedError

    def normalise_spectra(self, encoder: nn.Module, decoder: nn.Module) -> None:
        """Divides every dense and convolutional weight by its largest singular value (Miyato et al., 2018)."""
        for module in (encoder, decoder) if self.normalises_decoder else (encoder,):
            for layer in list(module.modules()):
                if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                    spectral_norm(layer)
