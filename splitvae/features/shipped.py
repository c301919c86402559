"""The extractors that the library carries: classifiers of MNIST, CIFAR-10 and CelebA, the same on every machine.

Distances in their features can be compared between runs, machines and numbers of threads, since nobody trains them anew.
`scripts/train_extractors.py` trained them; each file, in features/weights, holds its recipe as metadata.

`auto` and `classifier` take one of them where the data set is that one:

| name      | images of shape | recognised by                                              |
| --------- | --------------- | ---------------------------------------------------------- |
| `mnist`   | (1, 28, 28)     | the name of the source, or the hash of a part of MNIST     |
| `cifar10` | (3, 32, 32)     | the names of the ten classes                               |
| `celeba`  | (3, 64, 64)     | the names of its attributes, at least two                  |

By name they can be chosen for any images of that shape, such as a folder of generated ones.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load

from ..data.images import Images
from ..errors import UserError, setting
from ..utils.random_streams import fixed_seed
from .classifier import Classifier, Stage

__all__ = ["SHIPPED", "ShippedClassifier", "find_shipped", "load_shipped"]

WEIGHTS = Path(__file__).parent / "weights"


class Shipped(NamedTuple):
    """What the library knows of a file in features/weights.

    Arguments:
        title: The name of the data set.
        shape: The shape (C, H, W) of the images.
        sha256: The SHA-256 of the file.
    """

    title: str
    shape: tuple[int, int, int]
    sha256: str


SHIPPED = {
    "mnist": Shipped("MNIST", (1, 28, 28), "a67dc41772459c6b01d50d34d73b53c7bbbb865e0c2d056f3383fe6792a1c7db"),
    "cifar10": Shipped("CIFAR-10", (3, 32, 32), "7a5f026de76482a1806c0deed68c2c7db157c6ff41e75be083acc10ce2eff8d5"),
    "celeba": Shipped("CelebA", (3, 64, 64), "99733ec7479177f351536a4392799a8bb5e7facded3a84533cd924403b54a519"),
}

MNIST_SOURCES = ("mnist", "hf://mnist", "hf://ylecun/mnist")
MNIST_PARTS = ("741c988805d008ac", "6d87418db22cc802")  # Images.sha256 of the training and the test part
CIFAR10_CLASSES = frozenset(["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"])
# Unformatted: one name a line would take forty lines.
# fmt: off
CELEBA_ATTRIBUTES = frozenset([
    "5_o_clock_shadow", "arched_eyebrows", "attractive", "bags_under_eyes", "bald", "bangs", "big_lips", "big_nose",
    "black_hair", "blond_hair", "blurry", "brown_hair", "bushy_eyebrows", "chubby", "double_chin", "eyeglasses",
    "goatee", "gray_hair", "heavy_makeup", "high_cheekbones", "male", "mouth_slightly_open", "mustache", "narrow_eyes",
    "no_beard", "oval_face", "pale_skin", "pointy_nose", "receding_hairline", "rosy_cheeks", "sideburns", "smiling",
    "straight_hair", "wavy_hair", "wearing_earrings", "wearing_hat", "wearing_lipstick", "wearing_necklace",
    "wearing_necktie", "young",
])
# fmt: on


class ShippedClassifier(Classifier):
    """Creates the network of a file in features/weights, without its weights.

    Arguments:
        name: One of `SHIPPED`.
        metadata: The metadata of the file.
    """

    def __init__(self, name: str, metadata: dict) -> None:
        title, shape, _ = SHIPPED[name]
        stages = [Stage(*stage) for stage in metadata["stages"]]
        super().__init__("classifier", shape, metadata["outputs"], title, stages)
        self.name = name
        self.accuracy, self.majority = metadata["accuracy"], metadata["majority"]
        self.test_images, self.described = metadata["test_images"], metadata["described"]

    @property
    def note(self) -> str:
        """One line that says which other numbers a distance in these features can be compared with."""
        learned = f"; learned from {self.described}" if self.described else ""
        return (
            f"features of the shipped classifier of {self.data_name} (accuracy {self.accuracy:.1%} on "
            f"{self.test_images:,} test images{learned}): comparable with any distance in the features {self.name} of the "
            "same real images and numbers of images, not with Inception FIDs"
        )


def find_shipped(images: Images) -> str | None:
    """Returns the name of the shipped extractor of the data set that images are of; None if it is none of those."""
    names = {name.lower().replace(" ", "_") for name in images.classes}
    if images.shape == SHIPPED["mnist"].shape:
        return "mnist" if images.source in MNIST_SOURCES or images.sha256 in MNIST_PARTS else None
    if images.shape == SHIPPED["cifar10"].shape:
        return "cifar10" if names == CIFAR10_CLASSES else None
    if images.shape == SHIPPED["celeba"].shape:
        return "celeba" if len(names) > 1 and names <= CELEBA_ATTRIBUTES else None
    return None


def load_shipped(name: str, images: Images | None = None, device: torch.device | None = None) -> ShippedClassifier:
    """Returns a shipped extractor in evaluation mode.

    Arguments:
        name: One of `SHIPPED`.
        images: Images that it shall read, whose shape is checked.
        device: The device of the extractor.

    Raises:
        UserError: If it does not read images of that shape, or if the file is missing or is not the one that was shipped.
    """
    file = WEIGHTS / f"{name}.safetensors"
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}; install splitvae again.") from None
    if hashlib.sha256(content).hexdigest() != SHIPPED[name].sha256:
        raise UserError(f"{file} is damaged, or is not the file of this version; install splitvae again.")
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    with fixed_seed(0):  # initial weights, which are replaced, draw nothing from the global random stream
        network = ShippedClassifier(name, json.loads(header["__metadata__"]["splitvae"]))
    network.load_state_dict(load(content))
    if images is not None and not network.reads(images.shape):
        raise UserError(
            f"the features {name!r} are those of images of shape {network.shape}, and {images.source} has images of shape "
            f"{images.shape}; bring them to that shape, or type {setting('features', 'auto')}."
        )
    return network.to(device or torch.device("cpu")).eval()
