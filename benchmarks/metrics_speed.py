"""Measures the duration of distances, compared with SciPy's matrix square root and with torchmetrics.

    python benchmarks/metrics_speed.py [--d 2048] [--n 10000] [--repeats 2] [--limit] [--quick]

SciPy and splitvae compute Tr((S_1 S_2)^(1/2)) of the same two covariances. torchmetrics and splitvae compute the Fréchet
distance from the same features in batches of 500, and the kernel distance over 100 blocks of 1,000 rows; torchmetrics has a
module without weights in place of its Inception. The kernel distance is given features in float64, in which splitvae always
computes, and in float32, in which torchmetrics then computes. All are timed in alternation, after one call each at a small
size. The other distances are timed once. Features are random and correlated, with means of 1 and standard deviations of
1 / sqrt(column).
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import scipy.linalg
import torch
from threadpoolctl import threadpool_info
from timing import alternate, describe_machine, record_comparison, record_reading, spread, timed
from torch import Tensor

from splitvae.metrics.fid import Moments, fid_infinity, frechet_distance, frechet_from_moments, frechet_from_streams
from splitvae.metrics.mmd import kernel_distance
from splitvae.metrics.prdc import precision_recall_density_coverage


def draw_features(n: int, d: int, seed: int) -> Tensor:
    """Draws correlated rows (n, d) in float64."""
    random = torch.Generator().manual_seed(seed)
    scales = torch.arange(1, d + 1, dtype=torch.float64).rsqrt()
    rotation = torch.linalg.qr(torch.randn(d, d, dtype=torch.float64, generator=random)).Q
    return torch.randn(n, d, dtype=torch.float64, generator=random) * scales @ rotation + 1


def measure(work: Callable[[], Any]) -> tuple[float, Any]:
    """Returns the duration of a call in seconds, and its result."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def make_traces(d: int, n: int) -> tuple[Callable[[], float], Callable[[], float]]:
    """Returns functions that compute the trace by SciPy and by this package, from the same covariances of n rows."""
    first, second = (torch.cov(draw_features(n, d, seed).mT) for seed in (0, 1))
    zero, total = torch.zeros(d, dtype=torch.float64), float(first.trace() + second.trace())

    def by_scipy() -> float:
        return float(scipy.linalg.sqrtm(first.numpy() @ second.numpy()).trace().real)

    def by_splitvae() -> float:
        return (total - frechet_from_moments(zero, first, zero, second)) / 2

    return by_scipy, by_splitvae


def make_torchmetrics(a: Tensor, b: Tensor) -> dict[str, tuple[Callable[[], float], Callable[[], float]]]:
    """Returns functions that compute a distance of features (n, d) by splitvae and by torchmetrics, by name."""
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    class Features(torch.nn.Identity):
        num_features = a.shape[1]

    def by_torchmetrics(metric: Any, dtype: torch.dtype) -> float:
        for x, real in ((a, True), (b, False)):
            for batch in x.to(dtype).split(500):
                metric.update(batch, real=real)
        result = metric.compute()
        return float(result[0] if isinstance(result, tuple) else result)

    def frechet(dtype: torch.dtype) -> float:
        return by_torchmetrics(FrechetInceptionDistance(Features(), normalize=True), dtype)

    def kernel(dtype: torch.dtype) -> float:
        return by_torchmetrics(KernelInceptionDistance(Features(), subset_size=min(1000, len(a)), normalize=True), dtype)

    def kernel_by_splitvae() -> float:
        return kernel_distance(a, b).value

    return {
        "Fréchet distance": (
            lambda: frechet_from_streams(moments_in_batches(a), moments_in_batches(b)),
            lambda: frechet(torch.float64),
        ),
        "kernel distance, float64": (kernel_by_splitvae, lambda: kernel(torch.float64)),
        "kernel distance, float64 and float32": (kernel_by_splitvae, lambda: kernel(torch.float32)),
    }


def compare(what: str, peer: str, own: Callable[[], float], other: Callable[[], float], repeats: int) -> str:
    """Prints the durations of two ways in alternation and their results, and returns a phrase."""
    values: dict[str, float] = {}

    def keep(name: str, work: Callable[[], float]) -> Callable[[], None]:
        def run() -> None:
            values[name] = work()

        return run

    seconds = alternate({name: timed(keep(name, f)) for name, f in (("splitvae", own), (peer, other))}, repeats, 0)
    ratio = record_comparison(what, peer, "s", seconds["splitvae"], seconds[peer])
    print(f"{what}:")
    for name, times in seconds.items():
        print(f"  {name:<20} {spread(times):>24} s  {values[name]:.12g}")
    print(f"  splitvae is {ratio} times as fast", flush=True)
    return f"{ratio.split()[0]} times {peer} ({what})"


def moments_in_batches(x: Tensor) -> Moments:
    """Returns the moments of features (n, d), accumulated in batches of 500."""
    moments = Moments()
    for batch in x.split(500):
        moments.update(batch)
    return moments


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--d", type=int, default=2048)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--limit", action="store_true", help="time fid_infinity too")
    parser.add_argument("--quick", action="store_true", help="1,024 columns and 5,000 rows")
    options = parser.parse_args()
    if options.quick:
        options.d, options.n = min(options.d, 1024), min(options.n, 5000)
    warnings.filterwarnings("ignore", module="torchmetrics")  # they would stand between the numbers
    threads = sorted({(pool["internal_api"], pool["num_threads"]) for pool in threadpool_info()})
    print(describe_machine("scipy", "torchmetrics"))
    print("libraries and their threads: " + ", ".join(f"{name} {count}" for name, count in threads))
    print(f"d = {options.d}, n = {options.n}, float64 on the CPU")

    small = [draw_features(200, 64, seed) for seed in (0, 1)]
    warm_up = [make_traces(64, 200), *make_torchmetrics(*small).values()]
    for pair in warm_up:
        for work in pair:
            work()
    by_scipy, by_splitvae = make_traces(options.d, options.n)
    readings = [compare("trace of the root", "scipy.linalg.sqrtm", by_splitvae, by_scipy, options.repeats)]
    a, b = (draw_features(options.n, options.d, seed) for seed in (0, 1))
    for what, (own, other) in make_torchmetrics(a, b).items():
        readings.append(compare(what, "torchmetrics", own, other, options.repeats))
    record_reading(f"Distances are computed at {', '.join(readings)}.")
    print("alone:")
    whole: dict[str, Callable[[], Any]] = {
        "Fréchet distance of matrices": lambda: frechet_distance(a, b),
        "Fréchet distance of 1,000 rows": lambda: frechet_distance(a[:1000], b[:1000]),
        "precision to coverage": lambda: precision_recall_density_coverage(a, b),
    }
    if options.limit:
        whole["limit of many images"] = lambda: fid_infinity(b, a)
    for name, work in whole.items():
        duration, result = measure(work)
        numbers = ", ".join(f"{x:.6g}" for x in (result if isinstance(result, tuple) else (result,)))
        print(f"  {name:<32}{duration:>6.2f} s  {numbers}")


if __name__ == "__main__":
    main()
