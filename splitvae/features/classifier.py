r"""A small network trained on a data set, as an extractor for data that no published network was trained on.

    [convolution, BatchNorm, ReLU] x 4 -> mean over pixels -> dense, BatchNorm = features (64) -> ReLU -> dense = logits

The features are taken before the last ReLU. After it half of their values would be zero, and a Gaussian, which the
Fréchet distance fits to them, would fit them badly. BatchNorm gives all features about the same variance.

| task         | target                                | loss                      |
| ------------ | ------------------------------------- | ------------------------- |
| `classifier` | classes (N,)                          | cross-entropy             |
| `classifier` | binary attributes (N, A)              | mean binary cross-entropy |
| `rotation`   | the number of quarter turns, 0 ... 3  | cross-entropy             |

The rotation task learns shapes and their orientation, but little about the classes.

The networks of MNIST, CIFAR-10 and CelebA are shipped with the library (shipped.py). For other data a network is trained
once (classifier_training.py).

Images may have a border of the same width on all sides, as padding adds it, of at most a quarter of the side. The network
reads it as a part of the image.

Reference:
    S. Gidaris, P. Singh, N. Komodakis, Unsupervised representation learning by predicting image rotations, 2018,
    https://arxiv.org/abs/1803.07728
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UserError, setting
from .base import fingerprint

__all__ = ["Classifier", "Stage", "Task"]

Task = Literal["classifier", "rotation"]
FEATURE_DIM = 64
# A network is called weak if it learned less than this share of what the most frequent value leaves to be learned. Single
# attributes are harder than classes: their labels contradict each other more often.
WEAK_SHARE = {"classes": 2 / 3, "attributes": 1 / 3}


class Stage(NamedTuple):
    """A convolution with its BatchNorm and ReLU: the number of its channels, and its kernel and stride in pixels."""

    channels: int
    kernel: int = 3
    stride: int = 1


def default_stages(side: int) -> tuple[Stage, ...]:
    """Returns the four stages of a network that is trained where it is needed, for images of a side in pixels."""
    stages = []
    for k, channels in enumerate((16, 32, 64, 128)):
        # The first stage has a larger stride for large images, so that a step hardly takes longer.
        stride = (2 * max(1, side // 64) if side >= 16 else 1) if k == 0 else 2 if side > 2 else 1
        stages.append(Stage(channels, (stride + 3) | 1 if k == 0 else 3, stride))
        side = math.ceil(side / stride)
    return tuple(stages)


class Classifier(nn.Module):
    """Creates an untrained network: `network(x)` gives the features, `network.logits(features)` the predictions.

    Arguments:
        task: The task that it learns.
        shape: The shape (C, H, W) of the images, which must be squares.
        outputs: The number of logits.
        data_name: What notes and messages call the data.
        stages: The convolutions; by default `default_stages` of the images' side.
    """

    dim = FEATURE_DIM
    is_cacheable = True  # the fingerprint determines the features

    def __init__(
        self,
        task: Task,
        shape: tuple[int, int, int],
        outputs: int,
        data_name: str,
        stages: Sequence[Stage] | None = None,
    ) -> None:
        super().__init__()
        self.name: str = task
        self.shape, self.data_name = shape, data_name
        self.accuracy = self.majority = math.nan  # on images held out: its own, and that of always naming the commonest
        self.learns = "classes"  # or "attributes"
        self.channels = channels = shape[0]
        layers: list[nn.Module] = []
        for b, kernel, stride in default_stages(shape[1]) if stages is None else stages:
            layers += [nn.Conv2d(channels, b, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(b)]
            layers.append(nn.ReLU(inplace=True))
            channels = b
        self.stages = nn.Sequential(*layers)
        self.features = nn.Sequential(nn.Linear(channels, FEATURE_DIM, bias=False), nn.BatchNorm1d(FEATURE_DIM))
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(FEATURE_DIM, outputs))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it

    @property
    def note(self) -> str:
        """One line that says which other numbers a distance in these features can be compared with."""
        what = "classifier trained on" if self.name == "classifier" else "network that tells the rotation of"
        return (
            f"features of a small {what} {self.data_name} (accuracy {self.accuracy:.1%}): "
            f"not comparable with Inception FIDs{self._describe_weakness()}"
        )

    @property
    def is_weak(self) -> bool:
        """Whether it learned little of what the most frequent value leaves to be learned."""
        return self.accuracy - self.majority < WEAK_SHARE[self.learns] * (1 - self.majority)

    def _describe_weakness(self) -> str:
        if not self.is_weak:
            return ""
        return (
            f"; it is weak (always to name the most frequent answer gives {self.majority:.1%}), so that distances in its "
            f"features say little; type {setting('features', 'inception')}, or mnist, cifar10 or celeba if the images are "
            "like those"
        )

    @property
    def fingerprint(self) -> str:
        """The first 16 hex digits of the SHA-256 of weights, task and shape."""
        return fingerprint(self, str(self.name), str(self.shape))

    def forward(self, x: Tensor) -> Tensor:
        if not self.reads(tuple(x.shape[1:])):
            raise UserError(
                f"the {self.name} features were learned from images of shape {self.shape} and cannot be taken of images "
                f"of shape {tuple(x.shape[1:])}: resize the images to that shape, or learn the features from such images."
            )
        if (times := x.shape[2] // self.shape[1]) > 1:
            x = F.avg_pool2d(x, times)
        return self.features(self.stages(x).mean((2, 3)))

    def reads(self, shape: tuple[int, ...]) -> bool:
        """Returns whether it reads images of a shape (C, H, W).

        These are its own, also with a border as padding adds it, and squares of a multiple of its side, which it shrinks by
        means over blocks of pixels.
        """
        if len(shape) != 3 or shape[0] != self.shape[0] or shape[1] - self.shape[1] != shape[2] - self.shape[2]:
            return False
        if shape[1] == shape[2] and shape[1] % self.shape[1] == 0:
            return True
        border, odd = divmod(shape[1] - self.shape[1], 2)
        return not odd and 0 <= border <= self.shape[1] // 4

    def logits(self, features: Tensor) -> Tensor:
        """Returns the logits (B, outputs) of features (B, 64)."""
        return self.head(features)
