"""Measures how the cost of the things that users enlarge grows: the exponent p in cost ~ size^p, as each size is doubled.

    python benchmarks/growth.py [--only images side width latents components mixture processes] [--repeats 3] [--quick]

| what is doubled | what is measured | base |
| --- | --- | --- |
| images | the seconds of an epoch | width 8, 32 pixels |
| side | the seconds of a training step | width 8, batch 16 |
| width | the same | 32 pixels, batch 50 |
| latents | the same | width 16, 32 pixels, batch 50 |
| components of the split | the same | the same |
| components of the mixture | the seconds of 3 iterations of its fit | 20,000 codes of 32 dimensions |
| processes | the images per second of as many trainings at once, one thread each | width 16, 32 pixels, batch 50 |

All sizes of a kind are timed in alternation. The exponent is the slope of a straight line through the logarithms. What
arithmetic says is the same slope of the counted floating-point operations (torch.utils.flop_counter: convolutions and
matrix products); for images, components of the mixture and processes it is 1. Beyond the number of cores, processes cannot
give more images per second; so their exponent is fitted up to that number, and what happens beyond is printed.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from timing import Worker, alternate, describe_machine, record_growth, record_reading, serve, spread, timed
from torch.utils.flop_counter import FlopCounterMode

from splitvae.data.images import Images
from splitvae.presets.build import build_vae
from splitvae.presets.registry import find_preset
from splitvae.samplers import em
from splitvae.training.trainer import Trainer

SECONDS_OF_PROCESSES = 4.0
TOLERANCE = 0.15  # an exponent this much above that of the arithmetic is called more than the arithmetic


def build_trainer(count: int = 0, **sizes: Any) -> Trainer:
    """Returns a trainer of the paper's network in float32 on random images; `count` of them, by default one batch."""
    settings = {"width": 16, "batch_size": 50, "shape": (1, 32, 32)} | sizes
    config = find_preset("mnist-svae", **settings, validation=0, precision="32", accelerator="cpu")
    assert config.model.shape is not None
    pixels = torch.randint(0, 256, (count or config.training.batch_size, *config.model.shape), dtype=torch.uint8)
    return Trainer(build_vae(config), config.objective, Images(pixels, None, (), "noise", "train", ()), config)


def make_step(**sizes: Any) -> tuple[Callable[[], None], float]:
    """Returns a function that makes a training step, and the number of its floating-point operations."""
    trainer = build_trainer(**sizes)
    x, group = next(iter(trainer.batches()))

    def step() -> None:
        trainer.train_step(x, group)

    with FlopCounterMode(display=False) as counter:
        step()
    return step, float(counter.get_total_flops())


def make_epoch(count: int) -> tuple[Callable[[], None], float]:
    """Returns a function that trains for an epoch, and the number of images."""
    trainer = build_trainer(count, width=8)

    def epoch() -> None:
        for x, group in trainer.batches():
            trainer.train_step(x, group)
        trainer.check_finite()
        trainer.epoch += 1

    return epoch, float(count)


def make_fit(components: int) -> tuple[Callable[[], None], float]:
    """Returns a function that fits a mixture, and the number of its components."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.randn(20_000, 32, generator=generator, dtype=torch.float64)
    clusters = torch.randint(components, (len(codes),), generator=generator)
    return lambda: em.expectation_maximisation(codes, clusters, components, True, 3), float(components)


KINDS: dict[str, tuple[str, tuple[int, ...], Callable[[int], tuple[Callable[[], object], float]]]] = {
    "images": ("epoch, images", (500, 1000, 2000, 4000), make_epoch),
    "side": ("step, side", (16, 32, 64, 128), lambda n: make_step(shape=(1, n, n), width=8, batch_size=16)),
    "width": ("step, width", (8, 16, 32, 64), lambda n: make_step(width=n)),
    "latents": ("step, latents", (32, 64, 128, 256), lambda n: make_step(latent_dim=n)),
    "components": ("step, components", (2, 4, 8, 16), lambda n: make_step(split=n)),
    "mixture": ("fit, mixture components", (40, 80, 160, 320), make_fit),
}


def fit_exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Returns the slope of the least-squares line through the logarithms."""
    return statistics.linear_regression([math.log(x) for x in sizes], [math.log(y) for y in values]).slope


def judge(exponent: float, expected: float, doubles: str) -> str:
    """Returns a sentence that compares an exponent with that of the arithmetic."""
    if exponent > expected + TOLERANCE:
        return f"more than the arithmetic says: {doubles}"
    if exponent < expected - TOLERANCE:
        return f"less than the arithmetic says: a part of the cost does not grow with it, {doubles}"
    return f"what the arithmetic says, {doubles}"


def measure_growth(kind: str, repeats: int) -> str:
    """Prints the cost at each size of a kind and its exponent, and returns a phrase."""
    what, sizes, make = KINDS[kind]
    made = {size: make(size) for size in sizes}
    seconds = alternate({str(size): timed(work) for size, (work, _) in made.items()}, repeats)
    medians = [statistics.median(times) for times in seconds.values()]
    exponent, expected = fit_exponent(sizes, medians), fit_exponent(sizes, [count for _, count in made.values()])
    last = math.log2(medians[-1] / medians[-2])
    print(f"{what}: exponent {exponent:.2f} (last doubling {last:.2f}), that of the arithmetic {expected:.2f}")
    for size, times in seconds.items():
        print(f"  {size:>6} {spread([1e3 * t for t in times], ',.1f'):>28} ms")
    sentence = judge(exponent, expected, f"a doubling costs {2**exponent:.2f} times as much")
    print(f"  This is {sentence}.", flush=True)
    record_growth(what, sizes, exponent, expected)
    return f"{what} {exponent:.2f} ({expected:.2f})"


def measure_processes(repeats: int) -> str:
    """Prints the images per second of trainings at once, and returns a phrase."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    counts = [1, 2, 4, 8]
    workers = [Worker("--work", environment={"OMP_NUM_THREADS": "1"}) for _ in range(max(counts))]
    rates: dict[int, list[float]] = {count: [] for count in counts}
    for worker in workers:
        worker()  # warms up
    for _ in range(repeats):
        for count in counts:
            end = time.time() + SECONDS_OF_PROCESSES
            for worker in workers[:count]:
                worker.ask(str(end))
            rates[count].append(sum(worker.answer() for worker in workers[:count]))
    for worker in workers:
        worker.close()
    medians = {count: statistics.median(values) for count, values in rates.items()}
    within = [count for count in counts if count <= cores]
    exponent = fit_exponent(within, [medians[count] for count in within]) if len(within) > 1 else math.nan
    print(f"images/s, processes: exponent {exponent:.2f} up to {cores} core(s), that of the arithmetic 1.00")
    for count, values in rates.items():
        print(f"  {count:>6} {spread(values, ',.0f'):>28} images/s in all")
    kept = medians[counts[-1]] / medians[max(within)]
    print(f"  {counts[-1]} processes on {cores} core(s) do {kept:.0%} of what {max(within)} do.", flush=True)
    if len(within) > 1:
        record_growth("images/s, processes", within, exponent, 1.0)
    return f"images/s, processes {exponent:.2f} (1.00; {counts[-1]} on {cores} cores keep {kept:.0%})"


def serve_training() -> None:
    """Trains until the time that each line names, and answers with the images per second."""
    trainer = build_trainer()
    x, group = next(iter(trainer.batches()))

    def train(until: str) -> float:
        start, steps = time.perf_counter(), 0
        while steps < 3 or (until and time.time() < float(until)):
            trainer.train_step(x, group)
            steps += 1
        return steps * len(x) / (time.perf_counter() - start)

    serve(lambda: (train, {}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=(*KINDS, "processes"), default=[*KINDS, "processes"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="all sizes, two repeats")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        serve_training()
        return
    repeats = min(options.repeats, 2) if options.quick else options.repeats
    print(f"{describe_machine()}; float32 on the CPU, the mixture float64")
    phrases = [measure_growth(kind, repeats) for kind in options.only if kind != "processes"]
    if "processes" in options.only:
        phrases.append(measure_processes(repeats))
    record_reading(f"Exponents, and in brackets those of the arithmetic: {'; '.join(phrases)}.")


if __name__ == "__main__":
    main()
