"""What several networks share: layers, the initialisation of weights, and the statistics of BatchNorm."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.optim.swa_utils import update_bn

from ..errors import UserError, setting

__all__ = [
    "DOUBLINGS",
    "NORMS",
    "SIDES",
    "Down",
    "SamePadConv2d",
    "Up",
    "Upsample2x",
    "build_norm",
    "check_side",
    "glorot_",
    "recompute_batchnorm",
    "renew_spectral_norms",
    "set_batchnorm",
]

DOUBLINGS = ("nearest", "bilinear")
NORMS = ("batch", "group")
SPECTRAL_ITERATIONS = 15  # power iterations for a weight, each begun where the last one ended
CHANNELS_PER_GROUP = 8  # of GroupNorm, at least
SIDES = (16, 32, 64, 128)  # the sides, in pixels, of the images that most networks encode and decode


class Down(nn.Conv2d):
    """A stride-2 convolution, padded as TensorFlow's 'same', (B, inputs, H, W) -> (B, outputs, H/2, W/2).

    Arguments:
        inputs: The number of channels of the input.
        outputs: The number of channels of the output.
        kernel: The side of the convolution in pixels.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel, stride=2)
        total = max(kernel - 2, 0)
        self.margins = (total // 2, total - total // 2)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.margins * 2))


class Up(nn.ConvTranspose2d):
    """A stride-2 transposed convolution, cropped as TensorFlow's 'same', (B, inputs, H, W) -> (B, outputs, 2H, 2W).

    The bias is added after the crop: as a part of the bfloat16 convolution it takes eight times as long on a CPU. The crop
    is a negative padding, because the gradient of a slice does not keep the memory format.

    Arguments:
        inputs: The number of channels of the input.
        outputs: The number of channels of the output.
        kernel: The side of the convolution in pixels.
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
    """A stride-1 convolution, padded as TensorFlow's 'same', (B, inputs, H, W) -> (B, outputs, H, W).

    PyTorch's own padding="same" warns if the kernel is even.

    Arguments:
        inputs: The number of channels of the input.
        outputs: The number of channels of the output.
        kernel: The side of the convolution in pixels.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel)
        self.margins = ((kernel - 1) // 2, kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.margins * 2))


class Upsample2x(nn.Module):
    """Repeats each pixel, or interpolates between pixels, (B, C, H, W) -> (B, C, 2H, 2W).

    Arguments:
        doubling: One of `DOUBLINGS`.
    """

    def __init__(self, doubling: str = "nearest") -> None:
        super().__init__()
        self.doubling = doubling

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2.0, mode=self.doubling)


def build_norm(kind: str, channels: int, maps: bool = True, eps: float = 1e-5, momentum: float = 0.1) -> nn.Module:
    """Returns a normalisation, with a weight and a bias for each channel.

    GroupNorm normalises each image by itself, so that it computes the same in training and in evaluation.

    Arguments:
        kind: "batch" for BatchNorm, "group" for GroupNorm with groups of 8 channels, or somewhat more.
        channels: The number of channels C of the input.
        maps: Whether the input is maps (B, C, H, W), or vectors (B, C).
        eps: The number that is added to variances.
        momentum: The weight of a batch in BatchNorm's running statistics.
    """
    if kind == "batch":
        return (nn.BatchNorm2d if maps else nn.BatchNorm1d)(channels, eps=eps, momentum=momentum)
    most = max(1, channels // CHANNELS_PER_GROUP)
    return nn.GroupNorm(next(n for n in range(most, 0, -1) if channels % n == 0), channels, eps=eps)


def glorot_(module: nn.Module) -> None:
    """Initialises a layer as Keras does: a Glorot-uniform weight, a bias of zero."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def check_side(side: int, halvings: int = 0) -> None:
    """Checks that a network can be built for images of a side.

    Arguments:
        side: The side of the images in pixels.
        halvings: The number of times that the encoder halves the image.

    Raises:
        UserError: For a side that is not in `SIDES`, or for more halvings than the side allows.
    """
    if side not in SIDES:
        raise UserError(
            f"the network generates images of side 16, 32, 64 or 128, not {side}; pad or resize the images first."
        )
    if 2**halvings > side:
        raise UserError(
            f"{setting('scales', halvings)} would halve an image of side {side} to less than one pixel; "
            f"the most for this side is {setting('scales', side.bit_length() - 1)}."
        )


def set_batchnorm(module: nn.Module, eps: float, momentum: float) -> None:
    """Sets the epsilon and the momentum of all BatchNorm layers; Keras's momentum is one minus that of PyTorch."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.eps, layer.momentum = eps, momentum


def recompute_batchnorm(model: nn.Module, passes: Iterable[Callable[[], Any]]) -> None:
    """Recomputes the running means and variances of all BatchNorm layers: means over forward passes of those of batches.

    Arguments:
        model: The model, which is changed in place.
        passes: Functions that make forward passes of the model, or of parts of it.
    """
    update_bn(passes, _Caller(model))


@torch.no_grad()
def renew_spectral_norms(model: nn.Module) -> None:
    """Finds the largest singular values of all weights that are divided by them, by power iterations.

    The forward passes of a training do so as its weights change; an average of weights needs it by itself.

    Arguments:
        model: The model, which is changed in place.
    """
    was_training = model.training
    model.train()
    for module in model.modules():
        if parametrize.is_parametrized(module, "weight"):
            for _ in range(SPECTRAL_ITERATIONS):
                module.weight  # noqa: B018  # each reading in training mode is an iteration
    model.train(was_training)


class _Caller(nn.Module):
    """Calls a function, in place of the forward pass that `update_bn` makes of a model with one argument."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, make_passes: Callable[[], Any]) -> Any:
        return make_passes()
