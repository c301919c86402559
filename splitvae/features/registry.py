r"""`load_extractor(name)`: an extractor, which turns images into the features that distances are measured in.

An extractor f maps images in [0, 1] to vectors. The distance of f(generated) from f(real) depends on f as much as on the
images. Each extractor therefore says which other numbers its own can be compared with (`note`), and identifies its
weights (`fingerprint`).

| name              | features of                                                                          |
| ----------------- | ------------------------------------------------------------------------------------ |
| `classifier`      | the shipped classifier of the data set, else one that is trained on its labels       |
| `rotation`        | a network trained to tell by which quarter turn an image was rotated                 |
| `auto`            | `classifier` where one is shipped or there are labels to learn from, else `rotation` |
| `mnist`           | the shipped classifier of MNIST, for any images of (1, 28, 28) (shipped.py)          |
| `cifar10`         | the shipped classifier of CIFAR-10, for any images of (3, 32, 32)                    |
| `celeba`          | the shipped classifier of CelebA's attributes, for any images of (3, 64, 64)         |
| `inception`       | the Inception network of the Fréchet Inception distance (inception_extractors.py)    |
| `inception-keras` | Keras's Inception network (inception_extractors.py)                                  |
| a file            | a TorchScript module, (B, C, H, W) float in [0, 1] -> (B, dim) or (B, dim, 1, 1)     |

References:
    M. Heusel et al., GANs trained by a two time-scale update rule converge to a local Nash equilibrium, 2017,
    https://arxiv.org/abs/1706.08500 (the distance)
    S. Gidaris, P. Singh, N. Komodakis, Unsupervised representation learning by predicting image rotations, 2018,
    https://arxiv.org/abs/1803.07728
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch

from ..data.images import Images
from ..errors import UserError, nearest, setting
from ..utils.machine import default_device
from .base import Extractor, ModuleFeatures

__all__ = ["EXTRACTORS", "check_features", "inception", "load_extractor"]

EXTRACTORS = ("auto", "classifier", "rotation", "mnist", "cifar10", "celeba", "inception", "inception-keras")


class _ScriptFeatures(ModuleFeatures):
    """An extractor from a TorchScript file, whose fingerprint is the hash of the file."""

    is_cacheable = True  # the hash determines the features

    def __init__(self, file: Path, shape: tuple[int, int, int]) -> None:
        try:
            content = file.read_bytes()
            module = torch.jit.load(file, map_location="cpu")
        except OSError as error:
            raise UserError(f"{file} cannot be read: {error.strerror}.") from None
        except (RuntimeError, ValueError) as error:  # raised by torch's reader of archives
            raise UserError(
                f"{file} is no TorchScript file ({str(error).splitlines()[0]}): write one by "
                "torch.jit.script(module).save(file). Pickled modules are not loaded, since reading them executes code."
            ) from None
        super().__init__(module, file.name, shape)
        self.note = f"features of {file.name}: comparable only with numbers from the same file"
        self.digest = hashlib.sha256(content).hexdigest()[:16]

    @property
    def fingerprint(self) -> str:
        """The first 16 hex digits of the SHA-256 of the file."""
        return self.digest


def load_extractor(
    name: str,
    images: Images | None = None,
    weights: Path | None = None,
    device: torch.device | None = None,
    progress: bool = True,
    resize: str | None = None,
) -> Extractor:
    """Returns the extractor of a name, or that in a TorchScript file, in evaluation mode.

    Arguments:
        name: One of `EXTRACTORS`, or the path of a TorchScript file.
        images: The training part of the data, by which "auto" and "classifier" find the shipped network of the data set,
            and from which these and "rotation" learn elsewhere. The trained network is kept in the cache.
        weights: The file with the weights of "inception" or "inception-keras".
        device: The device of the extractor; by default this machine's accelerator.
        progress: Whether to print a line if a network is trained.
        resize: How "inception" resizes images: "tf1", "pytorch-fid" or "clean"; by default "tf1".

    Raises:
        UserError: If the name is unknown, or has no weights or no such resize; if nothing can be learned from the images,
            or the shipped network does not read them; or if the file is of another kind.
    """
    device = device or default_device()
    check_features(name, weights, resize)
    if name in ("auto", "classifier", "rotation", "mnist", "cifar10", "celeba"):
        from .classifier_training import load_or_train, why_unlearnable
        from .shipped import SHIPPED, find_shipped, load_shipped

        if name in SHIPPED:
            return load_shipped(name, images, device)

        if images is None:
            raise UserError(f"features {name!r} are learned from images, but none were given: give the training images.")
        if name != "rotation" and (shipped := find_shipped(images)):
            return load_shipped(shipped, images, device)
        rotation = name == "rotation" or (name == "auto" and why_unlearnable(images, "classifier"))
        return load_or_train(images, "rotation" if rotation else "classifier", device, progress)
    if name in ("inception", "inception-keras"):
        from .inception_extractors import FIDInception, KerasInception

        network = FIDInception(weights, resize or "tf1") if name == "inception" else KerasInception(weights)
        return network.to(device).eval()
    file = Path(name).expanduser()
    return _ScriptFeatures(file, images.shape if images else (3, 64, 64)).to(device).eval()


def check_features(name: str, weights: Path | None = None, resize: str | None = None) -> None:
    """Raises UserError for features that no images can have, before images are read; see `load_extractor`."""
    if weights is not None and name in EXTRACTORS and not name.startswith("inception"):
        raise UserError(f"features {name!r} read no weights, but {weights} was given: leave it out, or take 'inception'.")
    if resize is not None and name != "inception":
        raise UserError(f"features {name!r} have no {setting('resize')}, which is that of inception; leave it out.")
    if name in EXTRACTORS:
        if weights is not None and not weights.exists():
            raise UserError(f"{weights} cannot be read: there is no such file. Give the file of the weights of {name}.")
        return
    file = Path(name).expanduser()
    if file.is_file():
        return
    if os.sep in name or file.suffix:
        raise UserError(f"{name} is no file: give a TorchScript file, or one of {', '.join(EXTRACTORS)}.")
    raise UserError(f"no features are called {name!r}; {nearest(name, EXTRACTORS)}")


def inception(weights: str | os.PathLike[str] | None = None, resize: str = "tf1") -> Extractor:
    """Returns the Inception network of the Fréchet Inception distance.

    Arguments:
        weights: The file with its weights; by default it is downloaded once.
        resize: How images are brought to 299x299 pixels: "tf1" as the first implementation and torch-fidelity do,
            "pytorch-fid" as that does, or "clean" as clean-fid's mode of that name does.
    """
    return load_extractor("inception", weights=None if weights is None else Path(weights), resize=resize)
