"""Measures the duration of the Fréchet distance's trace, compared with SciPy's matrix square root, and of other distances.

    python benchmarks/metrics_speed.py [--d 2048] [--n 10000] [--repeats 2]

Both compute Tr((S_1 S_2)^(1/2)) of the same two covariances and are timed in alternation, after one call each at a small
size. The whole distance (from features, and from batches of 500), the kernel distance, and precision, recall, density and
coverage are timed once. Features are random and correlated, with means of 1 and standard deviations of 1 / sqrt(column).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import scipy.linalg
import torch
from threadpoolctl import threadpool_info
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
    options = parser.parse_args()

    threads = sorted({(pool["internal_api"], pool["num_threads"]) for pool in threadpool_info()})
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; scipy {scipy.__version__}")
    print("libraries and their threads: " + ", ".join(f"{name} {count}" for name, count in threads))
    print(f"d = {options.d}, n = {options.n}, float64 on the CPU")

    for work in make_traces(64, 200):
        work()
    by_scipy, by_splitvae = make_traces(options.d, options.n)
    seconds: dict[str, list[float]] = {"scipy.linalg.sqrtm": [], "splitvae": []}
    values = {}
    for _ in range(options.repeats):
        for name, work in (("scipy.linalg.sqrtm", by_scipy), ("splitvae", by_splitvae)):
            duration, values[name] = measure(work)
            seconds[name].append(duration)
    median = {name: statistics.median(times) for name, times in seconds.items()}
    for name, times in seconds.items():
        print(f"  trace by {name:<20}{median[name]:>8.2f} s  ({', '.join(f'{t:.2f}' for t in times)})")
    reference, own = values["scipy.linalg.sqrtm"], values["splitvae"]
    print(f"  {median['scipy.linalg.sqrtm'] / median['splitvae']:.1f} times as fast")
    print(f"  {reference:.12g} and {own:.12g}, relative difference {abs(own - reference) / reference:.1e}")

    a, b = (draw_features(options.n, options.d, seed) for seed in (0, 1))
    whole: dict[str, Callable[[], Any]] = {
        "Fréchet distance": lambda: frechet_distance(a, b),
        "Fréchet distance in batches": lambda: frechet_from_streams(moments_in_batches(a), moments_in_batches(b)),
        "Fréchet distance of 1,000 rows": lambda: frechet_distance(a[:1000], b[:1000]),
        "kernel distance": lambda: kernel_distance(a, b),
        "precision to coverage": lambda: precision_recall_density_coverage(a, b),
    }
    if options.limit:
        whole["limit of many images"] = lambda: fid_infinity(a, b)
    for name, work in whole.items():
        duration, result = measure(work)
        numbers = ", ".join(f"{x:.6g}" for x in (result if isinstance(result, tuple) else (result,)))
        print(f"  {name:<32}{duration:>6.2f} s  {numbers}")


if __name__ == "__main__":
    main()
