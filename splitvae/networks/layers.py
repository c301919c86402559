"""TODO docstring of networks.layers."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UserError

__all__ = ["SIDES", "Down", "Up", "glorot_"]


SIDES = (16, 32, 64, 128)


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


def glorot_(module: nn.Module) -> None:
    """Sets a layer's weight to Glorot uniform and its bias to zero, Keras's defaults."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def check_side(side: int, halvings: int = 0) -> None:
    """Refuses sides that no network paints, and more halvings than the side has."""
    if side not in SIDES:
        raise UserError(f"the network paints images of side 16, 32, 64 or 128, not {side}; pad or resize them first.")
    if 2**halvings > side:
        raise UserError(
            f"scales={halvings} halve an image of side {side} below one pixel; "
            f"the most for this side is scales={side.bit_length() - 1}."
        )
