"""The base of all networks: settings that build an encoder and a decoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ..errors import UserError, setting
from ..utils.settings import Settings
from .layers import SIDES

__all__ = ["EncoderDecoder", "Network"]


class EncoderDecoder(NamedTuple):
    """The two halves of a network.

    Arguments:
        encoder: A module that maps images (B, C, H, W) to features (B, F); its attribute `features` is F.
        decoder: A module that maps latents (B, D) to logits (B, outputs, H, W); its attribute `head` is its last layer.
    """

    encoder: nn.Module
    decoder: nn.Module


@dataclass(frozen=True)
class Network(Settings):
    """The base of every network's settings; a subclass has a `name`, its sizes as fields, and `build`."""

    sides: ClassVar[tuple[int, ...]] = SIDES  # the sides of the images that it can encode and decode, in pixels
    normalises_decoder: ClassVar[bool] = True  # whether `normalise_spectra` changes the decoder too
    width_field: ClassVar[str] = "width"  # the field that makes the decoder larger (models/separate.py)

    def __post_init__(self) -> None:
        super().__post_init__()
        for option, value in self.options().items():
            if option == "kernel" and value < 2:
                raise UserError(
                    f"{setting('kernel', value)} cannot double the side of a map; it must be at least 2 (3 in the paper)."
                )
            if isinstance(value, int) and value < 1:
                raise UserError(f"{setting(option, value)} leaves nothing of the network; it must be at least 1.")

    def build(self, shape: tuple[int, int, int], latent_dim: int, outputs: int) -> EncoderDecoder:
        """Returns an untrained encoder and decoder.

        Arguments:
            shape: The shape (C, H, W) of an image.
            latent_dim: The dimension D of the latent.
            outputs: The number of channels of the decoder's logits.

        Raises:
            UserError: For images of a side for which the network cannot be built.
        """
        raise NotImplementedError

    def normalise_spectra(self, encoder: nn.Module, decoder: nn.Module) -> None:
        """Makes each dense and convolutional layer divide its weight by the weight's largest singular value.

        Reference: Spectral normalization for generative adversarial networks (Miyato et al., 2018).
        https://arxiv.org/abs/1802.05957

        Arguments:
            encoder: The encoder, which is changed in place.
            decoder: The decoder, which is changed in place unless `normalises_decoder` is False.
        """
        for module in (encoder, decoder) if self.normalises_decoder else (encoder,):
            for layer in list(module.modules()):
                if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                    spectral_norm(layer)
