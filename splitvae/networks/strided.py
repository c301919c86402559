r"""Plain networks of strided convolutions: those that the baselines were published with.

    encoder   [stride-2 convolution, BatchNorm, activation] x scales, flattened, a dense layer or none
    decoder   a dense layer or none, a dense layer to a small map, [stride-2 transposed convolution, BatchNorm, ReLU] ...

| net       | kernel | channels             | dense | decoder starts from | ends with                     |
| --------- | ------ | -------------------- | ----- | ------------------- | ----------------------------- |
| `rae`     | 4 or 5 | 128, 256, 512, 1024  | none  | 8x8x1024, no ReLU   | a convolution without stride  |
| `infogan` | 4      | 64, 128              | 1024  | (side/4)^2 x 128    | a transposed convolution      |
| `higgins` | 4      | 32, 32, 64, 64       | 256   | 4x4x64              | a transposed convolution      |

References: From variational to deterministic autoencoders (Ghosh et al., 2020), public code; Are GANs created equal?
(Lucic et al., 2018), after InfoGAN, the default of Dai and Wipf's public code; beta-VAE (Higgins et al., 2017), the CelebA
network, which has no BatchNorm.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from .layers import Down, Up, check_side, glorot_

__all__ = ["StridedDecoder", "StridedEncoder"]


class Same(nn.Conv2d):
    """A convolution without stride, padded as TensorFlow's 'same'; torch's own warns where the kernel is even."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel)
        self.margins = ((kernel - 1) // 2, kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.margins * 2))


class StridedEncoder(nn.Module):
    """Images to features, (B, C, H, W) -> (B, F).

    Arguments:
        channels, side: of the image. widths: of each stride-2 convolution. kernel: its size.
        dense: features of a last dense layer; 0 for none.
        slope: of the rectifier below zero. norm: whether BatchNorm stands before it; first_norm: in
            the first layer too. signed: whether it reads 2x - 1.
    """

    def __init__(
        self,
        channels: int,
        side: int,
        widths: Sequence[int],
        kernel: int,
        dense: int = 0,
        slope: float = 0.0,
        norm: bool = True,
        first_norm: bool = True,
        signed: bool = False,
    ) -> None:
        super().__init__()
        check_side(side, len(widths))
        layers: list[nn.Module] = []
        for i, (a, b) in enumerate(zip([channels, *widths], widths, strict=False)):
            normed = norm and (first_norm or i > 0)
            layers += [Down(a, b, kernel), nn.BatchNorm2d(b) if normed else nn.Identity(), nn.LeakyReLU(slope)]
        layers += [nn.Flatten()]
        self.features = widths[-1] * (side // 2 ** len(widths)) ** 2
        if dense:
            layers += [nn.Linear(self.features, dense), nn.BatchNorm1d(dense) if norm else nn.Identity()]
            layers += [nn.LeakyReLU(slope)]
            self.features = dense
        self.layers, self.signed = nn.Sequential(*layers), signed
        self.apply(glorot_)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(2 * x - 1 if self.signed else x)


class StridedDecoder(nn.Module):
    """Latents to logits, (B, D) -> (B, outputs, side, side).

    Arguments:
        start: side of the first map. widths: channels of it and of each doubled map that follows.
        dense: features of a first dense layer; 0 for none. norm: as in `StridedEncoder`.
        doubling: whether the head doubles the side too.
    """

    def __init__(
        self,
        latent_dim: int,
        outputs: int,
        start: int,
        widths: Sequence[int],
        kernel: int,
        dense: int = 0,
        norm: bool = True,
        doubling: bool = True,
    ) -> None:
        super().__init__()
        self.start = start
        layers: list[nn.Module] = []
        if dense:
            layers += [nn.Linear(latent_dim, dense), nn.BatchNorm1d(dense) if norm else nn.Identity(), nn.ReLU()]
        features = start * start * widths[0]
        layers += [nn.Linear(dense or latent_dim, features)]
        if dense:
            layers += [nn.BatchNorm1d(features) if norm else nn.Identity(), nn.ReLU()]
        self.expand = nn.Sequential(*layers)
        layers = []
        for a, b in zip(widths, widths[1:], strict=False):
            layers += [Up(a, b, kernel), nn.BatchNorm2d(b) if norm else nn.Identity(), nn.ReLU()]
        self.scales = nn.Sequential(*layers)
        last: nn.Module = Up(widths[-1], outputs, kernel)
        self.head = last if doubling else Same(widths[-1], outputs, kernel)
        self.apply(glorot_)

    def forward(self, z: Tensor) -> Tensor:
        h = self.expand(z).unflatten(1, (self.start, self.start, -1)).permute(0, 3, 1, 2)
        return self.head(self.scales(h))
