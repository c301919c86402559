"""The IntroVAE's networks: exact sizes, the order of a block's layers, every side."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from splitvae.errors import UserError
from splitvae.models.latents import GaussianHead
from splitvae.networks.introvae import (
    INTROVAE_SIDES,
    IntroDecoder,
    IntroEncoder,
    NormedBlock,
    PlainBlock,
    intro_widths,
)
from splitvae.networks.layers import Upsample2x


def count(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


def test_widths_are_the_authors_tables() -> None:
    assert intro_widths(256, 32) == [32, 64, 128, 256, 512, 512]
    assert intro_widths(1024, 16) == [16, 32, 64, 128, 256, 512, 512, 512]
    assert intro_widths(256, 64) == [64, 128, 256, 512, 512, 512]
    assert intro_widths(128, 64) == [64, 128, 256, 512, 512]
    assert intro_widths(32, 64) == [64, 128, 256]
    assert intro_widths(256, 16, most=256) == [16, 32, 64, 128, 256, 256]
    assert intro_widths(32, 600) == [600, 600, 600]  # a first number above the cap is kept


def test_the_official_network_has_exactly_its_parameters() -> None:
    widths = intro_widths(256, 32)
    with torch.device("meta"):
        encoder, latent = IntroEncoder(3, 256, widths), GaussianHead(16 * 512, 512)
        decoder = IntroDecoder(512, 3, 256, widths)
    assert count(encoder, latent) == 22_711_456  # the official linear layer to 2 x 512 is our two heads
    assert count(decoder) == 16_190_819


def test_the_readmes_network_has_exactly_the_parameters_of_its_table() -> None:
    """[out, kernel, stride, pool] as in the public params.py, without the projections between equal channel numbers."""
    widths = intro_widths(256, 16, most=256)
    with torch.device("meta"):
        encoder, decoder = IntroEncoder(3, 256, widths, norm=None), IntroDecoder(512, 3, 256, widths, norm=None)

    def conv(a: int, b: int, kernel: int) -> int:
        return kernel * kernel * a * b + b

    def block(a: int, b: int) -> int:
        return (conv(a, b, 1) if a != b else 0) + 2 * conv(b, b, 3)

    dense = 4096 * 4096 + 4096
    down = conv(3, 16, 5) + block(16, 32) + block(32, 64) + block(64, 128) + block(128, 256) + 2 * block(256, 256)
    up = 3 * block(256, 256) + block(256, 128) + block(128, 64) + block(64, 32) + conv(32, 3, 5)
    assert count(encoder) == down + dense
    assert count(decoder) == 512 * 4096 + 4096 + dense + up


def test_the_official_block_normalises_after_the_addition() -> None:
    block, x = NormedBlock(3, 5).eval(), torch.randn(2, 3, 4, 4)
    for norm in block.norms:
        norm.running_mean, norm.running_var = torch.randn(5), torch.rand(5) + 0.5
    y = F.conv2d(x, block.first.weight, padding=1)
    y = F.conv2d(F.leaky_relu(normalised(y, block.norms[0]), 0.2), block.second.weight, padding=1)
    y = F.leaky_relu(normalised(y + F.conv2d(x, block.expand.weight), block.norms[1]), 0.2)
    torch.testing.assert_close(block(x), y)


def normalised(y: torch.Tensor, norm: nn.BatchNorm2d) -> torch.Tensor:
    mean, var = (v.view(-1, 1, 1) for v in (norm.running_mean, norm.running_var))
    return (y - mean) / (var + norm.eps).sqrt()


def test_the_plain_block_adds_the_rectified_projection() -> None:
    block, x = PlainBlock(3, 5), torch.randn(2, 3, 4, 4)
    b = F.leaky_relu(block.expand[0](x), 0.2)
    y = F.leaky_relu(block.second(F.leaky_relu(block.first(b), 0.2)), 0.2) + b
    torch.testing.assert_close(block(x), y)


@pytest.mark.parametrize("kind", [NormedBlock, PlainBlock])
def test_a_block_changes_channels_by_a_projection_and_keeps_equal_ones(kind: type[nn.Module]) -> None:
    kernels = [m.kernel_size for m in kind(4, 6).modules() if isinstance(m, nn.Conv2d)]
    assert sorted(kernels) == [(1, 1), (3, 3), (3, 3)]
    assert isinstance(kind(4, 4).expand, nn.Identity)


def test_doubling_repeats_and_the_mean_halves_back() -> None:
    x = torch.randn(2, 3, 4, 4)
    assert torch.equal(Upsample2x()(x), x.repeat_interleave(2, 2).repeat_interleave(2, 3))
    torch.testing.assert_close(F.avg_pool2d(Upsample2x()(x), 2), x)


@pytest.mark.parametrize("norm", ["batch", "group", None])
@pytest.mark.parametrize("side", INTROVAE_SIDES)
def test_every_side_is_encoded_and_generated(side: int, norm: str | None) -> None:
    widths = intro_widths(side, 1, most=2)
    encoder, decoder = IntroEncoder(1, side, widths, norm).eval(), IntroDecoder(3, 3, side, widths, norm).eval()
    with torch.no_grad():
        assert encoder(torch.rand(1, 1, side, side)).shape == (1, encoder.features)
        assert decoder(torch.randn(1, 3)).shape == (1, 3, side, side)


@pytest.mark.parametrize("norm", ["batch", "group", None])
def test_gradients_reach_every_parameter(norm: str | None) -> None:
    widths = intro_widths(32, 4)
    encoder, decoder = IntroEncoder(1, 32, widths, norm), IntroDecoder(5, 3, 32, widths, norm)
    features = encoder(torch.rand(4, 1, 32, 32))
    (features.square().sum() + decoder(features[:, :5]).square().sum()).backward()
    missing = [
        n for m in (encoder, decoder) for n, p in m.named_parameters() if p.grad is None or not p.grad.isfinite().all()
    ]
    assert missing == []


@pytest.mark.parametrize("norm", ["batch", "group", None])
def test_the_head_is_linear_and_the_last_layer(norm: str | None) -> None:
    decoder, z = IntroDecoder(5, 3, 16, [4, 8], norm).eval(), torch.randn(2, 5)
    with torch.no_grad():
        before = decoder(z)
        decoder.head.weight.mul_(-2)
        decoder.head.bias.mul_(-2)
    torch.testing.assert_close(decoder(z), -2 * before)


@pytest.mark.parametrize("norm", ["batch", "group", None])
def test_a_network_has_its_normalisation_everywhere_or_nowhere(norm: str | None) -> None:
    nets = IntroEncoder(1, 32, [4, 8, 16], norm), IntroDecoder(5, 1, 32, [4, 8, 16], norm)
    kinds = [type(m) for net in nets for m in net.modules() if isinstance(m, nn.BatchNorm2d | nn.GroupNorm)]
    kind = {"batch": nn.BatchNorm2d, "group": nn.GroupNorm, None: None}[norm]
    assert kinds == ([kind] * (1 + 2 * 3 + 2 * 4) if norm else [])


@pytest.mark.parametrize("side", [8, 28, 48, 2048])
def test_impossible_sides_are_refused_with_the_possible_ones(side: int) -> None:
    with pytest.raises(UserError, match=f"16, 32, 64, 128, 256, 512 or 1024, not {side}"):
        intro_widths(side, 4)
    with pytest.raises(UserError, match="pad or resize"):
        IntroEncoder(1, side, [4, 8])


@pytest.mark.parametrize("widths", [[4, 8], [4, 8, 16, 32], [4, 0, 16]])
def test_channel_numbers_of_another_side_are_refused(widths: list[int]) -> None:
    for make in (lambda: IntroEncoder(1, 32, widths), lambda: IntroDecoder(5, 1, 32, widths)):
        with pytest.raises(UserError, match="3 numbers of at least 1 for side=32"):
            make()
