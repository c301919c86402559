"""Networks by name: each makes an encoder (B, C, H, W) -> (B, features) and a decoder (B, D) -> (B, outputs, H, W).

An encoder says its number of `features`; a decoder ends with its `head`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ..errors import UserError, nearest
from .dense import DenseDecoder, DenseEncoder
from .introvae import IntroDecoder, IntroEncoder, intro_widths
from .layers import check_side
from .residual import ResidualDecoder, ResidualEncoder, TwoStageDecoder, TwoStageEncoder
from .strided import StridedDecoder, StridedEncoder

__all__ = ["NETS", "Plan", "build", "normalise_spectra"]


class Plan(NamedTuple):
    """Sizes of a network, as in `VAE`; each net reads those it has."""

    shape: tuple[int, int, int]
    latent_dim: int
    outputs: int
    width: int
    scales: int
    blocks: int
    depth: int
    kernel: int
    embedding: int


Pair = tuple[nn.Module, nn.Module]


def resnet(p: Plan) -> Pair:
    """The Split-VAE paper's (residual_nets.py)."""
    (channels, side, _), sizes = p.shape, (p.blocks, p.depth, p.kernel, p.embedding)
    return (
        ResidualEncoder(channels, side, p.width, p.scales, *sizes),
        ResidualDecoder(p.latent_dim, p.outputs, side, p.width, *sizes),
    )


def two_stage(p: Plan) -> Pair:
    """Dai and Wipf's residual network (residual_nets.py)."""
    (channels, side, _), sizes = p.shape, (p.blocks, p.depth, p.kernel)
    return (
        TwoStageEncoder(channels, side, p.width, p.scales, *sizes, p.embedding),
        TwoStageDecoder(p.latent_dim, p.outputs, side, p.width, *sizes),
    )


def rae(p: Plan) -> Pair:
    """The regularized autoencoders' (strided_nets.py); the decoder starts from 8x8."""
    channels, side, _ = p.shape
    widths = [p.width * 2**i for i in range(p.scales)]
    encoder = StridedEncoder(channels, side, widths, p.kernel, signed=True)
    painted = [max(1, p.width * 8 // 2**i) for i in range(side.bit_length() - 3)]
    return encoder, StridedDecoder(p.latent_dim, p.outputs, 8, painted, p.kernel, doubling=False)


def infogan(p: Plan) -> Pair:
    """Dai and Wipf's default (strided_nets.py)."""
    channels, side, _ = p.shape
    encoder = StridedEncoder(channels, side, [p.width, 2 * p.width], p.kernel, p.embedding, slope=0.2, first_norm=False)
    return encoder, StridedDecoder(p.latent_dim, p.outputs, side // 4, [2 * p.width, p.width], p.kernel, p.embedding)


def higgins(p: Plan) -> Pair:
    """The beta-VAE's (strided_nets.py), down to 4x4."""
    channels, side, _ = p.shape
    check_side(side)
    count = side.bit_length() - 3
    widths = [p.width if i < count / 2 else 2 * p.width for i in range(count)]
    encoder = StridedEncoder(channels, side, widths, p.kernel, p.embedding, norm=False)
    return encoder, StridedDecoder(p.latent_dim, p.outputs, 4, widths[::-1], p.kernel, p.embedding, norm=False)


def mlp(p: Plan) -> Pair:
    """The Multi-Level VAE's (dense_nets.py), with `embedding` hidden units."""
    return DenseEncoder(p.shape, p.embedding), DenseDecoder(p.latent_dim, p.outputs, p.shape[1], p.embedding)


def intro(p: Plan) -> Pair:
    """The IntroVAE's (introspective_nets.py)."""
    (channels, side, _), widths = p.shape, intro_widths(p.shape[1], p.width)
    return IntroEncoder(channels, side, widths), IntroDecoder(p.latent_dim, p.outputs, side, widths)


def intro_plain(p: Plan) -> Pair:
    """yukunchen113's, without BatchNorm (introspective_nets.py)."""
    (channels, side, _), widths = p.shape, intro_widths(p.shape[1], p.width, most=256)
    return IntroEncoder(channels, side, widths, norm=False), IntroDecoder(p.latent_dim, p.outputs, side, widths, norm=False)


NETS: dict[str, Callable[[Plan], Pair]] = {
    "resnet": resnet,
    "two-stage": two_stage,
    "rae": rae,
    "infogan": infogan,
    "higgins": higgins,
    "mlp": mlp,
    "intro": intro,
    "intro-plain": intro_plain,
}


def build(net: str, plan: Plan) -> Pair:
    """The encoder and the decoder of a network; raises UserError for unknown names and sizes that leave nothing."""
    if net not in NETS:
        raise UserError(f"no network is called {net!r}; {nearest(net, NETS)}")
    sizes = plan._asdict()
    for name in ("latent_dim", "width", "scales", "blocks", "depth", "embedding"):
        if sizes[name] < 1:
            raise UserError(f"{name}={sizes[name]} leaves nothing of the network; it must be at least 1.")
    if plan.kernel < 2:
        raise UserError(f"kernel={plan.kernel} cannot double a map; it must be at least 2 (3 in the paper).")
    return NETS[net](plan)


ENCODER_ONLY = ("infogan",)  # nets whose authors normalise the encoder alone


def normalise_spectra(net: str, encoder: nn.Module, decoder: nn.Module) -> None:
    """Divides every dense and convolutional weight by its largest singular value (Miyato et al., 2018)."""
    normalised = [encoder] if net in ENCODER_ONLY else [encoder, decoder]
    for layer in [layer for module in normalised for layer in module.modules()]:
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            spectral_norm(layer)
