r"""A small network trained on a data set, whose features tell its images apart where Inception's were made for photographs.

    [convolution, BatchNorm, ReLU] x 4 -> mean over pixels -> dense, BatchNorm = features (64) -> ReLU -> dense = logits

The features are taken before the last ReLU: after it half of their values would be zero, and a Gaussian, which is what
the Frechet distance sees of them, would fit them badly. BatchNorm gives each about the same variance.

| task         | it is told                                 | and minimises             |
| ------------ | ------------------------------------------ | ------------------------- |
| `classifier` | classes (N,)                               | cross-entropy             |
| `classifier` | binary attributes (N, A)                   | mean binary cross-entropy |
| `rotation`   | by which of four turns it saw each image   | cross-entropy             |

Rotation sees shapes and where they stand, but little of which classes there are.

It is trained once for a data set, for three epochs but at least 200 and at most 1,500 steps, from a fixed seed, and kept
in cache_dir()/features under the hash of pixels and labels. A tenth of the images, at most 2,000, is held out for its
accuracy. The same machine with as many threads trains the same network anew; another one differs by rounding, which the
fingerprint tells: numbers are comparable where it is the same, so take the file along.

Reference: Unsupervised representation learning by predicting image rotations (Gidaris, Singh, Komodakis, 2018).
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from ..data.images import Images
from ..errors import UserError
from ..utils.console import print_once
from ..utils.download import cache_dir
from ..utils.files import atomic_write
from ..utils.machine import default_device
from .base import deterministic_float32, fingerprint

__all__ = ["Classifier", "Task", "load_or_train", "why_unlearnable"]


Task = Literal["classifier", "rotation"]


RECIPE_VERSION = 1  # to be counted up with each change of network or training: what was cached before is then not found


TRAINING_SEED = 0


STAGE_CHANNELS = (16, 32, 64, 128)


FEATURE_DIM = 64


EPOCHS, MIN_STEPS, MAX_STEPS, BATCH_IMAGES, PEAK_LEARNING_RATE = 3, 200, 1500, 128, 5e-3


MAX_HELD_OUT_IMAGES = 2000


MIN_IMAGES = {"classifier": 50, "rotation": 20}


class Classifier(nn.Module):
    """`classifier(x)` gives features, (B, C, H, W) in [0, 1] -> (B, 64); `logits(features)` what it tells from them.

    Arguments:
        task: what it learns.
        shape: (C, H, W), square; it reads no other images.
        outputs: the number of logits.
        data: what its images are called.
    """

    dim = FEATURE_DIM

    def __init__(self, task: Task, shape: tuple[int, int, int], outputs: int, data: str) -> None:
        super().__init__()
        self.name, self.shape, self.data, self.accuracy = task, shape, data, math.nan
        self.channels, side, _ = shape
        layers: list[nn.Module] = []
        for k, (a, b) in enumerate(zip((self.channels, *STAGE_CHANNELS), STAGE_CHANNELS, strict=False)):
            # The first stage strides more over large images: the time of a step hardly depends on their size.
            stride = (2 * max(1, side // 64) if side >= 16 else 1) if k == 0 else 2 if side > 2 else 1
            kernel = (stride + 3) | 1 if k == 0 else 3
            layers += [nn.Conv2d(a, b, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(b), nn.ReLU(inplace=True)]
            side = math.ceil(side / stride)
        self.stages = nn.Sequential(*layers)
        self.features = nn.Sequential(nn.Linear(STAGE_CHANNELS[-1], FEATURE_DIM, bias=False), nn.BatchNorm1d(FEATURE_DIM))
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(FEATURE_DIM, outputs))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it

    @property
    def note(self) -> str:
        """What numbers from it are comparable with."""
        what = "classifier trained on" if self.name == "classifier" else "network that tells the rotation of"
        return f"features of a small {what} {self.data} (accuracy {self.accuracy:.1%}): not comparable with Inception FIDs"

    @property
    def fingerprint(self) -> str:
        """16 hex digits of the SHA-256 of weights, task and shape."""
        return fingerprint(self, str(self.name), str(self.shape))

    def forward(self, x: Tensor) -> Tensor:
        if tuple(x.shape[1:]) != self.shape:
            raise UserError(
                f"the {self.name} features were learned from images of shape {self.shape} and cannot be taken of images "
                f"of shape {tuple(x.shape[1:])}: bring them to that shape, or learn from images of theirs."
            )
        return self.features(self.stages(x).mean((2, 3)))

    def logits(self, features: Tensor) -> Tensor:
        """(B, 64) -> (B, outputs)"""
        return self.head(features)


def why_unlearnable(images: Images, task: Task) -> str:
    """Why a task cannot be learned from images, with what to do; "" where it can."""
    title, labels = _source_title(images), images.labels
    remedy = "type --features rotation" if task == "classifier" else "give more, or type --features inception"
    if task == "classifier" and labels is None:
        return f"{title} has no labels for a classifier to learn; {remedy}."
    if task == "classifier" and labels is not None and not _varying(labels).any():
        return f"{title} has the same labels on all images, and a classifier would learn nothing; {remedy}."
    if task == "rotation" and images.shape[1] != images.shape[2]:
        return (
            f"{title} has images of {images.shape[1]}x{images.shape[2]} pixels, and only squares can be turned; crop them."
        )
    if len(images) < MIN_IMAGES[task]:
        return (
            f"{title} has {len(images)} images, fewer than the {MIN_IMAGES[task]} that the features {task} need; {remedy}."
        )
    return ""


def load_or_train(
    images: Images, task: Task = "classifier", device: torch.device | None = None, progress: bool = True
) -> Classifier:
    """The network that learned a task from images, in evaluation mode: from the cache, else trained and put there.

    Arguments:
        images: the training part of a data set, in the shape in which features are to be taken.
        task: "classifier" learns the images' labels, "rotation" needs none.
        device: where to train and keep it; by default this machine's accelerator.
        progress: whether to say in a line that it is trained.

    Raises:
        UserError: where nothing can be learned from the images.
    """
    if reason := why_unlearnable(images, task):
        raise UserError(reason)
    device = device or default_device()
    answers = _targets(images, task)
    outputs = 4 if answers is None else answers.shape[1] if answers.ndim == 2 else int(answers.max()) + 1
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(TRAINING_SEED)  # torch.manual_seed would seed the accelerator too
        network = Classifier(task, images.shape, outputs, _source_title(images))
    file = cache_dir() / "features" / f"{task}-{_cache_key(images, task)}.safetensors"
    if not _load_cached(network, file):
        steps = _training_steps(len(images) - _held_out_count(len(images)))
        print_once(
            progress, f"Training the features {task} on {_source_title(images)}, once: {steps} steps, kept in {file}."
        )
        network.to(device)
        _train(network, images.pixels, answers, steps, device)
        try:
            _save(file, network)
        except UserError as error:  # they can be measured all the same
            print_once(progress, f"Note: {error}")
    return network.to(device).eval()


# ---------------------------------------------------------------- what is learned


def _source_title(images: Images) -> str:
    return Path(images.source).name or images.source


def _varying(labels: Tensor) -> Tensor:
    """Which columns of labels (N,) or (N, A) are not the same in all rows."""
    return (labels != labels[:1]).any(0, keepdim=labels.ndim == 1)


def _targets(images: Images, task: Task) -> Tensor | None:
    """Classes (N,) counted through, attributes (N, A) as floats; None for turns, which are drawn as they are needed."""
    if task == "rotation" or images.labels is None:
        return None
    if images.labels.ndim == 1:
        return images.labels.unique(return_inverse=True)[1]
    return images.labels[:, _varying(images.labels)].float()


def _loss(logits: Tensor, answers: Tensor) -> Tensor:
    if answers.is_floating_point():
        return F.binary_cross_entropy_with_logits(logits, answers)
    return F.cross_entropy(logits, answers)


def _is_correct(logits: Tensor, answers: Tensor) -> Tensor:
    """1 for each right answer, else 0."""
    return ((logits > 0 if answers.is_floating_point() else logits.argmax(1)) == answers).double()


def _rotate(x: Tensor, turns: Tensor) -> Tensor:
    """Each image (B, C, H, H) rotated by so many quarter turns (B,)."""
    return torch.stack([x.rot90(k, (2, 3)) for k in range(4)])[turns, torch.arange(len(x), device=x.device)]


# ---------------------------------------------------------------- learning


def _held_out_count(count: int) -> int:
    return min(MAX_HELD_OUT_IMAGES, count // 10)


def _training_steps(count: int) -> int:
    return min(MAX_STEPS, max(MIN_STEPS, EPOCHS * count // BATCH_IMAGES))


def _train(network: Classifier, pixels: Tensor, answers: Tensor | None, steps: int, device: torch.device) -> None:
    """Trains a network on uint8 images, and notes its accuracy on those held out."""
    draw = torch.Generator().manual_seed(TRAINING_SEED)
    order = torch.randperm(len(pixels), generator=draw)
    held, kept = order[: _held_out_count(len(pixels))], order[_held_out_count(len(pixels)) :]
    size = min(BATCH_IMAGES, len(kept))
    epochs = math.ceil(steps * size / len(kept))
    plan = torch.cat([kept[torch.randperm(len(kept), generator=draw)] for _ in range(epochs)])[: steps * size]

    def batch(rows: Tensor, turns: Tensor) -> tuple[Tensor, Tensor]:
        x = pixels[rows].to(device).float().div(255)
        y = (turns if answers is None else answers[rows]).to(device)
        return (_rotate(x, y) if answers is None else x).contiguous(memory_format=torch.channels_last), y

    fused = device.type in ("cpu", "cuda", "mps")
    optimizer = torch.optim.Adam(network.parameters(), lr=PEAK_LEARNING_RATE, fused=fused)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATE, total_steps=steps)
    with deterministic_float32(device):
        with torch.enable_grad():
            network.train()
            for rows in plan.split(size):
                x, y = batch(rows, torch.randint(4, (size,), generator=draw))
                optimizer.zero_grad()
                _loss(network.logits(network(x)), y).backward()
                optimizer.step()
                schedule.step()
        network.eval()
        right = []
        for turn in range(4) if answers is None else (0,):
            for rows in held.split(500):
                x, y = batch(rows, torch.full((len(rows),), turn))
                right.append(_is_correct(network.logits(network(x)), y))
    network.accuracy = float(torch.cat(right).mean())


# ---------------------------------------------------------------- the cache


def _cache_key(images: Images, task: Task) -> str:
    """16 hex digits of the SHA-256 of everything the weights follow from, on one machine."""
    digest = hashlib.sha256(json.dumps([RECIPE_VERSION, task, list(images.pixels.shape)]).encode())
    digest.update(images.pixels.cpu().contiguous().numpy().data)
    if task == "classifier" and images.labels is not None:
        digest.update(images.labels.cpu().contiguous().numpy().data)
    return digest.hexdigest()[:16]


def _load_cached(network: Classifier, file: Path) -> bool:
    """Gives a network the weights and accuracy in a file; leaves it alone where the file is missing or damaged."""
    read = copy.deepcopy(network)
    with suppress(OSError, SafetensorError, RuntimeError, ValueError, KeyError, TypeError):
        with safe_open(file, framework="pt") as content:
            about = json.loads(content.metadata()["splitvae"])
            read.load_state_dict({name: content.get_tensor(name) for name in content.keys()})  # noqa: SIM118, no dict
        if about["fingerprint"] == read.fingerprint:
            network.accuracy = float(about["accuracy"])
            network.load_state_dict(read.state_dict())
            return True
    return False


def _save(file: Path, network: Classifier) -> None:
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    about = {"accuracy": network.accuracy, "fingerprint": network.fingerprint, "recipe": RECIPE_VERSION}
    with atomic_write(file) as draft:
        draft.write_bytes(to_bytes(weights, {"splitvae": json.dumps(about)}))
