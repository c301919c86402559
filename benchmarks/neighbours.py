"""Measures the images per second of a training alone, of two at once, and of one beside a program that keeps a core busy.

    python benchmarks/neighbours.py [--seconds 6] [--repeats 2] [--width 16]

Each training runs in a process of its own on images of noise. All ways are measured in alternation:

    splitvae     what `train` does: short time slices, and turns of half a second (splitvae/utils/turns.py)
    no turns     short time slices only
    plain        neither: libgomp's threads spin while they wait
    short spin   neither, with GOMP_SPINCOUNT=10000
    passive      neither, with OMP_WAIT_POLICY=PASSIVE
    one thread   neither, with OMP_NUM_THREADS=1
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

from timing import record_bar

WAYS = {
    "splitvae": {},
    "no turns": {"WITHOUT": "turns"},
    "plain": {"WITHOUT": "turns and slices"},
    "short spin": {"WITHOUT": "turns and slices", "GOMP_SPINCOUNT": "10000"},
    "passive": {"WITHOUT": "turns and slices", "OMP_WAIT_POLICY": "PASSIVE"},
    "one thread": {"WITHOUT": "turns and slices", "OMP_NUM_THREADS": "1"},
}
VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")
WARM_UP_STEPS = 3
BARS = {"alone": 95, "two at once": 70}  # percent of one alone, plain


def work(width: int, seconds: float) -> None:
    """Trains for some seconds once a line is read, and prints the number of images per second."""
    from train_speed import BATCH_SIZE, make_step

    from splitvae.training import trainer
    from splitvae.utils.turns import Turns

    without = os.environ.get("WITHOUT", "")
    turns = Turns(active="turns" not in without and "OMP_NUM_THREADS" not in os.environ)
    trainer.Turns = lambda active: turns
    if "slices" in without:
        trainer.shorten_time_slices = lambda: None
    step, _ = make_step(width, "auto", "cpu", False)
    for _ in range(WARM_UP_STEPS):
        step()
    turns.end()
    print("ready", flush=True)
    sys.stdin.readline()
    start, steps = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        step()
        steps += 1
    print(steps * BATCH_SIZE / (time.perf_counter() - start), flush=True)


def measure(way: str, count: int, width: int, seconds: float) -> float:
    """Returns the images per second of `count` trainings at once, together."""
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
    return sum(float(process.communicate()[0]) for process in processes)


def measure_beside_busy_program(way: str, width: int, seconds: float) -> float:
    """Returns the images per second of a training beside a program that computes on one core without a pause."""
    program = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        return measure(way, 1, width, seconds)
    finally:
        program.kill()
        program.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.width, options.seconds)
        return
    width, seconds = options.width, options.seconds
    situations = {
        "alone": lambda way: measure(way, 1, width, seconds),
        "two at once": lambda way: measure(way, 2, width, seconds),
        "beside a busy program": lambda way: measure_beside_busy_program(way, width, seconds),
    }
    rates: dict[tuple[str, str], list[float]] = {}
    for _ in range(options.repeats):
        for way in options.ways:
            for situation, measure_way in situations.items():
                rates.setdefault((way, situation), []).append(measure_way(way))
    median = {key: statistics.median(values) for key, values in rates.items()}
    reference = median.get(("plain", "alone"), median[options.ways[0], "alone"])
    print(f"{os.cpu_count()} cores, width {width}, images/s: medians of {options.repeats} alternations of {seconds:g} s")
    print("".join(f"{title:>24}" for title in ("", *situations)))
    for way in options.ways:
        cells = [f"{median[way, situation]:,.0f} ({median[way, situation] / reference:.0%})" for situation in situations]
        print("".join(f"{cell:>24}" for cell in (way, *cells)))
    for situation, bar in BARS.items():
        share = 100 * median[options.ways[0], situation] / reference
        verdict = record_bar(f"trainings {situation}, of one alone without turns", share, bar, "%", at_least=True)
        print(f"{options.ways[0]}, {situation}: {share:.0f} % of one alone, plain ({verdict})")


if __name__ == "__main__":
    main()
