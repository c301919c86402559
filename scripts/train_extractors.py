"""Trains the extractors that the library carries, one at a time, and prints the hash and the accuracy of each.

    python scripts/train_extractors.py mnist mnist
    python scripts/train_extractors.py cifar10 FOLDER --described "JPEG copies (quality 75) of the images"
    python scripts/train_extractors.py celeba FOLDER --described "whole frames squashed to 64x64, and their centres"

It writes splitvae/features/weights/NAME.safetensors. The hash belongs into splitvae/features/shipped.py. Training uses one
thread, a fixed seed and deterministic operations, so that a second run on the same kind of processor with the same version
of PyTorch writes the same bytes. The file holds weights, and the recipe, the hash of the data and the accuracy as metadata,
but no image.
"""

import argparse
import hashlib
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor

import splitvae
from splitvae.features.classifier import Classifier, Stage

WEIGHTS = Path(splitvae.__file__).parent / "features" / "weights"
MOST_BYTES = 1_000_000
SEED = 0


@dataclass(frozen=True)
class Recipe:
    """Creates the settings of a training.

    Arguments:
        stages: The convolutions of the network.
        epochs: The number of epochs.
        shift: How far an image is moved at random along each axis, in pixels.
        mirror: Whether half of the images are mirrored.
        zoom: The height and width of the smallest part of an image that is cut out, as shares; whole images to this part
            are cut out equally often.
        batch_size: The number of images in a step.
        lr: The largest learning rate of the cycle (Smith & Topin, 2018).
        weight_decay: The weight decay of AdamW.
    """

    stages: tuple[Stage, ...]
    epochs: int
    shift: int = 2
    mirror: bool = False
    zoom: tuple[float, float] = (1.0, 1.0)
    batch_size: int = 128
    lr: float = 5e-3
    weight_decay: float = 0.02


RECIPES = {
    "mnist": Recipe((Stage(16, 5, 2), Stage(32, 3, 2), Stage(64, 3, 2), Stage(128, 3, 2)), epochs=15),
    "cifar10": Recipe(
        (Stage(32, 5, 2), Stage(48), Stage(64, 3, 2), Stage(96), Stage(128, 3, 2)), epochs=16, shift=3, mirror=True
    ),
    # From the whole frame of 178x218 pixels to its centre of 148x148, both of which are common.
    "celeba": Recipe(
        (Stage(16, 5, 2), Stage(32, 3, 2), Stage(64), Stage(96, 3, 2), Stage(128, 3, 2)),
        epochs=14,
        mirror=True,
        zoom=(148 / 218, 148 / 178),
    ),
}


def augment(x: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Returns images (B, C, H, W) that are mirrored, cut out and moved at random."""
    count, side = len(x), x.shape[2]
    size = 1 - torch.rand(count, 1, generator=generator) * (1 - torch.tensor(recipe.zoom))  # (B, 2), height and width
    move = torch.randint(-recipe.shift, recipe.shift + 1, (count, 2), generator=generator) * (2 / side)
    flip = 1 - 2 * (torch.rand(count, generator=generator) < 0.5 * recipe.mirror).float()
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = size[:, 1] * flip, size[:, 0], move
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="zeros" if x.shape[1] == 1 else "reflection", align_corners=False)


def train(network: Classifier, images: splitvae.Images, recipe: Recipe) -> None:
    """Trains a network on all images of a part."""
    targets, generator = targets_of(images), torch.Generator().manual_seed(SEED)
    steps = len(images) // recipe.batch_size
    optimizer = torch.optim.AdamW(network.parameters(), recipe.lr, weight_decay=recipe.weight_decay, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.lr, total_steps=recipe.epochs * steps)
    network.train()
    for epoch in range(recipe.epochs):
        began, total = time.perf_counter(), 0.0
        rows = torch.randperm(len(images), generator=generator)[: steps * recipe.batch_size]
        for part in rows.split(recipe.batch_size):
            x = augment(images.pixels[part].float().div(255), recipe, generator)
            logits = network.logits(network(x.contiguous(memory_format=torch.channels_last)))
            loss = loss_of(logits, targets[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        print(
            f"epoch {epoch + 1} of {recipe.epochs}: loss {total / steps:.4f}, {time.perf_counter() - began:.0f} s",
            flush=True,
        )
    network.eval()


def targets_of(images: splitvae.Images) -> Tensor:
    """Returns class indices (N,), or binary attributes (N, A) as floats."""
    assert images.labels is not None
    return images.labels if images.labels.ndim == 1 else images.labels.float()


def loss_of(logits: Tensor, targets: Tensor) -> Tensor:
    """Returns the cross-entropy of classes, or the mean binary cross-entropy of attributes."""
    if targets.is_floating_point():
        return F.binary_cross_entropy_with_logits(logits, targets)
    return F.cross_entropy(logits, targets)


@torch.no_grad()
def measure_accuracy(network: Classifier, images: splitvae.Images) -> tuple[float, float]:
    """Returns the accuracy on images, mean over attributes, and that of always naming the most frequent value."""
    targets = targets_of(images)
    logits = torch.cat([network.logits(network(part.float() / 255)) for part in images.pixels.split(500)])
    if targets.ndim == 2:
        share = targets.double().mean(0)
        return float(((logits > 0) == targets).double().mean()), float(torch.maximum(share, 1 - share).mean())
    return float((logits.argmax(1) == targets).double().mean()), float(targets.bincount().max() / len(targets))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("source", help="what splitvae.load reads: a name, a folder, a file")
    parser.add_argument("--described", default="", help="what is special about these images, for the note")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--epochs", type=int, default=0, help="fewer epochs, to try it")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    recipe = RECIPES[options.name]
    if options.epochs:
        recipe = Recipe(**{**recipe.__dict__, "epochs": options.epochs})
    images = splitvae.load(options.source)
    test = splitvae.load(options.source, "test", side=images.shape[1], channels=images.shape[0])
    torch.manual_seed(SEED)
    targets = targets_of(images)
    outputs = targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1
    network = Classifier("classifier", images.shape, outputs, options.name, recipe.stages)
    train(network, images, recipe)
    accuracy, majority = measure_accuracy(network, test)
    assert math.isfinite(accuracy)
    metadata = {
        "name": options.name,
        "shape": list(images.shape),
        "outputs": outputs,
        "stages": [list(stage) for stage in recipe.stages],
        "classes": list(images.classes),
        "accuracy": round(accuracy, 4),
        "majority": round(majority, 4),
        "described": options.described,
        "training_images": len(images),
        "training_sha256": images.sha256,
        "test_images": len(test),
        "test_sha256": test.sha256,
        "recipe": asdict(recipe) | {"seed": SEED, "optimizer": "AdamW", "schedule": "OneCycleLR", "threads": 1},
        "torch": torch.__version__,
        "script": "scripts/train_extractors.py",
    }
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    content = save(weights, {"splitvae": json.dumps(metadata)})
    assert len(content) < MOST_BYTES, f"{len(content):,} bytes are too many"
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"{options.name}.safetensors"
    file.write_bytes(content)
    print(f"{file}: {len(content):,} bytes, sha256 {hashlib.sha256(content).hexdigest()}")
    print(f"accuracy on {len(test):,} test images {accuracy:.2%}, of the most frequent value {majority:.2%}")


if __name__ == "__main__":
    main()
