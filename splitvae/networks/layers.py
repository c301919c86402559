"""Layers and rules that several networks share: alignment, initialisation, BatchNorm's statistics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from ..errors import UserError

__all__ = ["SIDES", "Down", "SamePadConv2d", "Up", "Upsample2x", "check_side", "glorot_", "recompute_batchnorm"]

SIDES = (16, 32, 64, 128)  # pixels of the images that most networks read and generate


class Down(nn.Conv2d):
    """A stride-2 convolution aligned as TensorFlow's 'same': (B, C, H, W) -> (B, C', H/2, W/2)."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel, stride=2)
        total = max(kernel - 2, 0)
        self.margins = (total // 2, total - total // 2)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.margins * 2))


class Up(nn.ConvTranspose2d):
    """A stride-2 transposed convolution aligned as TensorFlow's 'same': (B, C, H, W) -> (B, C', 2H, 2W).

    The bias is added after the crop (inside the bfloat16 kernel of CPUs it costs eight times the convolution itself), and
    the crop is a negative padding, whose gradient keeps the memory format where a slice's does not.
    """

    bias: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel, stride=2)
        total = max(kernel - 2, 0)
        self.margins = (-(total // 2), total // 2 - total)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        y = F.pad(F.conv_transpose2d(x, self.weight, stride=2), self.margins * 2)
        return y + self.bias.to(y.dtype).view(-1, 1, 1)


class SamePadConv2d(nn.Conv2d):
    """A convolution without stride, padded as TensorFlow's 'same': (B, C, H, W) -> (B, C', H, W).

    PyTorch's own padding="same" warns where the kernel is even.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel)
        self.margins = ((kernel - 1) // 2, kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.margins * 2))


class Upsample2x(nn.Module):
    """Repeats each pixel, (B, C, H, W) -> (B, C, 2H, 2W)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2.0, mode="nearest")


def glorot_(module: nn.Module) -> None:
    """Initialises a layer as Keras does: a Glorot-uniform weight, a bias of zero."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def check_side(side: int, halvings: int = 0) -> None:
    """Raises UserError for a side that networks cannot generate, or for more halvings than the side allows."""
    if side not in SIDES:
        raise UserError(f"the network generates images of side 16, 32, 64 or 128, not {side}; pad or resize them first.")
    if 2**halvings > side:
        raise UserError(
            f"scales={halvings} halve an image of side {side} below one pixel; "
            f"the most for this side is scales={side.bit_length() - 1}."
        )


def recompute_batchnorm(model: nn.Module, batches: Iterable[dict[str, Any]]) -> None:
    """Recomputes the running statistics of BatchNorm layers from batches.

    Arguments:
        model: The model whose statistics are replaced.
        batches: The keyword arguments of one forward pass each.
    """
    update_bn(batches, _CalledWithDict(model))


class _CalledWithDict(nn.Module):
    """A model whose keyword arguments come as one dictionary, which `update_bn` hands over whole."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: dict[str, Any]) -> Any:
        return self.model(**batch)
