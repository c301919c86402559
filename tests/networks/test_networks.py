"""The networks: exact sizes, TensorFlow's alignment, Glorot initialisation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import splitvae
from splitvae.errors import UserError
from splitvae.networks.base import Network
from splitvae.networks.layers import Down, Up, build_norm
from splitvae.networks.registry import NETWORKS
from splitvae.networks.residual import Residual, ResidualDecoder, ResidualEncoder

Sized = Callable[..., Network]  # the fixture that makes a network of given sizes

COUNTS = {  # the paper's tables: trainable for MNIST, total for CIFAR-10 and CelebA
    "mnist-svae": (12_793_667, 12_799_299),
    "cifar10-svae": (13_055_511, 13_061_143),
    "celeba-svae": (28_981_683, 28_989_363),
    "mnist-vae": (None, 12_798_145),
    "cifar10-vae": (None, 13_058_835),
    "celeba-vae": (None, 28_987_055),
}


@pytest.mark.parametrize("name", COUNTS)
def test_presets_have_exactly_the_papers_parameter_counts(name: str) -> None:
    trainable, total = COUNTS[name]
    counts = splitvae.create(name).counts()
    assert counts["total"] == total
    assert trainable in (None, counts["trainable"])


BASELINES = {  # of public code: RAE for MNIST, CIFAR-10 and CelebA, and the two-stage VAE's "resnet" for CIFAR-10
    "mnist-rae-l2-own": 22_695_057,
    "cifar10-rae-gp-own": 30_506_243,
    "celeba-rae-l2-own": 39_748_163,
}


@pytest.mark.parametrize("name", BASELINES)
def test_regularized_autoencoders_have_the_counts_of_their_public_code(name: str) -> None:
    assert splitvae.create(name).counts()["total"] == BASELINES[name]


def test_the_two_stage_network_has_the_count_of_the_papers_tables() -> None:
    vae = splitvae.VAE((3, 32, 32), latent_dim=64, split=1, width=64, net="two-stage")
    assert vae.counts()["total"] == 27_766_275


@pytest.mark.parametrize("net", NETWORKS)
@pytest.mark.parametrize("side", [16, 32, 64, 128])
def test_every_network_generates_every_side(net: str, side: int, sized: Sized) -> None:
    vae = splitvae.VAE((3, side, side), 5, 2, sized(net, width=4, kernel=4, embedding=16)).eval()
    assert vae.sample(2).images.shape == (2, 2, 3, side, side)


@pytest.mark.parametrize("doubling", ["nearest", "bilinear"])
def test_a_constant_map_stays_constant_where_a_transposed_convolution_draws_a_checkerboard(doubling: str) -> None:
    def checkerboard(decoder: nn.Module) -> float:
        """The range of the logits of a first map of ones, in the middle, where no border is near."""
        first = torch.ones(1, 32, 16, 16)
        middle = decoder.head(decoder.scales(first))[..., 126:130, 126:130]
        return float((middle.amax((2, 3)) - middle.amin((2, 3))).max().detach() / middle.abs().max().detach())

    torch.manual_seed(0)
    smooth = NETWORKS["upsampled"](width=8, doubling=doubling).build((3, 64, 64), 5, 3).decoder
    assert checkerboard(smooth) < 1e-5
    assert checkerboard(NETWORKS["higgins"](width=16).build((3, 64, 64), 5, 3).decoder) > 0.1


def test_dense_layers_begin_at_the_smallest_map() -> None:
    for side, maps in ((2, 32), (16, 16)):
        built = NETWORKS["upsampled"](width=8, smallest_map=side).build((3, 64, 64), 5, 3)
        assert built.decoder.expand[-2].out_features == built.encoder.layers[-2].in_features == side**2 * maps
        assert built.decoder(torch.zeros(1, 5)).shape == (1, 3, 64, 64)
    for side in (64, 12):
        with pytest.raises(UserError, match=f"smallest_map={side} is no half, quarter or eighth .* 64 pixels; use 16"):
            NETWORKS["upsampled"](smallest_map=side).build((3, 64, 64), 5, 3)


def test_spectra_are_normalised_and_survive_saving(tmp_path: Path) -> None:
    vae = splitvae.VAE((1, 16, 16), 5, 2, width=8, scales=3, embedding=16, spectral_norm=True)
    for _ in range(30):  # of power iteration
        vae(torch.rand(4, 1, 16, 16))
    vae.eval()
    layers = [m for m in vae.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
        torch.testing.assert_close(largest, torch.ones(()), atol=0.02, rtol=0)
    vae.save_pretrained(tmp_path)
    loaded, x = splitvae.VAE.from_pretrained(tmp_path), torch.rand(2, 1, 16, 16)
    assert torch.equal(loaded.reconstruct(x).image, vae.reconstruct(x).image)


@pytest.mark.parametrize(("name", "total"), [("mnist", 12_800_453), ("cifar10", 13_063_451), ("celeba", 28_991_671)])
def test_three_components_cost_one_more_image_and_map(name: str, total: int) -> None:
    assert splitvae.create(f"{name}-svae", split=3).counts()["total"] == total


def closed_form(c: int, side: int, latent: int, k: int, b: int, n: int, blocks: int, d: int, e: int, split: int) -> int:
    """The total as a formula of the hyperparameters (BatchNorm with its statistics)."""

    def conv(a: int, o: int) -> int:
        return k * k * a * o + o

    def residual(a: int) -> int:
        return (d + 1) * conv(a, a) + 4 * d * a

    def dense(a: int) -> int:
        return 4 * a + a * e + e + (d - 1) * (4 * e + e * e + e) + a * e + e

    widths = [min(b * 2**i, 1024) for i in range(int(math.log2(side)) - 1)][::-1]
    encoder = conv(c, b) + sum(blocks * residual(b * 2**i) + conv(b * 2**i, b * 2 ** (i + 1)) for i in range(n - 1))
    encoder += dense(b * 2 ** (n - 1)) + (blocks - 1) * dense(e)
    heads = 3 * e * latent + 2 * latent + e
    decoder = 16 * widths[0] * (e + 1) + conv(widths[-1], split * c + split - 1)
    decoder += sum(conv(a, o) + blocks * residual(o) for a, o in itertools.pairwise(widths))
    return encoder + heads + decoder


@pytest.mark.parametrize("side", [16, 32, 64, 128])
@pytest.mark.parametrize(("blocks", "depth", "kernel", "scales"), [(1, 2, 3, 4), (2, 1, 5, 3), (1, 3, 2, 2), (3, 2, 4, 1)])
def test_counts_follow_the_closed_form_for_every_hyperparameter(
    side: int, blocks: int, depth: int, kernel: int, scales: int
) -> None:
    vae = splitvae.VAE((3, side, side), 7, 2, Residual(8, scales, blocks, depth, kernel, embedding=24))
    assert vae.counts()["total"] == closed_form(3, side, 7, kernel, 8, scales, blocks, depth, 24, 2)
    canvas = vae(torch.rand(2, 3, side, side))
    assert canvas.image.shape == (2, 3, side, side)
    assert canvas.masks.shape == (2, 2, 1, side, side)


def same_conv(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """TensorFlow's definition of a stride-2 'same' convolution, by loops: x (C, H, W), w (O, C, k, k)."""
    k, (_, h, wd) = w.shape[-1], x.shape
    before = max(k - 2, 0) // 2
    y = np.zeros((len(w), h // 2, wd // 2))
    for i in range(h // 2):
        for j in range(wd // 2):
            for u in range(k):
                for v in range(k):
                    r, s = 2 * i + u - before, 2 * j + v - before
                    if 0 <= r < h and 0 <= s < wd:
                        y[:, i, j] += w[:, :, u, v] @ x[:, r, s]
    return y


@pytest.mark.parametrize("kernel", [2, 3, 4, 5])
def test_down_is_aligned_as_tensorflow_same(kernel: int) -> None:
    layer, x = Down(2, 3, kernel).double(), torch.randn(1, 2, 8, 8).double()
    nn.init.zeros_(layer.bias)
    np.testing.assert_allclose(layer(x)[0].detach(), same_conv(x[0].numpy(), layer.weight.detach().numpy()), atol=1e-12)


@pytest.mark.parametrize("kernel", [2, 3, 4, 5])
def test_up_is_the_adjoint_of_down_as_in_tensorflow(kernel: int) -> None:
    down, up = Down(2, 3, kernel).double(), Up(3, 2, kernel).double()
    with torch.no_grad():
        up.weight.copy_(down.weight)
        down.bias.zero_()
        up.bias.zero_()
    x, y = torch.randn(1, 2, 8, 8).double(), torch.randn(1, 3, 4, 4).double()
    torch.testing.assert_close((down(x) * y).sum(), (x * up(y)).sum())


def test_up_adds_its_bias_once() -> None:
    up = Up(1, 2, 3)
    with torch.no_grad():
        up.bias.copy_(torch.tensor([1.0, -2.0]))
    torch.testing.assert_close(up(torch.zeros(1, 1, 4, 4))[0, :, 3, 3], torch.tensor([1.0, -2.0]))


def test_weights_start_glorot_uniform_and_biases_at_zero() -> None:
    for net in (ResidualEncoder(1, 32, Residual(width=16)), ResidualDecoder(8, 3, 32, Residual(width=16))):
        for module in net.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                area = module.weight[0, 0].numel()
                limit = math.sqrt(6 / ((module.weight.shape[0] + module.weight.shape[1]) * area))
                assert module.weight.abs().max() <= limit
                assert module.weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.15)
                assert not module.bias.any()


def test_batchnorm_has_the_papers_momentum_and_epsilon() -> None:
    norms = [m for m in splitvae.create("mnist-svae", width=4).modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert {(m.momentum, m.eps) for m in norms} == {(1e-3, 1e-5)}


@pytest.mark.parametrize(
    ("net", "eps", "momentum"), [("rae", 1e-3, 1e-2), ("infogan", 1e-5, 1e-3), ("two-stage", 1e-5, 1e-3)]
)
def test_batchnorm_of_the_baselines_is_that_of_their_public_code(net: str, eps: float, momentum: float) -> None:
    vae = splitvae.VAE((1, 32, 32), latent_dim=4, net=net, width=4)
    norms = [layer for layer in vae.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert len(norms) > 4
    assert {(layer.eps, layer.momentum) for layer in norms} == {(eps, momentum)}


def test_gradients_reach_every_parameter() -> None:
    vae = splitvae.create("digits-svae", width=4)
    vae(torch.rand(4, 1, 16, 16)).image.sum().backward()
    assert [name for name, p in vae.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"shape": (1, 28, 28)}, "16, 32, 64 or 128, not 28"),
        ({"shape": (1, 32, 16)}, "not (channels, side, side)"),
        ({"shape": (1, 32, 32), "scales": 6}, "scales=5"),
        ({"shape": (1, 32, 32), "latent_dim": 0}, "latent_dim=0"),
        ({"shape": (1, 32, 32), "kernel": 1}, "kernel=1"),
        ({"shape": (1, 32, 32), "split": 0}, "split=0"),
        ({"shape": (1, 32, 32), "net": "resne"}, "did you mean 'resnet'"),
        ({"shape": (1, 32, 32), "latent": "gausian"}, "gaussian"),
        ({"shape": (1, 16, 16), "net": "rae", "scales": 5}, "scales=4"),
    ],
)
def test_impossible_networks_are_refused_in_one_sentence(arguments: dict, words: str) -> None:
    with pytest.raises(UserError) as error:
        splitvae.VAE(**arguments)
    assert words in str(error.value)


@pytest.mark.parametrize("net", ["resnet", "two-stage", "intro"])
def test_with_group_norm_a_batch_decides_nothing(net: str) -> None:
    vae = splitvae.VAE((1, 16, 16), 5, net=net, norm="group", width=12).train()
    counts = splitvae.VAE((1, 16, 16), 5, net=net, width=12).counts()
    assert vae.counts() == {"trainable": counts["trainable"], "total": counts["trainable"]}
    x, z = torch.rand(4, 1, 16, 16), torch.randn(4, 5)
    together = vae.decode(z).image, vae.encode(x).mean
    alone = vae.decode(z[:1]).image, vae.encode(x[:1]).mean
    vae.eval()
    for a, b, c in zip(together, alone, (vae.decode(z).image, vae.encode(x).mean), strict=True):
        torch.testing.assert_close(a[:1], b, rtol=1e-3, atol=1e-5)
        assert torch.equal(a, c)


def test_channels_that_no_eight_divide_are_grouped_too() -> None:
    groups = {c: build_norm("group", c).num_groups for c in (1, 8, 12, 16, 20, 64, 512)}
    assert groups == {1: 1, 8: 1, 12: 1, 16: 2, 20: 2, 64: 8, 512: 64}
