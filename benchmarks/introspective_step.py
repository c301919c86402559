"""Measures how many steps of a plain VAE one introspective training step costs.

    python benchmarks/introspective_step.py [--net NET] [--side 32] [--width 16] [--precision auto|bf16|32]

All objectives train the same network on the same random images with the trainer's own steps, timed in alternation in one
process. The plain VAE is the ELBO with one optimizer. The program prints the median duration of a step over alternations,
and quartiles of the ratio to the plain step within an alternation.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from splitvae import Images
from splitvae.config import Config
from splitvae.presets.build import build_vae
from splitvae.training.trainer import Trainer

BATCH_SIZE = 64
STEPS_PER_TIMING = 3
WARM_UP_ALTERNATIONS = 2

LOSSES = {"plain": {"loss": "elbo"}, "intro": {"loss": "intro", "beta": 1.0, "margin": 1000.0}}
LOSSES["soft-intro"] = {"loss": "soft-intro", "gamma": 0.0}


def make_step(fields: dict[str, object], config: Config) -> Callable[[], None]:
    """Returns a function that makes one training step on random images, with fields of the config replaced."""
    config = config.override(**fields)
    torch.manual_seed(0)
    assert config.model.shape is not None
    pixels = torch.randint(0, 256, (2 * BATCH_SIZE, *config.model.shape), dtype=torch.uint8)
    images = Images(pixels, None, (), "noise", "train", ())
    trainer = Trainer(build_vae(config), config.objective, images, config)
    x, _ = trainer.images.batch(trainer.images.epoch_order(0), 0)

    def step() -> None:
        trainer.train_step(x)
        if trainer.fabric.device.type != "cpu":
            torch.accelerator.synchronize()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", default="resnet")
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--kernel", type=int, default=3)
    parser.add_argument("--precision", choices=("auto", "bf16", "32"), default="auto")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--alternations", type=int, default=15)
    options = parser.parse_args()
    config = Config().override(net=options.net)
    sizes = {"width": options.width, "kernel": options.kernel}
    config = config.override(
        shape=(options.channels, options.side, options.side),
        split=1,
        **{name: size for name, size in sizes.items() if name in config.options()},
        batch_size=BATCH_SIZE,
        precision=options.precision,
        accelerator=options.device,
        validation=0,
    )
    steps = {name: make_step(fields, config) for name, fields in LOSSES.items()}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for i in range(options.alternations + WARM_UP_ALTERNATIONS):
        for name, step in steps.items():
            start = time.perf_counter()
            for _ in range(STEPS_PER_TIMING):
                step()
            if i >= WARM_UP_ALTERNATIONS:
                times[name].append((time.perf_counter() - start) / STEPS_PER_TIMING)
    machine = f"torch {torch.__version__}, {options.device}, {torch.get_num_threads()} threads"
    print(f"{machine}, {options.precision}, batch {BATCH_SIZE}")
    print(f"{options.net}, images {config.model.shape}, width {options.width}, kernel {options.kernel}")
    for name, seconds in times.items():
        ratios = [own / plain for own, plain in zip(seconds, times["plain"], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        cost = f"{middle:.2f} plain steps (quartiles {low:.2f} to {high:.2f})"
        print(f"  {name:<11} {1e3 * statistics.median(seconds):7.1f} ms a step, {cost}")


if __name__ == "__main__":
    main()
