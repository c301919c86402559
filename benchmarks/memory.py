"""Measures the peak memory of a training step of a preset, and of each operation of an evaluation beside it.

    python benchmarks/memory.py [PRESET ...] [--side 128] [--images 200]

Each operation runs in a process of its own on the CPU, on images of noise. The peak is that of the resident memory
(ru_maxrss) above what the process held before, once the model was built. An evaluation may need at most a training step and
one GiB more. The size of its batches follows from the model (splitvae/utils/memory.py).
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
from collections.abc import Callable

import torch

from splitvae.config import Config
from splitvae.data.images import Images
from splitvae.evaluation.scores import component_features
from splitvae.features.classifier import Classifier
from splitvae.metrics.likelihood import estimate_likelihood
from splitvae.metrics.outputs import ModelOutputs
from splitvae.metrics.registry import METRICS
from splitvae.models.codes import encode
from splitvae.models.inference import inference_batch_size
from splitvae.presets.build import build_vae
from splitvae.presets.registry import PRESETS
from splitvae.training.trainer import Trainer

MIB = 1 << 20
ALLOWED_BEYOND_A_STEP = 1024  # MiB
DEFAULT_PRESETS = ("mnist-svae", "cifar10-svae", "celeba-svae", "celeba64-intro")


def resident_peak() -> float:
    """Returns the largest resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def operations(config: Config, count: int) -> dict[str, Callable[[], object]]:
    """Returns what is measured, by name; each builds its own model and returns the peak before its work, in MiB."""
    assert config.model.shape is not None
    shape = config.model.shape

    def noise(images: int) -> Images:
        return Images(torch.randint(256, (images, *shape), dtype=torch.uint8), None, (), "noise", "train", ())

    def train() -> float:
        vae = build_vae(config)
        trainer = Trainer(vae, config.objective, noise(2 * config.training.batch_size), config)
        order, before = trainer.images.epoch_order(0), resident_peak()
        for step in range(2):
            trainer.train_step(*trainer.images.batch(order, step * config.training.batch_size))
        return before

    def validate() -> float:
        trainer = Trainer(build_vae(config), config.objective, noise(10 * count), config.override(validation=count))
        before = resident_peak()
        trainer.validate()
        return before

    def evaluate(work: Callable[[torch.nn.Module, Images], object]) -> Callable[[], float]:
        def run() -> float:
            vae, images = build_vae(config).eval(), noise(count)
            before = resident_peak()
            work(vae, images)
            return before

        return run

    def measure(vae: torch.nn.Module, images: Images) -> None:
        outputs = ModelOutputs(vae, images.pixels)
        for metric in METRICS.values():
            metric(outputs)

    def score(vae: torch.nn.Module, images: Images) -> None:
        extractor = Classifier("classifier", shape, 10, "noise").eval()
        component_features(vae, torch.randn(len(images), vae.latent_dim), extractor)

    return {
        "training step": train,
        "validation": validate,
        "encode": evaluate(encode),
        "metrics": evaluate(measure),
        "likelihood, 64 draws": evaluate(
            lambda vae, x: estimate_likelihood(vae, x.pixels, 0.01, (64,), max(1, count // 64))
        ),
        "distances of samples": evaluate(score),
        "100 samples": evaluate(lambda vae, _: vae.sample(100)),
    }


def find_config(name: str, side: int) -> Config:
    config = PRESETS[name].override(precision="32", accelerator="cpu", devices=1, compile=False, validation=0)
    channels = config.model.shape[0] if config.model.shape else 3
    return config.override(shape=(channels, side, side)) if side else config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="*", default=DEFAULT_PRESETS, metavar="PRESET")
    parser.add_argument("--side", type=int, default=0, help="height and width in pixels; by default the preset's")
    parser.add_argument("--images", type=int, default=200, help="images of each operation")
    parser.add_argument("--only", default="", help="one operation, in this process")
    options = parser.parse_args()
    if options.only:
        config = find_config(options.presets[0], options.side)
        before = operations(config, options.images)[options.only]()
        print(resident_peak() - before)
        return
    for name in options.presets:
        config = find_config(name, options.side)
        vae = build_vae(config)
        print(f"{name}, {config.model.shape}, batches of {config.training.batch_size} in training", end=", ")
        print(f"{inference_batch_size(vae)} in evaluation", flush=True)
        del vae
        step = None
        for operation in operations(config, options.images):
            arguments = [name, "--side", str(options.side), "--images", str(options.images), "--only", operation]
            command = [sys.executable, os.path.abspath(__file__), *arguments]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            peak = float(done.stdout.split()[-1])
            step = peak if step is None else step
            verdict = "" if peak <= step + ALLOWED_BEYOND_A_STEP else "   TOO MUCH"
            print(f"  {operation:<22} {peak:>7,.0f} MiB{verdict}", flush=True)


if __name__ == "__main__":
    main()
