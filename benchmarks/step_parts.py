"""Shows where a training step goes, and what other ways of computing its convolutions would gain.

    python benchmarks/step_parts.py [--precision 32|bf16] [--quick]

Parts: the time of each kind of operation in a step, and for convolutions the rate of each shape, forward and backward, from
PyTorch's profiler. Other ways: forward and backward passes of single layers of the network, in alternation with what the
network does. The layers are in channels_last, as in training:

    merged shortcut   a block's last convolution and its shortcut as one convolution of both inputs joined
    matrix product    a stride-2 convolution as one product with a matrix of all patches
    four phases       a stride-2 transposed convolution as four small convolutions, one for each parity of rows and columns
    batches of 200    a step of twice the batch, by time for an image
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable

import torch
from timing import alternate, describe_machine, spread, timed
from torch import Tensor
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile
from train_speed import BATCH_SIZE, make_step

CONVOLUTIONS = ("aten::convolution_backward", "aten::mkldnn_convolution", "aten::_convolution")
SHOWN = 12


def profile_step(width: int, precision: str, steps: int) -> None:
    """Prints the parts of a step."""
    step, _ = make_step(width, precision, "cpu", False)
    for _ in range(3):
        step()
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as profiler:
        for _ in range(steps):
            step()
    kinds: Counter[str] = Counter()
    shapes = []
    for event in profiler.key_averages(group_by_input_shape=True):
        milliseconds = event.self_cpu_time_total / 1e3 / steps
        kinds[event.key] += milliseconds
        rows = [shape for shape in event.input_shapes if len(shape) == 4]
        if event.key in CONVOLUTIONS and len(rows) >= 2 and milliseconds > 0.1:
            shapes.append((milliseconds, event.key, event.count / steps, rows))
    total = sum(kinds.values())
    convolutions = sum(kinds[name] for name in CONVOLUTIONS)
    print(f"\nwidth {width}, {precision}: {total:.0f} ms a step, of which convolutions {convolutions / total:.0%}")
    others = [
        f"{name.removeprefix('aten::')} {ms / total:.1%}" for name, ms in kinds.most_common() if name not in CONVOLUTIONS
    ]
    print("  other parts: " + ", ".join(others[:SHOWN]))
    for milliseconds, name, count, rows in sorted(shapes, key=lambda shape: -shape[0])[:SHOWN]:
        rate = count_operations(name, rows) * count / milliseconds / 1e6
        title = {CONVOLUTIONS[0]: "backward", CONVOLUTIONS[2]: "transposed, forward"}.get(name, "forward")
        print(
            f"  {milliseconds:7.1f} ms  {count:.0f} x {title:<20} input {rows[-2]}, weight {rows[-1]}: {rate:,.0f} GFLOP/s"
        )


def count_operations(name: str, shapes: list[list[int]]) -> float:
    """Returns the floating-point operations of a convolution, from the shapes of its (gradient,) input and weight."""
    x, weight = shapes[-2], shapes[-1]
    if name == "aten::convolution_backward":  # the smaller map is that of the products, transposed or not
        return 2 * 2.0 * weight[0] * weight[1] * weight[2] * weight[3] * min(shapes[0][2], x[2]) ** 2 * x[0]
    side = x[2] if name == "aten::_convolution" or x[2] % 2 == 0 else x[2] // 2  # an odd side is padded for stride 2
    return 2.0 * weight[0] * weight[1] * weight[2] * weight[3] * side**2 * x[0]


# ---------------------------------------------------------------- other ways of the same layers


def two_convolutions(a: Tensor, x: Tensor, w: Tensor, v: Tensor) -> Tensor:
    return F.conv2d(a, w, padding=1) + F.conv2d(x, v, padding=1)


def merged_shortcut(a: Tensor, x: Tensor, w: Tensor, v: Tensor) -> Tensor:
    return F.conv2d(torch.cat((a, x), 1), torch.cat((w, v), 1), padding=1)


def strided_convolution(x: Tensor, w: Tensor) -> Tensor:
    return F.conv2d(F.pad(x, (0, 1, 0, 1)), w, stride=2)


def matrix_product(x: Tensor, w: Tensor) -> Tensor:
    rows, side = F.pad(x, (0, 1, 0, 1)).permute(0, 2, 3, 1), x.shape[2] // 2
    ends = 2 * side - 1
    patches = torch.cat([rows[:, i : i + ends : 2, j : j + ends : 2] for i in range(3) for j in range(3)], -1).flatten(0, 2)
    product = F.linear(patches, w.permute(0, 2, 3, 1).flatten(1))
    return product.view(len(x), side, side, -1).permute(0, 3, 1, 2)


def transposed_convolution(x: Tensor, w: Tensor) -> Tensor:
    return F.pad(F.conv_transpose2d(x, w, stride=2), (0, -1, 0, -1))


def four_phases(x: Tensor, w: Tensor) -> Tensor:
    w = w.transpose(0, 1)
    padded = F.pad(x, (1, 0, 1, 0))
    phases = (
        F.conv2d(padded, w[:, :, 0::2, 0::2].flip(2, 3)),
        F.conv2d(padded[:, :, :, 1:], w[:, :, 0::2, 1:2].flip(2)),
        F.conv2d(padded[:, :, 1:], w[:, :, 1:2, 0::2].flip(3)),
        F.conv2d(x, w[:, :, 1:2, 1:2]),
    )
    even, odd = (torch.stack([phase.permute(0, 2, 3, 1) for phase in phases[i : i + 2]], 3) for i in (0, 2))
    return torch.stack((even, odd), 2).reshape(len(x), 2 * x.shape[2], 2 * x.shape[3], -1).permute(0, 3, 1, 2)


def compare(title: str, ways: dict[str, Callable[..., Tensor]], shapes: list[tuple[int, ...]], dtype: torch.dtype) -> None:
    """Prints the times of a forward and backward pass of layers that compute the same, in alternation."""
    values = []
    for shape in shapes:
        value = torch.randn(shape).div(shape[1] ** 0.5).to(dtype)
        values.append(value.contiguous(memory_format=torch.channels_last).requires_grad_())
    outputs = {name: way(*values) for name, way in ways.items()}
    first = next(iter(outputs.values())).detach()
    gradient = torch.randn_like(first)
    for name, output in outputs.items():
        error = float((output - first).abs().max() / first.abs().max())
        assert error < 0.05, f"{name} computes something else"

    def work(way: Callable[..., Tensor]) -> Callable[[], object]:
        return lambda: torch.autograd.grad(way(*values), values, gradient)

    seconds = alternate({name: timed(work(way)) for name, way in ways.items()}, repeats=7, warm_up=2)
    cells = [f"{name} {1e3 * min(times):.1f} ms" for name, times in seconds.items()]
    print(f"  {title:<38} {', '.join(cells)}")


def compare_layers(width: int, dtype: torch.dtype) -> None:
    """Prints what other ways of the network's layers take."""
    batch, w = BATCH_SIZE, width
    print(f"\nother ways at width {w}, least of 7 forward and backward passes:")
    for c, side in ((w, 32), (2 * w, 16), (4 * w, 8)):
        shapes = [(batch, c, side, side)] * 2 + [(c, c, 3, 3)] * 2
        compare(
            f"block of {c} channels, {side}x{side}", {"two": two_convolutions, "merged": merged_shortcut}, shapes, dtype
        )
    for c, side in ((w, 16), (2 * w, 8), (4 * w, 4)):
        shapes = [(batch, c, side, side), (2 * c, c, 3, 3)]
        ways = {"convolution": strided_convolution, "matrix product": matrix_product}
        compare(f"stride 2, {c} to {2 * c}, from {side}x{side}", ways, shapes, dtype)
    for c, side in ((8 * w, 4), (4 * w, 8), (2 * w, 16)):
        shapes = [(batch, c, side, side), (c, c // 2, 3, 3)]
        ways = {"transposed": transposed_convolution, "four phases": four_phases}
        compare(f"transposed, {c} to {c // 2}, from {side}x{side}", ways, shapes, dtype)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", choices=("32", "bf16"), default="32")
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    options = parser.parse_args()
    torch.manual_seed(0)
    print(describe_machine())
    for width in (64, 16):
        profile_step(width, options.precision, (3 if options.quick else 8) * (64 // width) ** (width == 16))
        compare_layers(width, torch.float32 if options.precision == "32" else torch.bfloat16)
    rates = {}
    for batch in (BATCH_SIZE, 2 * BATCH_SIZE):
        step, _ = make_step(16, options.precision, "cpu", False, batch)
        rates[f"{batch}"] = timed(step)
    seconds = alternate(rates, repeats=10, warm_up=3)
    print("\nwidth 16, images/s by the size of the batch:")
    for name, times in seconds.items():
        print(f"  {name}: {spread([int(name) / t for t in times], ',.0f')}")


if __name__ == "__main__":
    main()
