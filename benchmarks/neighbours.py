"""Measures the images per second of one training alone and of two at once, with several ways in which threads wait.

    python benchmarks/neighbours.py [--seconds 10] [--repeats 3] [--width 16]

Each training runs in a process of its own on images of noise, with as many threads as there are cores but in the last way.
All ways are measured in alternation, alone and beside an equal training:

    spinning     libgomp's default
    short spin   GOMP_SPINCOUNT=10000
    passive      OMP_WAIT_POLICY=PASSIVE
    one thread   OMP_NUM_THREADS=1
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

WAYS = {
    "spinning": {},
    "short spin": {"GOMP_SPINCOUNT": "10000"},
    "passive": {"OMP_WAIT_POLICY": "PASSIVE"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")
WARM_UP_STEPS = 5


def work(width: int, seconds: float) -> None:
    """Trains for some seconds once a line is read, and prints the number of images per second."""
    from train_speed import BATCH_SIZE, make_step

    step, _ = make_step(width, "auto", "cpu", False)
    for _ in range(WARM_UP_STEPS):
        step()
    print("ready", flush=True)
    sys.stdin.readline()
    start, steps = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        step()
        steps += 1
    print(steps * BATCH_SIZE / (time.perf_counter() - start), flush=True)


def measure(way: str, count: int, width: int, seconds: float) -> list[float]:
    """Returns the images per second of each of `count` trainings at once."""
    others = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    command = [sys.executable, __file__, "--work", "--width", str(width), "--seconds", str(seconds)]
    processes = [
        subprocess.Popen(command, env=others | WAYS[way], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return [float(process.communicate()[0]) for process in processes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.width, options.seconds)
        return
    alone: dict[str, list[float]] = {way: [] for way in WAYS}
    together: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(options.repeats):
        for way in WAYS:
            alone[way] += measure(way, 1, options.width, options.seconds)
            together[way].append(sum(measure(way, 2, options.width, options.seconds)))
    most = statistics.median(alone["spinning"])
    print(f"{os.cpu_count()} cores, width {options.width}; images/s, medians of {options.repeats} alternations")
    for way in WAYS:
        one, two = statistics.median(alone[way]), statistics.median(together[way])
        print(
            f"  {way:<10} one alone {one:>6.0f} ({one / most:.0%} of spinning), two at once together {two:>6.0f} "
            f"({two / most:.0%} of one alone, spinning)"
        )


if __name__ == "__main__":
    main()
