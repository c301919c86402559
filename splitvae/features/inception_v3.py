r"""The network Inception-v3 up to its last pool, in the two versions whose features distances are measured in.

| weights                              | last pool | batch normalisation | input  (inception_extractors.py)      |
| ------------------------------------ | --------- | ------------------- | ------------------------------------- |
| TensorFlow's graph of 2015-12-05     | max       | scale and shift     | (255 x - 128) / 128, resize "tf1"     |
| Keras's for ImageNet                 | average   | shift               | 2 x - 1, resize "pytorch-fid"         |

The features are the mean over pixels of the last map, 2048 numbers. The average pool leaves the padding out of the average.
The max pool in the last block of the graph of 2015 is thought to be an error, but all published distances were measured
with it.

Reference:
    C. Szegedy et al., Rethinking the Inception architecture for computer vision, 2015, https://arxiv.org/abs/1512.00567
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["InceptionV3"]

Pool = Literal["max", "avg"]
Chain = list[tuple[int, str]]  # the outputs and the kernel of each layer; of two kernels, the outputs are concatenated


class FrozenBatchNorm(nn.Module):
    """Batch normalisation by fixed statistics: weight (x - running_mean) / sqrt(running_var + 0.001) + bias."""

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
    """relu(norm(conv(x))) with a kernel "HxW". Stride 1 keeps the size unless `valid`; stride 2 never pads."""

    def __init__(self, inputs: int, outputs: int, kernel: str, scale: bool, stride: int = 1, valid: bool = False) -> None:
        super().__init__()
        rows, columns = map(int, kernel.split("x"))
        padding = (0, 0) if valid or stride > 1 else (rows // 2, columns // 2)
        self.conv = nn.Conv2d(inputs, outputs, (rows, columns), stride, padding, bias=False)
        self.bn = FrozenBatchNorm(outputs, scale)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class Mixed(nn.Module):
    """A block of branches, whose outputs are concatenated.

    Each branch is a chain of layers on the block's input. The branch called branch_pool begins with a 3x3 pool of stride 1.
    In a block that halves, the last layer of each chain has stride 2, and an unpadded max pool of stride 2 is added as the
    last branch. A layer is named after its branch and its number in the chain, two parallel layers also by a and b, as
    torchvision does: branch3x3_1, branch3x3_2a, branch3x3_2b. The only layer of a branch has the name of the branch.
    """

    def __init__(
        self, inputs: int, branches: Mapping[str, Chain], scale: bool, halves: bool = False, pool: Pool = "avg"
    ) -> None:
        super().__init__()
        self.halves, self.pool, self.outputs = halves, pool, inputs if halves else 0
        self.branches: dict[str, list[list[str]]] = {}  # for each branch and step the names of its layers, one or two
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
            y = self._pool(x) if branch == "branch_pool" else x
            for names in steps:
                parts = [self.get_submodule(name)(y) for name in names]
                y = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
            outputs.append(y)
        if self.halves:
            outputs.append(F.max_pool2d(x, 3, 2))
        return torch.cat(outputs, 1)

    def _pool(self, x: Tensor) -> Tensor:
        if self.pool == "max":
            return F.max_pool2d(x, 3, 1, padding=1)
        return F.avg_pool2d(x, 3, 1, padding=1, count_include_pad=False)

    def layers_by_depth(self) -> list[str]:
        """Returns the names of the layers by decreasing distance from the block's output, in order of creation if equal.

        The distance is a number of operations: 3 for each layer, and 1 for the concatenation of two parallel ones.
        """
        distances = {
            name: 3 * (len(steps) - i) + (len(steps[-1]) > 1)
            for steps in self.branches.values()
            for i, names in enumerate(steps)
            for name in names
        }
        return sorted(distances, key=lambda name: -distances[name])


# ---------------------------------------------------------------- the blocks, torchvision's InceptionA to InceptionE


def _block_a(pool_outputs: int) -> dict[str, Chain]:
    return {
        "branch1x1": [(64, "1x1")],
        "branch5x5": [(48, "1x1"), (64, "5x5")],
        "branch3x3dbl": [(64, "1x1"), (96, "3x3"), (96, "3x3")],
        "branch_pool": [(pool_outputs, "1x1")],
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


# ---------------------------------------------------------------- the network


class InceptionV3(nn.Module):
    """Creates Inception-v3 up to its last pool: (B, 3, H, W) in [-1, 1], of 75 pixels or more, to (B, 2048).

    With the defaults it has the 472 tensors of the graph of 2015 as published for PyTorch, with torchvision's names. The
    classifier `fc` is one of them, but is never used.

    Arguments:
        last_pool: The pool of stride 1 in Mixed_7c.
        scale: Whether batch normalisation has a weight.
        classes: The number of outputs of `fc`; 0 leaves it out.
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

    def layers_by_depth(self) -> Iterator[str]:
        """Yields the names of the 94 layers in the order in which Keras lists, saves and loads those of its own network."""
        for name, child in self.named_children():
            if isinstance(child, ConvNorm):
                yield name
            elif isinstance(child, Mixed):
                yield from (f"{name}.{layer}" for layer in child.layers_by_depth())
