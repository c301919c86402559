r"""The extractors `inception` and `inception-keras`: how images are resized, and which weights compute the features.

| extractor         | weights (inception_weights.py)       | network's input x' from x in [0, 1] | resize        |
| ----------------- | ------------------------------------ | ----------------------------------- | ------------- |
| `inception`       | TensorFlow's graph of 2015-12-05     | (255 x - 128) / 128                 | "tf1"         |
|                   |                                      | 2 x - 1                             | "pytorch-fid" |
|                   |                                      | (255 x - 128) / 128                 | "clean"       |
| `inception-keras` | Keras's for ImageNet                 | 2 x - 1                             | "pytorch-fid" |

They resize an image of any size S to T = 299 pixels. The first two interpolate bilinearly without antialiasing. They read
the source at different positions u for pixel i of the result, which differ by (1 - S / T) / 2 pixels of the source:

    tf1:                  u(i) = i S / T                      TensorFlow 1, inside the graph of 2015
    pytorch-fid, clean:   u(i) = (i + 1/2) S / T - 1/2        TensorFlow 2, PyTorch, Pillow

"clean" is Pillow's bicubic resize of each channel in floating point, with antialiasing, which acts on images larger than T,
and with values cut to [0, 1] afterwards.

References:
    M. Heusel et al., GANs trained by a two time-scale update rule converge to a local Nash equilibrium, 2017,
    https://arxiv.org/abs/1706.08500 (the distance)
    G. Parmar, R. Zhang, J.-Y. Zhu, On aliased resizing and surprising subtleties in GAN evaluation, 2022,
    https://arxiv.org/abs/2104.11222 (the resize "clean")
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UserError, nearest
from .base import deterministic_float32, fingerprint
from .inception_v3 import InceptionV3
from .inception_weights import KERAS_WEIGHTS, TF2015_WEIGHTS, find_weights, read_keras_h5, read_state_dict

__all__ = ["RESIZES", "FIDInception", "KerasInception", "resize_clean", "resize_half_pixel", "resize_tf1"]

INPUT_SIDE = 299  # pixels


def resize_tf1(x: Tensor) -> Tensor:
    """Resizes images (B, C, H, W) to 299x299 as TensorFlow 1 does: bilinear, u(i) = i S / 299, without antialiasing.

    The operations are TensorFlow's, in its order: columns before rows, with positions in float32.
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
    """Resizes images (B, C, H, W) to 299x299: bilinear, u(i) = (i + 1/2) S / 299 - 1/2, without antialiasing."""
    return F.interpolate(x, (INPUT_SIDE, INPUT_SIDE), mode="bilinear", align_corners=False, antialias=False)


def resize_clean(x: Tensor) -> Tensor:
    """Resizes images (B, C, H, W) to 299x299 as clean-fid does: Pillow's bicubic, antialiased, cut to [0, 1].

    Pillow's weights are float64. With PyTorch's of float32 results would differ by up to a hundredth of a gray level.
    """
    exact = x if x.device.type == "mps" else x.double()  # Metal has no float64
    resized = F.interpolate(exact, (INPUT_SIDE, INPUT_SIDE), mode="bicubic", align_corners=False, antialias=True)
    return resized.to(x.dtype).clamp(0, 1)


def _tf1_input(x: Tensor) -> Tensor:
    return (255 * resize_tf1(x) - 128) / 128


def _half_pixel_input(x: Tensor) -> Tensor:
    return 2 * resize_half_pixel(x) - 1


def _clean_input(x: Tensor) -> Tensor:
    return (255 * resize_clean(x) - 128) / 128


# From images in [0, 1] to the network's input. The implementations are those whose distances can be compared.
RESIZES = {"tf1": _tf1_input, "pytorch-fid": _half_pixel_input, "clean": _clean_input}
IMPLEMENTATIONS = {"tf1": "TTUR and torch-fidelity", "pytorch-fid": "pytorch-fid", "clean": "clean-fid in its mode clean"}


class _Inception(nn.Module):
    """An extractor of features (B, 2048), float32, from float images (B, C, H, W) in [0, 1], where C is 1 or 3.

    It is always in evaluation mode, and computes without gradients or autocast.

    Arguments:
        net: The network, without weights.
        state: Its weights.
        resize: One of `RESIZES`.
        note: The line that says which other numbers a distance can be compared with, if the weights are published ones.
        published: Whether the weights are published ones.
    """

    name: str
    dim = 2048
    is_cacheable = True  # the fingerprint determines the features

    def __init__(self, net: InceptionV3, state: Mapping[str, Tensor], resize: str, note: str, published: bool) -> None:
        super().__init__()
        net.load_state_dict(state, assign=True)
        net.requires_grad_(False)
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        self.net, self.resize = net, resize
        self.note = (
            note if published else "Inception with weights that are not the published ones: comparable with no other"
        )
        self.fingerprint = fingerprint(net, self.name, resize)
        self.eval()

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation mode, whatever `mode` is."""
        return super().train(False)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1] not in (1, 3) or not x.is_floating_point():
            raise UserError(
                f"{self.name} reads float images in [0, 1] of shape (B, 1, H, W) or (B, 3, H, W), "
                f"not {x.dtype} of shape {tuple(x.shape)}."
            )
        with deterministic_float32(x.device):
            x = RESIZES[self.resize](x.float()).expand(-1, 3, -1, -1)  # repeats gray
            return self.net(x)


class FIDInception(_Inception):
    """Creates the Inception network of the Fréchet Inception distance, with the weights of the graph of 2015.

    Arguments:
        weights: The file with the weights; by default the published one, from the cache or the network.
        resize: "tf1", as the graph itself does, "pytorch-fid", as that does, or "clean", as clean-fid does.

    Raises:
        UserError: If the resize is unknown, the weights cannot be downloaded, or the file holds other tensors.
    """

    name = "inception"

    def __init__(self, weights: Path | None = None, resize: str = "tf1") -> None:
        if resize not in RESIZES:
            raise UserError(f"no resize is called {resize!r}; {nearest(resize, RESIZES)}")
        file, published = find_weights(TF2015_WEIGHTS, weights)
        comparable = f"comparable with distances by {IMPLEMENTATIONS[resize]} of the same images"
        note = f"Inception of 2015, resize {resize}: {comparable}"
        with torch.device("meta"):  # without values, which would be drawn from the random state
            net = InceptionV3()
        super().__init__(net, read_state_dict(file, net.state_dict()), resize, note, published)


class KerasInception(_Inception):
    """Creates Keras's Inception network for ImageNet, in whose features the distances of the Split-VAE paper are measured.

    Arguments:
        weights: The .h5 file with the weights; by default the published one, from the cache or the network.

    Raises:
        UserError: If h5py is not installed, the weights cannot be downloaded, or the file holds other tensors.
    """

    name = "inception-keras"

    def __init__(self, weights: Path | None = None) -> None:
        file, published = find_weights(KERAS_WEIGHTS, weights)
        note = "Keras's Inception: comparable with the Split-VAE paper's distances, not with those of the graph of 2015"
        with torch.device("meta"):
            net = InceptionV3("avg", scale=False, classes=0)
        state = read_keras_h5(file, net.state_dict(), list(net.layers_by_depth()))
        super().__init__(net, state, "pytorch-fid", note, published)
