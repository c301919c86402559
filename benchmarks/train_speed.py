"""Images a second of a training step, and how much of this machine's convolution peak that is.

    python benchmarks/train_speed.py [--precision bf16|32] [--device cpu|cuda] [--compile]

The peak is that of the fastest of the network's own 3x3 convolutions, forward, at the same batch and precision. Steps at
width 64 and 16 and the peak are timed in alternation, and medians are printed. A step is the trainer's: batch by index,
encoder, decoder, loss, backward, gradient check, Adam. Its arithmetic is counted from the layers' shapes: the products of
every convolution and dense layer, forward and twice that backward, less the first layer's gradient for the images.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from splitvae.data.images import Images
from splitvae.models.vae import VAE
from splitvae.presets.build import objective_of, build_vae
from splitvae.presets.registry import find_preset
from splitvae.training.trainer import Trainer

BATCH = 100


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(work: Callable[[], object], device: torch.device, least: float = 1.0) -> float:
    """Mean time of one call over at least `least` seconds."""
    synchronise(device)
    calls, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < least:
        work()
        synchronise(device)
        calls += 1
    return spent / calls


def products(vae: VAE) -> tuple[float, set[tuple[int, int, int]]]:
    """Floating-point operations of a step for one image, and the shapes (in, out, side) of its 3x3 convolutions."""
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


def step_of(width: int, precision: str, device: str, compiled: bool) -> tuple[Callable[[], object], torch.device]:
    """The trainer's own step on random images."""
    config = find_preset(
        "mnist-svae", width=width, batch_size=BATCH, precision=precision, accelerator=device, compile=compiled, validation=0
    )
    pixels = torch.randint(0, 256, (4 * BATCH, 1, 32, 32), dtype=torch.uint8)
    vae = build_vae(config)
    loop = Trainer(vae, objective_of(config), Images(pixels, None, (), "noise", "train", ()), config)

    def step() -> None:
        start = BATCH * (loop.step % 4)
        loop.turn(loop.prepared(loop.pixels[start : start + BATCH]))

    return step, loop.fabric.device


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", choices=("bf16", "32"), default="bf16")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--alternations", type=int, default=5)
    asked = parser.parse_args()
    torch.manual_seed(0)
    dtype = torch.bfloat16 if asked.precision == "bf16" else torch.float32

    work, flops = {}, {}
    shapes: set[tuple[int, int, int]] = set()
    for width in (64, 16):
        step, device = step_of(width, asked.precision, asked.device, asked.compile)
        flops[width], found = products(build_vae(find_preset("mnist-svae", width=width)))
        work[f"step, width {width}"] = step
        shapes |= found if width == 64 else set()
    for a, b, side in sorted(shapes):
        conv = nn.Conv2d(a, b, 3, padding=1).to(device, dtype, memory_format=torch.channels_last).requires_grad_(False)
        x = torch.randn(BATCH, a, side, side).to(device, dtype).contiguous(memory_format=torch.channels_last)
        work[f"convolution {a}-{b} at {side}x{side}"] = lambda conv=conv, x=x: conv(x)

    for f in work.values():
        for _ in range(3):
            f()
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(asked.alternations):
        for name, f in work.items():
            times[name].append(seconds(f, device))
    median = {name: statistics.median(t) for name, t in times.items()}

    rate = {
        (a, b, side): 2.0 * 9 * a * b * side * side * BATCH / median[f"convolution {a}-{b} at {side}x{side}"]
        for a, b, side in shapes
    }
    best = max(rate, key=rate.__getitem__)
    print(f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads, {asked.precision}, batch {BATCH}")
    for (a, b, side), value in sorted(rate.items()):
        print(f"  convolution {a:>4} -> {b:<4} at {side:>2}x{side:<2} {value / 1e9:>8.0f} GFLOP/s")
    print(f"  peak {rate[best] / 1e9:.0f} GFLOP/s")
    for width in (64, 16):
        images = BATCH / median[f"step, width {width}"]
        spread = [BATCH / t for t in times[f"step, width {width}"]]
        print(
            f"  width {width}: {images:,.0f} images/s ({min(spread):,.0f} to {max(spread):,.0f}), "
            f"{flops[width] / 1e9:.2f} GFLOP an image, {images * flops[width] / rate[best]:.1%} of the peak"
        )


if __name__ == "__main__":
    main()
