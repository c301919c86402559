"""Seconds of the Fréchet distance's trace against those of SciPy's matrix square root, and of the other distances.

    python benchmarks/metrics_speed.py [--d 2048] [--n 10000] [--repeats 2]

Both start at the same two covariances and end at Tr((S_1 S_2)^(1/2)); they are timed in alternation, after one call each
at a small size. The whole distance, from features or from batches of 500, the kernel distance, and precision, recall,
density and coverage are timed once. Features are random, correlated, with deviations that fall as 1 / sqrt(column) and
means of 1: no image is read.
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


def features(n: int, d: int, seed: int) -> Tensor:
    """Correlated rows (n, d) in float64."""
    random = torch.Generator().manual_seed(seed)
    scales = torch.arange(1, d + 1, dtype=torch.float64).rsqrt()
    rotation = torch.linalg.qr(torch.randn(d, d, dtype=torch.float64, generator=random)).Q
    return torch.randn(n, d, dtype=torch.float64, generator=random) * scales @ rotation + 1


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def traces(d: int, n: int) -> tuple[Callable[[], float], Callable[[], float]]:
    """The trace by SciPy and by this package, from the same covariances of n rows."""
    first, second = (torch.cov(features(n, d, seed).mT) for seed in (0, 1))
    zero, total = torch.zeros(d, dtype=torch.float64), float(first.trace() + second.trace())

    def by_scipy() -> float:
        return float(scipy.linalg.sqrtm(first.numpy() @ second.numpy()).trace().real)

    def by_splitvae() -> float:
        return (total - frechet_from_moments(zero, first, zero, second)) / 2

    return by_scipy, by_splitvae


def stream(x: Tensor) -> Moments:
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
    asked = parser.parse_args()

    threads = sorted({(pool["internal_api"], pool["num_threads"]) for pool in threadpool_info()})
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; scipy {scipy.__version__}")
    print("libraries and their threads: " + ", ".join(f"{name} {count}" for name, count in threads))
    print(f"d = {asked.d}, n = {asked.n}, float64 on the CPU")

    for work in traces(64, 200):
        work()
    by_scipy, by_splitvae = traces(asked.d, asked.n)
    spent: dict[str, list[float]] = {"scipy.linalg.sqrtm": [], "splitvae": []}
    values = {}
    for _ in range(asked.repeats):
        for name, work in (("scipy.linalg.sqrtm", by_scipy), ("splitvae", by_splitvae)):
            seconds, values[name] = timed(work)
            spent[name].append(seconds)
    median = {name: statistics.median(times) for name, times in spent.items()}
    for name, times in spent.items():
        print(f"  trace by {name:<20}{median[name]:>8.2f} s  ({', '.join(f'{t:.2f}' for t in times)})")
    reference, own = values["scipy.linalg.sqrtm"], values["splitvae"]
    print(f"  {median['scipy.linalg.sqrtm'] / median['splitvae']:.1f} times as fast")
    print(f"  {reference:.12g} and {own:.12g}, relative difference {abs(own - reference) / reference:.1e}")

    a, b = features(asked.n, asked.d, 0), features(asked.n, asked.d, 1)
    whole: dict[str, Callable[[], Any]] = {
        "Fréchet distance": lambda: frechet_distance(a, b),
        "Fréchet distance in batches": lambda: frechet_from_streams(stream(a), stream(b)),
        "Fréchet distance of 1,000 rows": lambda: frechet_distance(a[:1000], b[:1000]),
        "kernel distance": lambda: kernel_distance(a, b),
        "precision to coverage": lambda: precision_recall_density_coverage(a, b),
    }
    if asked.limit:
        whole["limit of many images"] = lambda: fid_infinity(a, b)
    for name, work in whole.items():
        seconds, result = timed(work)
        shown = ", ".join(f"{x:.6g}" for x in (result if isinstance(result, tuple) else (result,)))
        print(f"  {name:<32}{seconds:>6.2f} s  {shown}")


if __name__ == "__main__":
    main()
