"""Compares the images per second of batches from a folder of photographs with those of PyTorch's DataLoader.

    python benchmarks/folder_peers.py [--images 2000] [--side 64] [--repeats 3] [--quick]

The folder holds random JPEG photographs of 178x218 pixels, the size of CelebA's. A batch is 100 images in a random order,
as floats in [0, 1] of shape (100, 3, side, side). splitvae decodes the folder once, in `splitvae.load`, and keeps bytes;
the peer decodes each image in each epoch, in a dataset as people write it, with 0 and with 2 worker processes. Both cut the
centre square and resize it with antialiasing. splitvae lets the JPEG decoder drop what is smaller than two pixels of the
result, which the peer does not; so pixels differ slightly. Bytes in the page cache of the system serve both.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from timing import alternate, describe_machine, record_comparison, record_reading, spread, timed
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

import splitvae
from splitvae.presets.build import build_vae
from splitvae.presets.registry import find_preset
from splitvae.training.trainer import Trainer

BATCH_SIZE = 100
PHOTO_SIZE = (178, 218)  # width and height in pixels
WORKERS = (0, 2)


def write_photos(folder: Path, count: int) -> None:
    """Writes random JPEG photographs, which are smooth, so that they are as large as real ones."""
    random = np.random.default_rng(0)
    for i in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (14, 11, 3), dtype=np.uint8))
        coarse.resize(PHOTO_SIZE, Image.Resampling.BICUBIC).save(folder / f"{i:06}.jpg", quality=90)


class Photos(Dataset[Tensor]):
    """The images of a folder, decoded when they are asked for.

    Arguments:
        folder: The folder.
        side: The side of the result in pixels.
    """

    def __init__(self, folder: Path, side: int) -> None:
        self.paths, self.side = sorted(folder.glob("*.jpg")), side

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        with Image.open(self.paths[index]) as file:
            image = file.convert("RGB")
        square = min(image.size)
        left, top = (image.width - square) // 2, (image.height - square) // 2
        image = image.crop((left, top, left + square, top + square))
        image = image.resize((self.side, self.side), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


def make_splitvae_epochs(folder: Path, side: int, cache: Path | None) -> Callable[[], Callable[[], None]]:
    """Returns a function that reads the folder and returns a function that makes the batches of an epoch.

    Arguments:
        folder: The folder of the photographs.
        side: The side of the result in pixels.
        cache: Where each reading gets an empty cache of its own; None leaves that of the last reading.
    """
    sizes: dict[str, Any] = {"shape": (3, side, side), "width": 8, "batch_size": BATCH_SIZE, "validation": 0}
    config = find_preset("celeba-svae", **sizes, mirror=False, accelerator="cpu")
    vae = build_vae(config)  # no part of what is compared

    def read() -> Callable[[], None]:
        if cache is not None:
            os.environ["SPLITVAE_DATA"] = tempfile.mkdtemp(dir=cache)
        images = splitvae.load(folder, "all", side=side, channels=3)
        trainer = Trainer(vae, config.objective, images, config)

        def make_batches() -> None:
            for _ in trainer.batches():
                trainer.step += 1
            trainer.epoch += 1

        return make_batches

    return read


def make_loader_epochs(folder: Path, side: int, workers: int) -> Callable[[], Callable[[], None]]:
    """Returns a function that makes a DataLoader and returns a function that makes the batches of an epoch."""

    def make() -> Callable[[], None]:
        options: dict[str, Any] = {"shuffle": True, "drop_last": True, "persistent_workers": workers > 0}
        loader = DataLoader(Photos(folder, side), BATCH_SIZE, num_workers=workers, **options)

        def make_batches() -> None:
            for _ in loader:
                pass

        return make_batches

    return make


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="2,000 images")
    options = parser.parse_args()
    count = min(options.images, 2000) if options.quick else options.images
    count -= count % BATCH_SIZE
    print(f"{describe_machine('pillow')}; {count:,} JPEG files of 178x218 to {options.side}x{options.side}")
    with tempfile.TemporaryDirectory() as temporary:
        folder, cache = Path(temporary, "photos"), Path(temporary, "cache")
        folder.mkdir(), cache.mkdir()
        write_photos(folder, count)
        readers = {"splitvae": make_splitvae_epochs(folder, options.side, cache)}
        readers |= {f"DataLoader, {n} workers": make_loader_epochs(folder, options.side, n) for n in WORKERS}
        firsts = {name: timed(lambda read=read: read()()) for name, read in readers.items()}
        seconds = {"first epoch, with reading the folder": alternate(firsts, options.repeats, warm_up=0)}
        readers["splitvae"] = make_splitvae_epochs(folder, options.side, None)
        firsts["splitvae"] = timed(lambda: readers["splitvae"]()())
        seconds["first epoch of the next run, with reading the folder"] = alternate(firsts, options.repeats, warm_up=0)
        epochs = {name: timed(read()) for name, read in readers.items()}
        seconds["later epoch"] = alternate(epochs, options.repeats)
        del epochs
    readings = []
    for what, times in seconds.items():
        print(f"{what}:")
        rates = {name: [count / s for s in values] for name, values in times.items()}
        for name, values in rates.items():
            line = f"  {name:<22} {spread(values, ',.0f'):>28} images/s"
            if name != "splitvae":
                ratio = record_comparison(f"batches of a folder, {what}", name, "images/s", rates["splitvae"], values)
                line += f"; splitvae is {ratio} times as fast"
                readings.append(f"{ratio.split()[0]} times {name} in a {what.split(',')[0]}")
            print(line)
    record_reading(f"Batches of photographs come at {', '.join(readings)}.")


if __name__ == "__main__":
    main()
