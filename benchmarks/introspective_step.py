"""What an introspective step costs in plain ones: the trainer's own steps, in alternation, in one process.

    python benchmarks/introspective_step.py [--net NET] [--side 32] [--width 16] [--precision auto|bf16|32]

Both train the same network on the same random images; the plain VAE is the ELBO with one optimizer. Printed are medians
over alternations of the seconds a step, and the quartiles of the ratios within an alternation.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from splitvae import Images
from splitvae.config import Config
from splitvae.presets.build import objective_of, build_vae
from splitvae.training.trainer import Trainer

BATCH = 64
LOSSES = {"plain": {"loss": "elbo"}, "intro": {"loss": "intro", "beta": 1.0, "margin": 1000.0}}
LOSSES["soft-intro"] = {"loss": "soft-intro", "gamma": 0.0}


def step_of(fields: dict[str, object], config: Config) -> Callable[[], None]:
    """One step of the trainer with an objective, on random images."""
    config = replace(config, **fields)  # type: ignore[arg-type]  # fields of a Config
    torch.manual_seed(0)
    assert config.shape is not None
    pixels = torch.randint(0, 256, (2 * BATCH, *config.shape), dtype=torch.uint8)
    images = Images(pixels, None, (), "noise", "train", ())
    loop = Trainer(build_vae(config), objective_of(config), images, config)
    x = loop.prepared(loop.pixels[:BATCH])

    def step() -> None:
        loop.turn(x)
        if loop.fabric.device.type != "cpu":
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
    asked = parser.parse_args()
    config = Config(
        shape=(asked.channels, asked.side, asked.side),
        net=asked.net,
        split=1,
        width=asked.width,
        kernel=asked.kernel,
        batch_size=BATCH,
        precision=asked.precision,
        accelerator=asked.device,
        validation=0,
    )
    steps = {name: step_of(fields, config) for name, fields in LOSSES.items()}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for i in range(asked.alternations + 2):  # the first two are to warm up
        for name, step in steps.items():
            begun = time.perf_counter()
            for _ in range(3):
                step()
            if i >= 2:
                times[name].append((time.perf_counter() - begun) / 3)
    print(f"torch {torch.__version__}, {asked.device}, {torch.get_num_threads()} threads, {asked.precision}, batch {BATCH}")
    print(f"{asked.net}, images {config.shape}, width {asked.width}, kernel {asked.kernel}")
    for name, found in times.items():
        ratios = [a / b for a, b in zip(found, times["plain"], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        shown = f"{middle:.2f} plain steps (quartiles {low:.2f} to {high:.2f})"
        print(f"  {name:<11} {1e3 * statistics.median(found):7.1f} ms a step, {shown}")


if __name__ == "__main__":
    main()
