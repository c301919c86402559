"""Measures the peak memory of whole training processes at width 64 and batch 100, against a bar of 3 GB.

    python benchmarks/training_memory.py [PRESET ...] [--precisions 32 bf16] [--quick]

Each training runs in a process of its own on the CPU: `splitvae.train` for one epoch of three steps on images of noise,
with validation, checkpoint, and pictures of samples. The peak is that of the resident memory of the process (ru_maxrss),
with all libraries but TensorFlow, which TensorBoard imports where it is installed, as it is for the benchmarks. memory.py
measures single operations above what the process held before.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile

from timing import describe_machine, record_bar, record_reading

BAR = 3072  # MiB
WIDTH, BATCH_SIZE, STEPS = 64, 100, 3
DEFAULT_PRESETS = ("mnist-svae", "cifar10-svae", "celeba-svae")


def train(preset: str, precision: str) -> None:
    """Trains in this process, and prints its peak in MiB."""
    # Silenced: None makes an import fail, which the type of sys.modules does not know.
    sys.modules["tensorflow"] = None  # type: ignore[assignment]  # makes its import fail
    import torch

    import splitvae
    from splitvae.data.images import Images
    from splitvae.presets.registry import find_preset

    config = find_preset(preset, width=WIDTH, batch_size=BATCH_SIZE, epochs=1, precision=precision, accelerator="cpu")
    config = config.override(validation=BATCH_SIZE // 10, preview_every=1, pad=0, crop=None)
    assert config.model.shape is not None
    pixels = torch.randint(256, (STEPS * BATCH_SIZE + BATCH_SIZE // 10, *config.model.shape), dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder:
        splitvae.train(config, Images(pixels, None, (), "noise", "train", ()), out=folder, progress=False)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1 << 20))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="*", default=DEFAULT_PRESETS, metavar="PRESET")
    parser.add_argument("--precisions", nargs="+", choices=("32", "bf16"), default=["32"])
    parser.add_argument("--quick", action="store_true", help="as without: the default is small")
    parser.add_argument("--only", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        train(*options.only)
        return
    print(f"{describe_machine()}; width {WIDTH}, batch {BATCH_SIZE}, peak of the whole process")
    phrases = []
    for preset in options.presets:
        for precision in options.precisions:
            command = [sys.executable, os.path.abspath(__file__), "--only", preset, precision]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            peak = float(done.stdout.split()[-1])
            name = f"{preset}, {'float32' if precision == '32' else precision}"
            verdict = record_bar(f"memory of a training process, {name}", peak, BAR, "MiB")
            print(f"  {name:<24} {peak:>7,.0f} MiB   {verdict}", flush=True)
            phrases.append(f"{peak:,.0f} MiB for {name} ({verdict.split(':')[0]})")
    record_reading(f"A training process at width {WIDTH} and batch {BATCH_SIZE} needs {', '.join(phrases)}.")


if __name__ == "__main__":
    main()
