r"""Extractors: what turns images into the features that distances between sets of images are measured in.

An extractor f maps images in [0, 1] to vectors. Distances of f(generated) from f(real) depend on f as much as on the
images, so that each extractor says what its numbers are comparable with (`note`) and which weights it has (`fingerprint`).

| name              | features of                                                                      |
| ----------------- | -------------------------------------------------------------------------------- |
| `classifier`      | a small classifier trained on the data's own labels (classifier.py)              |
| `rotation`        | the same network, trained to tell by which quarter turn an image was rotated     |
| `auto`            | `classifier` where there are labels to learn from, else `rotation`               |
| `inception`       | the Inception network of the Frechet inception distance (inception.py)           |
| `inception-keras` | Keras's Inception network (inception.py)                                         |
| a file            | a TorchScript module, (B, C, H, W) float in [0, 1] -> (B, dim) or (B, dim, 1, 1) |

References: GANs trained by a two time-scale update rule converge to a local Nash equilibrium (Heusel et al., 2017), the
distance; Unsupervised representation learning by predicting image rotations (Gidaris et al., 2018).
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch

from ..data.images import Images
from ..errors import UserError, nearest
from ..utils.machine import default_device
from .base import Extractor, ModuleFeatures

__all__ = ["EXTRACTORS", "inception", "load_extractor"]


EXTRACTORS = ("auto", "classifier", "rotation", "inception", "inception-keras")


class _ScriptFeatures(ModuleFeatures):
    """A TorchScript file, known by its bytes."""

    def __init__(self, file: Path, shape: tuple[int, int, int]) -> None:
        try:
            content = file.read_bytes()
            module = torch.jit.load(file, map_location="cpu")
        except OSError as error:
            raise UserError(f"{file} cannot be read: {error.strerror}.") from None
        except (RuntimeError, ValueError) as error:  # what its reader of archives raises
            raise UserError(
                f"{file} is no TorchScript file ({str(error).splitlines()[0]}): write one by "
                "torch.jit.script(module).save(file). Pickled modules are not loaded, since reading them executes code."
            ) from None
        super().__init__(module, file.name, shape)
        self.note = f"features of {file.name}: comparable only with numbers from the same file"
        self.digest = hashlib.sha256(content).hexdigest()[:16]

    @property
    def fingerprint(self) -> str:
        """16 hex digits of the SHA-256 of the file."""
        return self.digest


def load_extractor(
    name: str,
    images: Images | None = None,
    weights: Path | None = None,
    device: torch.device | None = None,
    progress: bool = True,
) -> Extractor:
    """The extractor called `name`, or that in the TorchScript file `name`, in evaluation mode.

    Arguments:
        name: one of `EXTRACTORS`, or a path.
        images: the training part of the data, which "auto", "classifier" and "rotation" learn from, once for all: what
            they learned is kept in the cache.
        weights: the file that "inception" or "inception-keras" reads its weights from.
        device: where it computes; by default this machine's accelerator.
        progress: whether to say that a network is trained.

    Raises:
        UserError: for an unknown name, images that nothing can be learned from, a file of another kind.
    """
    device = device or default_device()
    if weights is not None and name in EXTRACTORS and not name.startswith("inception"):
        raise UserError(f"features {name!r} read no weights, but {weights} was given: leave it away, or take 'inception'.")
    if name in ("auto", "classifier", "rotation"):
        from .classifier import load_or_train, why_unlearnable

        if images is None:
            raise UserError(f"features {name!r} are learned from images, but none were given: give the training images.")
        rotation = name == "rotation" or (name == "auto" and why_unlearnable(images, "classifier"))
        return load_or_train(images, "rotation" if rotation else "classifier", device, progress)
    if name in ("inception", "inception-keras"):
        from .inception_v3 import FIDInception, KerasInception

        return (FIDInception if name == "inception" else KerasInception)(weights).to(device).eval()
    file = Path(name).expanduser()
    if file.is_file():
        return _ScriptFeatures(file, images.shape if images else (3, 64, 64)).to(device).eval()
    if os.sep in name or file.suffix:
        raise UserError(f"{name} is no file: give a TorchScript file, or one of {', '.join(EXTRACTORS)}.")
    raise UserError(f"no features are called {name!r}; {nearest(name, EXTRACTORS)}")


def inception(weights: str | os.PathLike[str] | None = None) -> Extractor:
    """The Inception network of the Frechet inception distance; `weights` is its file, by default downloaded once."""
    return load_extractor("inception", weights=None if weights is None else Path(weights))
