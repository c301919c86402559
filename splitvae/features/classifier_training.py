"""The training of a classifier on a data set, once: the trained network is kept in the cache.

A training has three epochs, but at least 200 and at most 1,500 steps, from a fixed seed. The network is kept in
cache_dir()/features under the hash of pixels and labels. A tenth of the images, at most 2,000, is held out to measure its
accuracy.

A CPU trains in one thread, since the order of summation, and with it the weights, would depend on the number of threads.
A GPU trains with deterministic kernels of cuDNN. The same machine therefore trains the same network again, however many
threads it has. Another kind of processor's network differs by rounding, and so does its fingerprint: distances are
comparable if the fingerprint is the same. To compare between machines, copy the file.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from ..data.images import Images
from ..errors import UserError, setting
from ..utils.console import print_once
from ..utils.download import cache_dir
from ..utils.files import atomic_write
from ..utils.machine import default_device, has_fused_adam
from ..utils.random_streams import fixed_seed
from .base import deterministic_float32
from .classifier import Classifier, Task

__all__ = ["load_or_train", "majority_share", "why_unlearnable"]

RECIPE_VERSION = 2  # to be increased with each change of network or training, so that older cached files are not found
TRAINING_SEED = 0
EPOCHS, MIN_STEPS, MAX_STEPS, BATCH_IMAGES, PEAK_LEARNING_RATE = 3, 200, 1500, 128, 5e-3
MAX_HELD_OUT_IMAGES = 2000
IMAGES_PER_BLOCK = 2048  # that are hashed at once
MIN_IMAGES = {"classifier": 50, "rotation": 20}


def why_unlearnable(images: Images, task: Task) -> str:
    """Returns why a task cannot be learned from images, and what to do; "" if it can be learned."""
    name, labels = _source_title(images), images.labels
    remedy = f"type {setting('features', 'rotation')}"
    if task != "classifier":
        remedy = f"give more, or type {setting('features', 'inception')}"
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
    with fixed_seed(TRAINING_SEED):
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

    optimizer = torch.optim.Adam(network.parameters(), lr=PEAK_LEARNING_RATE, fused=has_fused_adam(device))
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
    for block in images.pixels.split(IMAGES_PER_BLOCK):
        digest.update(block.cpu().contiguous().numpy().data)
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
