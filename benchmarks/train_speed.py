"""Measures how many images per second a training step processes, and what share of the machine's convolution peak that is.

    python benchmarks/train_speed.py [--precision auto|bf16|32] [--device cpu|cuda] [--compile]

The peak is that of the fastest of the network's own 3x3 convolutions, in the forward pass, at the same batch size and
precision. Steps at widths 64 and 16 and the convolutions are timed in alternation, and medians are printed. A step is the
trainer's own: batch by index, encoder, decoder, loss, backward pass, gradient check, Adam. Its arithmetic is counted from
the shapes of the layers: the multiplications and additions of every convolution and dense layer in the forward pass, and
twice that in the backward pass, except that the images need no gradient.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from timing import record_bar
from torch import nn

from splitvae.data.images import Images
from splitvae.models.vae import VAE
from splitvae.presets.build import build_vae
from splitvae.presets.registry import find_preset
from splitvae.training.trainer import Trainer
from splitvae.utils.machine import has_native_bf16

BATCH_SIZE = 100
BAR_PERCENT = 75  # of the peak, at the wider width
WIDTHS = (64, 16)
WARM_UP_CALLS = 3


def synchronise(device: torch.device) -> None:
    """Waits until a GPU has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_per_call(work: Callable[[], object], device: torch.device, min_seconds: float = 1.0) -> float:
    """Returns the mean duration of a call, repeated for at least `min_seconds`."""
    synchronise(device)
    calls, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < min_seconds:
        work()
        synchronise(device)
        calls += 1
    return elapsed / calls


def count_operations(vae: VAE) -> tuple[float, set[tuple[int, int, int]]]:
    """Counts the floating-point operations of a step for one image.

    Returns the number, and the shapes (input channels, output channels, side) of the 3x3 convolutions.
    """
    total, shapes = 0.0, set()

    def count(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal total
        area = output[0, 0].numel() if output.ndim == 4 else 1
        if isinstance(module, nn.ConvTranspose2d):
            area = inputs[0][0, 0].numel()
        forward = 2.0 * module.weight.numel() * area
        total += forward * (2 if inputs[0].shape[1:] == vae.shape else 3)
        if isinstance(module, nn.Conv2d) and module.stride == (1, 1):
            shapes.add((module.in_channels, module.out_channels, output.shape[-1]))

    layers = [m for m in vae.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
    hooks = [m.register_forward_hook(count) for m in layers]
    with torch.no_grad():
        vae.eval()(torch.zeros(1, *vae.shape))
    for hook in hooks:
        hook.remove()
    return total, shapes


def make_step(
    width: int, precision: str, device: str, compiled: bool, batch: int = BATCH_SIZE
) -> tuple[Callable[[], object], torch.device]:
    """Returns a function that makes one training step on random images, and the device of the training."""
    config = find_preset(
        "mnist-svae",
        width=width,
        batch_size=batch,
        precision=precision,
        accelerator=device,
        compile=compiled,
        validation=0,
    )
    pixels = torch.randint(0, 256, (4 * batch, 1, 32, 32), dtype=torch.uint8)
    vae = build_vae(config)
    trainer = Trainer(vae, config.objective, Images(pixels, None, (), "noise", "train", ()), config)
    order = trainer.images.epoch_order(0)

    def step() -> None:
        trainer.train_step(*trainer.images.batch(order, batch * (trainer.step % 4)))

    return step, trainer.fabric.device


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", choices=("auto", "bf16", "32"), default="auto")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--alternations", type=int, default=5)
    options = parser.parse_args()
    torch.manual_seed(0)
    if options.precision == "auto":  # as in training: bf16 only where the device computes it natively
        options.precision = "bf16" if has_native_bf16(torch.device(options.device).type) else "32"
    dtype = torch.bfloat16 if options.precision == "bf16" else torch.float32

    work, operations = {}, {}
    convolutions: set[tuple[int, int, int]] = set()  # of the wider network
    for width in WIDTHS:
        step, device = make_step(width, options.precision, options.device, options.compile)
        operations[width], shapes = count_operations(build_vae(find_preset("mnist-svae", width=width)))
        work[f"step, width {width}"] = step
        convolutions |= shapes if width == max(WIDTHS) else set()
    for a, b, side in sorted(convolutions):
        conv = nn.Conv2d(a, b, 3, padding=1).to(device, dtype, memory_format=torch.channels_last).requires_grad_(False)
        x = torch.randn(BATCH_SIZE, a, side, side).to(device, dtype).contiguous(memory_format=torch.channels_last)
        work[f"convolution {a}-{b} at {side}x{side}"] = lambda conv=conv, x=x: conv(x)

    for call in work.values():
        for _ in range(WARM_UP_CALLS):
            call()
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(options.alternations):
        for name, call in work.items():
            times[name].append(seconds_per_call(call, device))
    median = {name: statistics.median(t) for name, t in times.items()}

    rates = {
        (a, b, side): 2.0 * 9 * a * b * side * side * BATCH_SIZE / median[f"convolution {a}-{b} at {side}x{side}"]
        for a, b, side in convolutions
    }
    peak = max(rates.values())
    print(
        f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads, {options.precision}, batch {BATCH_SIZE}"
    )
    for (a, b, side), value in sorted(rates.items()):
        print(f"  convolution {a:>4} -> {b:<4} at {side:>2}x{side:<2} {value / 1e9:>8.0f} GFLOP/s")
    print(f"  peak {peak / 1e9:.0f} GFLOP/s")
    for width in WIDTHS:
        images = BATCH_SIZE / median[f"step, width {width}"]
        rates_of_width = [BATCH_SIZE / t for t in times[f"step, width {width}"]]
        print(
            f"  width {width}: {images:,.0f} images/s ({min(rates_of_width):,.0f} to {max(rates_of_width):,.0f}), "
            f"{operations[width] / 1e9:.2f} GFLOP an image, {images * operations[width] / peak:.1%} of the peak"
        )
        if width == max(WIDTHS):
            what = f"share of the fastest convolution in a step of width {width}, {options.precision}"
            print(f"  {record_bar(what, 100 * images * operations[width] / peak, BAR_PERCENT, '%', at_least=True)}")


if __name__ == "__main__":
    main()
