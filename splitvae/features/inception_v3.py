r"""Inception-v3, the network whose features the Fréchet Inception distance compares, in its two usual versions.

| extractor         | weights                              | last pool | batch normalisation | input                      |
| ----------------- | ------------------------------------ | --------- | ------------------- | -------------------------- |
| `inception`       | TensorFlow's graph of 2015-12-05     | max       | scale and shift     | (255 x - 128) / 128, "tf1" |
| `inception-keras` | Keras's for ImageNet                 | average   | shift               | 2 x - 1, "half-pixel"      |

Both resize an image of any size S to T = 299 by bilinear interpolation without antialiasing, and read the source at

    tf1:         u(i) = i S / T                      TensorFlow 1, inside the graph of 2015
    half-pixel:  u(i) = (i + 1/2) S / T - 1/2        TensorFlow 2 and PyTorch

so that the two differ by a shift of (1 - S / T) / 2 pixels of the source. The features are the last map's mean over
pixels, 2048 numbers. "Average pool" leaves the padding out of the average; the max pool in the last block of the graph
of 2015 is thought to be an error, and is what all published distances were measured with.

References: Rethinking the Inception architecture for computer vision (Szegedy et al., 2015), the network; GANs trained
by a two time-scale update rule converge to a local Nash equilibrium (Heusel et al., 2017), the distance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UserError, nearest
from .base import deterministic_float32, fingerprint
from .inception_weights import KERAS_WEIGHTS, TF2015_WEIGHTS, find_weights, read_keras_h5, read_state_dict

__all__ = ["RESIZES", "FIDInception", "InceptionV3", "KerasInception", "resize_half_pixel", "resize_tf1"]


INPUT_SIDE = 299


Pool = Literal["max", "avg"]


Chain = list[tuple[int, str]]  # outputs and kernel of each layer; of two kernels, outputs are concatenated


# ---------------------------------------------------------------- the network


class FrozenBatchNorm(nn.Module):
    """Batch normalisation by given statistics: weight (x - running_mean) / sqrt(running_var + .001) + bias."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, scale: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels)) if scale else None
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=1e-3)


class ConvNorm(nn.Module):
    """relu(norm(conv(x))) with a kernel "HxW"; of stride 1 it keeps the size unless `valid`, of stride 2 it never pads."""

    def __init__(self, inputs: int, outputs: int, kernel: str, scale: bool, stride: int = 1, valid: bool = False) -> None:
        super().__init__()
        rows, columns = map(int, kernel.split("x"))
        padding = (0, 0) if valid or stride > 1 else (rows // 2, columns // 2)
        self.conv = nn.Conv2d(inputs, outputs, (rows, columns), stride, padding, bias=False)
        self.bn = FrozenBatchNorm(outputs, scale)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class Mixed(nn.Module):
    """Branches side by side, concatenated.

    Each is a chain of layers on the input; that called branch_pool begins with a 3x3 pool of stride 1. A block that
    halves has the last layer of each chain of stride 2, and an unpadded max pool of stride 2 as its last branch.
    Layers are called by branch and number, both of a pair a and b: branch3x3_1, branch3x3_2a, branch3x3_2b; the layer
    of a branch that has no other is called as the branch.
    """

    def __init__(
        self, inputs: int, branches: Mapping[str, Chain], scale: bool, halves: bool = False, pool: Pool = "avg"
    ) -> None:
        super().__init__()
        self.halves, self.pool, self.outputs = halves, pool, inputs if halves else 0
        self.branches: dict[str, list[list[str]]] = {}  # of each branch the layers' names, one or two at each step
        for branch, chain in branches.items():
            self.branches[branch], width = [], inputs
            for step, (outputs, kernels) in enumerate(chain, 1):
                stem = f"{branch}_{step}" if len(chain) > 1 else branch
                pair = kernels.split()
                names = [stem] if len(pair) == 1 else [f"{stem}a", f"{stem}b"]
                stride = 2 if halves and step == len(chain) else 1
                for name, kernel in zip(names, pair, strict=True):
                    self.add_module(name, ConvNorm(width, outputs, kernel, scale, stride))
                self.branches[branch].append(names)
                width = outputs * len(pair)
            self.outputs += width

    def forward(self, x: Tensor) -> Tensor:
        outputs = []
        for branch, steps in self.branches.items():
            y = self._pooled(x) if branch == "branch_pool" else x
            for names in steps:
                parts = [self.get_submodule(name)(y) for name in names]
                y = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
            outputs.append(y)
        if self.halves:
            outputs.append(F.max_pool2d(x, 3, 2))
        return torch.cat(outputs, 1)

    def _pooled(self, x: Tensor) -> Tensor:
        if self.pool == "max":
            return F.max_pool2d(x, 3, 1, padding=1)
        return F.avg_pool2d(x, 3, 1, padding=1, count_include_pad=False)

    def by_depth(self) -> list[str]:
        """The layers from those furthest from the block's output to the nearest, else as they were made.

        A layer is 3 operations, and to concatenate a pair is 1 more.
        """
        distances = {
            name: 3 * (len(steps) - i) + (len(steps[-1]) > 1)
            for steps in self.branches.values()
            for i, names in enumerate(steps)
            for name in names
        }
        return sorted(distances, key=lambda name: -distances[name])


def _block_a(pooled: int) -> dict[str, Chain]:
    return {
        "branch1x1": [(64, "1x1")],
        "branch5x5": [(48, "1x1"), (64, "5x5")],
        "branch3x3dbl": [(64, "1x1"), (96, "3x3"), (96, "3x3")],
        "branch_pool": [(pooled, "1x1")],
    }


_BLOCK_B: dict[str, Chain] = {
    "branch3x3": [(384, "3x3")],
    "branch3x3dbl": [(64, "1x1"), (96, "3x3"), (96, "3x3")],
}


def _block_c(width: int) -> dict[str, Chain]:
    return {
        "branch1x1": [(192, "1x1")],
        "branch7x7": [(width, "1x1"), (width, "1x7"), (192, "7x1")],
        "branch7x7dbl": [(width, "1x1"), (width, "7x1"), (width, "1x7"), (width, "7x1"), (192, "1x7")],
        "branch_pool": [(192, "1x1")],
    }


_BLOCK_D: dict[str, Chain] = {
    "branch3x3": [(192, "1x1"), (320, "3x3")],
    "branch7x7x3": [(192, "1x1"), (192, "1x7"), (192, "7x1"), (192, "3x3")],
}


_BLOCK_E: dict[str, Chain] = {
    "branch1x1": [(320, "1x1")],
    "branch3x3": [(384, "1x1"), (384, "1x3 3x1")],
    "branch3x3dbl": [(448, "1x1"), (384, "3x3"), (384, "1x3 3x1")],
    "branch_pool": [(192, "1x1")],
}


_BLOCKS: dict[str, dict[str, Chain]] = {
    "Mixed_5b": _block_a(32),
    "Mixed_5c": _block_a(64),
    "Mixed_5d": _block_a(64),
    "Mixed_6a": _BLOCK_B,
    "Mixed_6b": _block_c(128),
    "Mixed_6c": _block_c(160),
    "Mixed_6d": _block_c(160),
    "Mixed_6e": _block_c(192),
    "Mixed_7a": _BLOCK_D,
    "Mixed_7b": _BLOCK_E,
    "Mixed_7c": _BLOCK_E,
}


_HALVING_BLOCKS = ("Mixed_6a", "Mixed_7a")


class InceptionV3(nn.Module):
    """Inception-v3 to its last pool: (B, 3, H, W) in [-1, 1], of 75 pixels or more, to (B, 2048).

    With the defaults it has the 472 tensors of the graph of 2015 as published for PyTorch, called as in torchvision;
    the classifier `fc` among them is never used.

    Arguments:
        last_pool: the pool of stride 1 in Mixed_7c.
        scale: whether batch normalisation has a weight.
        classes: outputs of `fc`; 0 leaves it away.
    """

    def __init__(self, last_pool: Pool = "max", scale: bool = True, classes: int = 1008) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = ConvNorm(3, 32, "3x3", scale, stride=2)
        self.Conv2d_2a_3x3 = ConvNorm(32, 32, "3x3", scale, valid=True)
        self.Conv2d_2b_3x3 = ConvNorm(32, 64, "3x3", scale)
        self.Conv2d_3b_1x1 = ConvNorm(64, 80, "1x1", scale)
        self.Conv2d_4a_3x3 = ConvNorm(80, 192, "3x3", scale, valid=True)
        width = 192
        for name, branches in _BLOCKS.items():
            block = Mixed(width, branches, scale, name in _HALVING_BLOCKS, last_pool if name == "Mixed_7c" else "avg")
            self.add_module(name, block)
            width = block.outputs
        if classes:
            self.fc = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = F.max_pool2d(x, 3, 2)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = F.max_pool2d(x, 3, 2)
        for name in _BLOCKS:
            x = self.get_submodule(name)(x)
        return x.mean((2, 3))

    def by_depth(self) -> Iterator[str]:
        """The names of the 94 layers in the order in which Keras lists, saves and loads those of its own."""
        for name, child in self.named_children():
            if isinstance(child, ConvNorm):
                yield name
            elif isinstance(child, Mixed):
                yield from (f"{name}.{layer}" for layer in child.by_depth())


# ---------------------------------------------------------------- images to 299x299


def resize_tf1(x: Tensor) -> Tensor:
    """Images (B, C, H, W) to 299x299 as TensorFlow 1 resizes: bilinear, u(i) = i S / 299, without antialiasing.

    Columns first, then rows, with positions in float32: operation by operation TensorFlow's.
    """
    for axis in (3, 2):
        last = x.shape[axis] - 1
        u = torch.arange(INPUT_SIDE, dtype=torch.float32, device=x.device) * (x.shape[axis] / INPUT_SIDE)
        low = u.long()
        weight = (u - low).to(x.dtype).view(-1, *(1,) * (3 - axis))
        left, right = x.index_select(axis, low), x.index_select(axis, (low + 1).clamp_max(last))
        x = left + (right - left) * weight
    return x


def resize_half_pixel(x: Tensor) -> Tensor:
    """Images (B, C, H, W) to 299x299: bilinear, u(i) = (i + 1/2) S / 299 - 1/2, without antialiasing."""
    return F.interpolate(x, (INPUT_SIDE, INPUT_SIDE), mode="bilinear", align_corners=False, antialias=False)


def _tf1_input(x: Tensor) -> Tensor:
    return (255 * resize_tf1(x) - 128) / 128


def _half_pixel_input(x: Tensor) -> Tensor:
    return 2 * resize_half_pixel(x) - 1


RESIZES = {"tf1": _tf1_input, "half-pixel": _half_pixel_input}  # from [0, 1] to what the network reads


# ---------------------------------------------------------------- extractors


class _Inception(nn.Module):
    """Features (B, 2048), float32, of float images (B, C, H, W) in [0, 1] with one channel or three.

    It is always in evaluation mode, and computes without gradients or autocast.

    Attributes:
        name: what it is called.
        dim: 2048.
        note: one line, what numbers from it are comparable with.
        fingerprint: 16 hex digits of the SHA-256 of its weights, name and resize.
    """

    name: str
    dim = 2048

    def __init__(self, net: InceptionV3, state: Mapping[str, Tensor], resize: str, note: str, published: bool) -> None:
        super().__init__()
        net.load_state_dict(state, assign=True)
        # Silenced: torch's stubs lack this overload.
        net.requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.net, self.resize = net, resize
        self.note = (
            note if published else "Inception with weights that are not the published ones: comparable with no other"
        )
        self.fingerprint = fingerprint(net, self.name, resize)
        self.eval()

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation mode."""
        return super().train(False)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1] not in (1, 3) or not x.is_floating_point():
            raise UserError(
                f"{self.name} reads float images in [0, 1] of shape (B, 1, H, W) or (B, 3, H, W), "
                f"not {x.dtype} of shape {tuple(x.shape)}."
            )
        with deterministic_float32(x.device):
            x = RESIZES[self.resize](x.float()).expand(-1, 3, -1, -1)  # gray is repeated
            return self.net(x)


class FIDInception(_Inception):
    """The Inception network of the Fréchet Inception distance, with the weights of the graph of 2015.

    Arguments:
        weights: a file that holds them; by default the published one, from the cache or the network.
        resize: "tf1" as the graph itself does, or "half-pixel" as pytorch-fid does.

    Raises:
        UserError: for another resize, weights that cannot be had, or a file that is none of them.
    """

    name = "inception"

    def __init__(self, weights: Path | None = None, resize: str = "tf1") -> None:
        if resize not in RESIZES:
            raise UserError(f"no resize is called {resize!r}; {nearest(resize, RESIZES)}")
        file, published = find_weights(TF2015_WEIGHTS, weights)
        like = "TTUR and torch-fidelity" if resize == "tf1" else "pytorch-fid"
        note = f"Inception of 2015, resize {resize}: comparable with distances by {like} of the same images"
        with torch.device("meta"):  # no values, which would take random numbers
            net = InceptionV3()
        super().__init__(net, read_state_dict(file, net.state_dict()), resize, note, published)


class KerasInception(_Inception):
    """Keras's Inception network for ImageNet, whose features the Split-VAE paper's distances compare.

    Arguments:
        weights: an .h5 file that holds them; by default the published one, from the cache or the network.

    Raises:
        UserError: for weights that cannot be had, or a file that is none of them; where h5py is not installed.
    """

    name = "inception-keras"

    def __init__(self, weights: Path | None = None) -> None:
        file, published = find_weights(KERAS_WEIGHTS, weights)
        note = "Keras's Inception: comparable with the Split-VAE paper's distances, not with those of the graph of 2015"
        with torch.device("meta"):
            net = InceptionV3("avg", scale=False, classes=0)
        super().__init__(net, read_keras_h5(file, net.state_dict(), list(net.by_depth())), "half-pixel", note, published)
