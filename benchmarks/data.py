"""Measures how fast images are decoded, opened and read, from memory and from the cache, and the memory of a training.

    python benchmarks/data.py [--images 4000] [--large 100000] [--folder FOLDER]

All images are made at random here. Decoding: JPEGs of several sizes, brought to 64 pixels, by one thread and by two
processes, and by two threads, in alternation. Reading: batches of 100 images of 64x64x3 from memory and from the mapped
file, with all its pages in memory, in alternation, then from the file alone after the system dropped its pages. Memory: the
anonymous memory (RssAnon in /proc/self/status; pages of files are not counted) of a training on many mapped images above
that of the same training on few, each in a process of its own; the largest value of samples taken every 10 ms.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from timing import record_bar

from splitvae.data import decode
from splitvae.data.images import Images
from splitvae.data.mapped import MapOrigin, open_pixels
from splitvae.data.sources import load
from splitvae.presets.build import build_vae
from splitvae.presets.registry import find_preset
from splitvae.training.trainer import Trainer

SHAPE = (3, 64, 64)
SIZES = ((64, 64), (218, 178), (1024, 768))  # of the JPEGs: height and width
BATCH_SIZE = 100
ALTERNATIONS = 3
COLD_BATCHES = 100
ALLOWED_MB = 500


def make_jpegs(count: int, height: int, width: int) -> list[bytes]:
    """Returns JPEGs of smooth noise."""
    rng = np.random.default_rng(0)
    files = []
    for _ in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
        file = io.BytesIO()
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
        files.append(file.getvalue())
    return files


def decode_block(block: list[bytes]) -> np.ndarray:
    return np.stack([decode._decode_image(item, SHAPE[1], None, SHAPE[0]) for item in block])


def measure_decoding(count: int) -> None:
    """Prints images per second of one thread, two threads and two processes."""
    decode._available_formats()
    print("decoding JPEGs to 64x64, images/s, medians of 3 alternations")
    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(2) as processes:
        for height, width in SIZES:
            items = make_jpegs(max(100, count * 64 * 64 // (height * width)), height, width)
            blocks = [items[i : i + 25] for i in range(0, len(items), 25)]
            list(processes.map(decode_block, blocks[:4]))
            rates: dict[str, list[float]] = {"1 thread": [], "2 threads": [], "2 processes": []}
            maps: tuple[Callable[..., object], ...] = (map, threads.map, processes.map)
            for _ in range(3):
                for name, run in zip(rates, maps, strict=True):
                    start = time.perf_counter()
                    for _ in run(decode_block, blocks):  # type: ignore[attr-defined]  # the maps have no type in common
                        pass
                    rates[name].append(len(items) / (time.perf_counter() - start))
            text = ", ".join(f"{name} {statistics.median(values):,.0f}" for name, values in rates.items())
            print(f"  {width}x{height}: {text}", flush=True)


def measure_opening(folder: Path, count: int) -> None:
    """Prints the time of the first and of the second load of a folder of images."""
    photos = folder / "photos"
    (photos / "a").mkdir(parents=True)
    for i, item in enumerate(make_jpegs(count, 64, 64)):
        (photos / "a" / f"{i:06}.jpg").write_bytes(item)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        images = load(photos, "all", cache=True)
        times.append(time.perf_counter() - start)
    start = time.perf_counter()
    direct = load(photos, "all", cache=False)
    assert torch.equal(direct.pixels, images.pixels)
    print(
        f"a folder of {count:,} JPEGs of 64x64: first load {times[0]:.2f} s ({count / times[0]:,.0f} images/s), "
        f"second {times[1]:.3f} s, third {times[2]:.3f} s; decoded into memory {time.perf_counter() - start:.2f} s",
        flush=True,
    )


def write_noise(path: Path, count: int) -> None:
    """Writes random pixels."""
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        for start in range(0, count, 1000):
            file.write(rng.integers(0, 256, (min(1000, count - start), *SHAPE), np.uint8).data)


def open_images(path: Path) -> Images:
    """Opens such pixels as `load` opens a prepared set."""
    count = path.stat().st_size // int(np.prod(SHAPE))
    origin = MapOrigin(path.parent, hashlib.sha256(path.name.encode()).hexdigest())
    return Images(open_pixels(path, (count, *SHAPE), origin), None, (), "noise", "train", ())


def make_trainer(images: Images, width: int) -> Trainer:
    options = {"width": width, "batch_size": BATCH_SIZE, "validation": 1000, "precision": "32", "accelerator": "cpu"}
    config = find_preset("celeba-svae", devices=1, **options)
    torch.manual_seed(0)
    return Trainer(build_vae(config), config.objective, images, config)


def batches_per_second(trainer: Trainer, epoch: int, limit: int = 10**9) -> float:
    order = trainer.images.epoch_order(epoch)
    count = min(limit, len(order.rows) // BATCH_SIZE)
    start = time.perf_counter()
    for i in range(count):
        trainer.images.batch(order, i * BATCH_SIZE)
    return count / (time.perf_counter() - start)


def steps_per_second(trainer: Trainer, epoch: int, steps: int) -> float:
    order = trainer.images.epoch_order(epoch)
    start = time.perf_counter()
    for i in range(steps):
        trainer.train_step(*trainer.images.batch(order, i * BATCH_SIZE))
    return steps / (time.perf_counter() - start)


def measure_reading(path: Path) -> None:
    """Prints batches and steps per second from memory and from the mapped file."""
    mapped = open_images(path)
    copy = Images(mapped.pixels.clone(), None, (), "noise", "train", ())
    trainers = {"memory": make_trainer(copy, 16), "file": make_trainer(mapped, 16)}
    for what, unit, measure in (
        ("batches", "batches/s", lambda trainer, i: batches_per_second(trainer, i)),
        ("training steps at width 16", "steps/s", lambda trainer, i: steps_per_second(trainer, i, 3)),
    ):
        rates: dict[str, list[float]] = {name: [] for name in trainers}
        for i in range(ALTERNATIONS + 1):
            for name, trainer in trainers.items():
                rates[name].append(measure(trainer, i))
        pairs = zip(rates["file"][1:], rates["memory"][1:], strict=True)
        ratios = [file / memory for file, memory in pairs]
        text = ", ".join(f"from {name} {statistics.median(values[1:]):,.1f}" for name, values in rates.items())
        print(
            f"{what} of {BATCH_SIZE}, {len(mapped):,} images, {unit}: {text}; file / memory "
            f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})",
            flush=True,
        )


def measure_cold_reading(path: Path) -> None:
    """Prints batches per second from a file of which nothing is in memory; no process may have it mapped."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    trainer = make_trainer(open_images(path), 16)
    first = batches_per_second(trainer, 0, COLD_BATCHES)
    warm = batches_per_second(trainer, 0, COLD_BATCHES)
    print(f"{COLD_BATCHES} batches when nothing of the file is in memory: {first:,.1f} batches/s, again {warm:,.1f}")


@contextmanager
def peak_anonymous_memory() -> Iterator[list[float]]:
    """Yields a list that ends with the largest anonymous memory of this process in the block, in MB."""
    values, done = [0.0], threading.Event()

    def sample() -> None:
        while not done.wait(0.01):
            status = Path("/proc/self/status").read_text()
            values[0] = max(values[0], int(status.split("RssAnon:")[1].split()[0]) * 1024 / 1e6)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield values
    finally:
        done.set()
        thread.join()


def train_for_memory(path: Path) -> None:
    """Opens images, takes their hash, and trains and validates on them; prints the peak of the memory in MB."""
    with peak_anonymous_memory() as values:
        images = open_images(path)
        trainer = make_trainer(images, 16)
        batches_per_second(trainer, 0)  # touches every page
        steps_per_second(trainer, 0, 3)
        trainer.validate()
    print(json.dumps(values[0]))


def measure_memory(folder: Path, path: Path, count: int) -> None:
    """Prints the anonymous memory of a training on many mapped images above that of one on few."""
    few = folder / "few.bin"
    write_noise(few, 10_000)
    peaks = []
    for each in (few, path):
        command = [sys.executable, os.path.abspath(__file__), "--train", str(each)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks.append(json.loads(done.stdout.splitlines()[-1]))
    verdict = record_bar(f"memory of {count:,} mapped images in a training", peaks[1] - peaks[0], ALLOWED_MB, "MB")
    print(
        f"anonymous memory of a training from the file: {peaks[0]:,.0f} MB on 10,000 images, {peaks[1]:,.0f} MB on "
        f"{count:,} images of {path.stat().st_size / 1e6:,.0f} MB: {peaks[1] - peaks[0]:,.0f} MB more ({verdict})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4000, help="JPEGs that are decoded")
    parser.add_argument("--large", type=int, default=100_000, help="mapped images")
    parser.add_argument("--folder", type=Path, help="where the files lie meanwhile; by default that of temporary files")
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--cold", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        train_for_memory(options.train)
        return
    if options.cold:
        measure_cold_reading(options.cold)
        return
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        os.environ["SPLITVAE_DATA"] = str(folder / "cache")
        measure_decoding(options.images)
        measure_opening(folder, 10 * options.images)
        path = folder / "noise.bin"
        write_noise(path, options.large)
        subprocess.run([sys.executable, os.path.abspath(__file__), "--cold", str(path)], check=True)
        measure_reading(path)
        measure_memory(folder, path, options.large)


if __name__ == "__main__":
    main()
