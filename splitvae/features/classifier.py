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
once: three epochs, but at least 200 and at most 1,500 steps, from a fixed seed. It is kept in cache_dir()/features under
the hash of pixels and labels. A tenth of the images, at most 2,000, is held out to measure its accuracy.

A CPU trains in one thread, since the order of summation, and with it the weights, would depend on the number of threads.
A GPU trains with deterministic kernels of cuDNN. The same machine therefore trains the same network again, however many
threads it has. Another kind of processor's network differs by rounding, and so does its fingerprint: distances are
comparable if the fingerprint is the same. To compare between machines, copy the file.

Images may have a border of the same width on all sides, as padding adds it, of at most a quarter of the side. The network
reads it as a part of the image.

Reference:
    S. Gidaris, P. Singh, N. Komodakis, Unsupervised representation learning by predicting image rotations, 2018,
    https://arxiv.org/abs/1803.07728
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, NamedTuple

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

__all__ = ["Classifier", "Stage", "Task", "load_or_train", "majority_share", "why_unlearnable"]

Task = Literal["classifier", "rotation"]
RECIPE_VERSION = 2  # to be increased with each change of network or training, so that older cached files are not found
TRAINING_SEED = 0
FEATURE_DIM = 64
EPOCHS, MIN_STEPS, MAX_STEPS, BATCH_IMAGES, PEAK_LEARNING_RATE = 3, 200, 1500, 128, 5e-3
MAX_HELD_OUT_IMAGES = 2000
MIN_IMAGES = {"classifier": 50, "rotation": 20}
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
            "features say little; type --features inception, or mnist, cifar10 or celeba if the images are like those"
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
        return self.features(self.stages(x).mean((2, 3)))

    def reads(self, shape: tuple[int, ...]) -> bool:
        """Returns whether it reads images of a shape (C, H, W): its own, also with a border as padding adds it."""
        if len(shape) != 3 or shape[0] != self.shape[0] or shape[1] - self.shape[1] != shape[2] - self.shape[2]:
            return False
        border, odd = divmod(shape[1] - self.shape[1], 2)
        return not odd and 0 <= border <= self.shape[1] // 4

    def logits(self, features: Tensor) -> Tensor:
        """Returns the logits (B, outputs) of features (B, 64)."""
        return self.head(features)


def why_unlearnable(images: Images, task: Task) -> str:
    """Returns why a task cannot be learned from images, and what to do; "" if it can be learned."""
    name, labels = _source_title(images), images.labels
    remedy = "type --features rotation" if task == "classifier" else "give more, or type --features inception"
    if task == "classifier" and labels is None:
        return f"{name} has no labels for a classifier to learn; {remedy}."
    if task == "classifier" and labels is not None and not _varying_columns(labels).any():
        return f"{name} has the same labels on all images, and a classifier would learn nothing; {remedy}."
    if task == "rotation" and images.shape[1] != images.shape[2]:
        return (
            f"{name} has images of {images.shape[1]}x{images.shape[2]} pixels, and only squares can be turned; crop them."
        )
    if len(images) < MIN_IMAGES[task]:
        return (
            f"{name} has {len(images)} images, fewer than the {MIN_IMAGES[task]} that the features {task} need; {remedy}."
        )
    return ""


def load_or_train(
    images: Images, task: Task = "classifier", device: torch.device | None = None, progress: bool = True
) -> Classifier:
    """Returns the network that learned a task from images, in evaluation mode: from the cache, else newly trained.

    Arguments:
        images: The training part of a data set, in the shape in which features will be extracted.
        task: "classifier" learns the labels of the images, "rotation" needs none.
        device: The device that trains the network and then holds it; by default this machine's accelerator.
        progress: Whether to print a line if the network is trained.

    Raises:
        UserError: If the task cannot be learned from the images.
    """
    if reason := why_unlearnable(images, task):
        raise UserError(reason)
    device = device or default_device()
    targets = _targets(images, task)
    outputs = 4 if targets is None else targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(TRAINING_SEED)  # torch.manual_seed would seed the accelerator too
        network = Classifier(task, images.shape, outputs, _source_title(images))
    network.learns = "attributes" if targets is not None and targets.ndim == 2 else "classes"
    network.majority = majority_share(targets) if targets is not None else 1 / 4
    file = cache_dir() / "features" / f"{task}-{_cache_key(images, task)}.safetensors"
    if not _load_cached(network, file):
        steps = _training_steps(len(images) - _held_out_count(len(images)))
        print_once(progress, f"Training the features {task} on {network.data_name}, once: {steps} steps, kept in {file}.")
        network.to(device)
        _train(network, images.pixels, targets, steps, device)
        try:
            _save(file, network)
        except UserError as error:  # the features can be extracted all the same
            print_once(progress, f"Note: {error}")
    return network.to(device).eval()


# ---------------------------------------------------------------- the task


def _source_title(images: Images) -> str:
    return Path(images.source).name or images.source


def _varying_columns(labels: Tensor) -> Tensor:
    """Returns which columns of labels (N,) or (N, A) are not the same in all rows."""
    return (labels != labels[:1]).any(0, keepdim=labels.ndim == 1)


def _targets(images: Images, task: Task) -> Tensor | None:
    """Returns class indices (N,) or attributes (N, A) as floats; None for rotations, which each batch draws."""
    if task == "rotation" or images.labels is None:
        return None
    if images.labels.ndim == 1:
        return images.labels.unique(return_inverse=True)[1]
    return images.labels[:, _varying_columns(images.labels)].float()


def majority_share(targets: Tensor) -> float:
    """Returns the accuracy of always naming the most frequent class (N,), or value of each attribute (N, A) as floats."""
    if targets.is_floating_point():
        share = targets.double().mean(0)
        return float(torch.maximum(share, 1 - share).mean())
    return int(targets.bincount().max()) / len(targets)


def _loss(logits: Tensor, targets: Tensor) -> Tensor:
    if targets.is_floating_point():
        return F.binary_cross_entropy_with_logits(logits, targets)
    return F.cross_entropy(logits, targets)


def _is_correct(logits: Tensor, targets: Tensor) -> Tensor:
    """Returns 1 for each correct prediction, else 0, as float64."""
    return ((logits > 0 if targets.is_floating_point() else logits.argmax(1)) == targets).double()


def _rotate(x: Tensor, quarter_turns: Tensor) -> Tensor:
    """Rotates each image (B, C, H, H) by its number of quarter turns (B,)."""
    return torch.stack([x.rot90(k, (2, 3)) for k in range(4)])[quarter_turns, torch.arange(len(x), device=x.device)]


# ---------------------------------------------------------------- training


def _held_out_count(count: int) -> int:
    return min(MAX_HELD_OUT_IMAGES, count // 10)


def _training_steps(count: int) -> int:
    return min(MAX_STEPS, max(MIN_STEPS, EPOCHS * count // BATCH_IMAGES))


def _train(network: Classifier, pixels: Tensor, targets: Tensor | None, steps: int, device: torch.device) -> None:
    """Trains a network on uint8 images, and sets its accuracy on the images held out."""
    generator = torch.Generator().manual_seed(TRAINING_SEED)
    order = torch.randperm(len(pixels), generator=generator)
    held_out_rows, training_rows = order[: _held_out_count(len(pixels))], order[_held_out_count(len(pixels)) :]
    size = min(BATCH_IMAGES, len(training_rows))
    epochs = math.ceil(steps * size / len(training_rows))
    shuffled = [training_rows[torch.randperm(len(training_rows), generator=generator)] for _ in range(epochs)]

    def load_batch(rows: Tensor, turns: Tensor) -> tuple[Tensor, Tensor]:
        x = pixels[rows].to(device).float().div(255)
        y = (turns if targets is None else targets[rows]).to(device)
        return (_rotate(x, y) if targets is None else x).contiguous(memory_format=torch.channels_last), y

    fused = device.type in ("cpu", "cuda", "mps")
    optimizer = torch.optim.Adam(network.parameters(), lr=PEAK_LEARNING_RATE, fused=fused)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATE, total_steps=steps)
    with _reproducible_threads(device), deterministic_float32(device):
        with torch.enable_grad():
            network.train()
            for rows in torch.cat(shuffled)[: steps * size].split(size):
                x, y = load_batch(rows, torch.randint(4, (size,), generator=generator))
                optimizer.zero_grad()
                _loss(network.logits(network(x)), y).backward()
                optimizer.step()
                schedule.step()
        network.eval()
        correct = []
        for turn in range(4) if targets is None else (0,):
            for rows in held_out_rows.split(500):
                x, y = load_batch(rows, torch.full((len(rows),), turn))
                correct.append(_is_correct(network.logits(network(x)), y))
    network.accuracy = float(torch.cat(correct).mean())


@contextmanager
def _reproducible_threads(device: torch.device) -> Iterator[None]:
    """Computes the block in one thread on a CPU, so that sums do not depend on the number of threads."""
    threads = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


# ---------------------------------------------------------------- the cache


def _cache_key(images: Images, task: Task) -> str:
    """Returns the first 16 hex digits of the SHA-256 of everything that determines the weights on one machine."""
    digest = hashlib.sha256(json.dumps([RECIPE_VERSION, task, list(images.pixels.shape)]).encode())
    digest.update(images.pixels.cpu().contiguous().numpy().data)
    if task == "classifier" and images.labels is not None:
        digest.update(images.labels.cpu().contiguous().numpy().data)
    return digest.hexdigest()[:16]


def _load_cached(network: Classifier, file: Path) -> bool:
    """Loads the weights and accuracy in a file into a network; returns False if the file is missing or damaged."""
    candidate = copy.deepcopy(network)
    with suppress(OSError, SafetensorError, RuntimeError, ValueError, KeyError, TypeError):
        with safe_open(file, framework="pt") as content:
            metadata = json.loads(content.metadata()["splitvae"])
            candidate.load_state_dict({name: content.get_tensor(name) for name in content.keys()})  # noqa: SIM118, no dict
        if metadata["fingerprint"] == candidate.fingerprint:
            network.accuracy = float(metadata["accuracy"])
            network.load_state_dict(candidate.state_dict())
            return True
    return False


def _save(file: Path, network: Classifier) -> None:
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    metadata = {"accuracy": network.accuracy, "fingerprint": network.fingerprint, "recipe": RECIPE_VERSION}
    with atomic_write(file) as draft:
        draft.write_bytes(to_bytes(weights, {"splitvae": json.dumps(metadata)}))
