"""What the benchmarks share: works in alternation, in one process or in several, the machine in a line, and records.

Works that are compared are timed in alternation (a, b, a, b, ...), so that a change of the machine's speed meets all of
them, after one call each that is not counted. Frameworks that would disturb each other run in processes of their own, of
which one works at a time.

Records are what `run_all.py` makes its tables of: one JSON object for each comparison, bar or reading, in the file that
the environment variable SPLITVAE_BENCHMARK_RECORDS names. Without it nothing is written.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

RECORDS = "SPLITVAE_BENCHMARK_RECORDS"


# ---------------------------------------------------------------- times


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """Returns a function that does a piece of work and returns its duration in seconds."""

    def timer() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return timer


def alternate(timers: Mapping[str, Callable[[], float]], repeats: int, warm_up: int = 1) -> dict[str, list[float]]:
    """Returns the durations of pieces of work, which are done in alternation.

    Arguments:
        timers: Functions that do a piece of work and return its duration in seconds, by name.
        repeats: The number of alternations that are counted.
        warm_up: The number of alternations before them.
    """
    seconds: dict[str, list[float]] = {name: [] for name in timers}
    for i in range(warm_up + repeats):
        for name, timer in timers.items():
            duration = timer()
            if i >= warm_up:
                seconds[name].append(duration)
    return seconds


def spread(values: Sequence[float], format_: str = ".2f") -> str:
    """Returns the median and the range of values: "1.20 (1.10 to 1.40)"."""
    low, middle, high = (format(x, format_) for x in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low} to {high})"


class Worker:
    """A process of the running script that does one piece of work whenever it is called; see `serve`.

    `facts` holds what the process told when it was ready. A call returns the answer of the work, such as its duration in
    seconds. `ask` and `answer` are the two halves of a call, by which several processes work at once.

    Arguments:
        arguments: The arguments with which the script is run again.
        environment: Variables of the process beside those of this one.

    Raises:
        RuntimeError: If the process ends, with the end of what it wrote.
    """

    def __init__(self, *arguments: object, environment: Mapping[str, str] | None = None) -> None:
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  # open as long as the process
        self.process = subprocess.Popen(
            [sys.executable, os.path.abspath(sys.argv[0]), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self.facts: dict[str, Any] = json.loads(self._read_line())

    def __call__(self, request: str = "") -> float:
        self.ask(request)
        return self.answer()

    def ask(self, request: str = "") -> None:
        """Tells the process to do its work; the request is a line of text for the work."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # the answer says why
            self.process.stdin.write(request + "\n")
            self.process.stdin.flush()

    def answer(self) -> float:
        """Waits until the work is done, and returns its answer."""
        return float(self._read_line())

    def _read_line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            raise RuntimeError(f"{' '.join(map(str, self.process.args))} ended:\n{self.errors.read()[-2000:]}")
        return line

    def close(self) -> None:
        """Ends the process."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()


def serve(prepare: Callable[[], tuple[Callable[[str], float], dict[str, Any]]]) -> None:
    """Does a piece of work for each line that is read, and answers with a number: the other side of `Worker`.

    Arguments:
        prepare: A function that returns the work, which maps the line to the answer, and facts about it for the other side.
            What it and the work print goes to the standard error.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    work, facts = prepare()
    print(json.dumps(facts), file=answers, flush=True)
    for line in sys.stdin:
        print(work(line.strip()), file=answers, flush=True)


# ---------------------------------------------------------------- the machine


def describe_machine(*packages: str) -> str:
    """Returns a line about this machine: its processor, cores, threads, and the versions of torch and of packages."""
    import torch

    names = [line.split(":")[1].strip() for line in _read_lines("/proc/cpuinfo") if line.startswith("model name")]
    processor = names[0] if names else platform.processor() or platform.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [
        f"{processor}, {torch.backends.cpu.get_cpu_capability()}, {cores} core(s), {torch.get_num_threads()} thread(s)",
        f"torch {torch.__version__}",
        *(f"{name} {version(name)}" for name in packages),
    ]
    return "; ".join(parts)


def _read_lines(path: str) -> list[str]:
    with suppress(OSError):
        return Path(path).read_text().splitlines()
    return []


# ---------------------------------------------------------------- records


def _record(**fields: Any) -> None:
    """Appends an object to the file of records."""
    if path := os.environ.get(RECORDS):
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(fields) + "\n")


def record_comparison(what: str, peer: str, unit: str, own: Sequence[float], other: Sequence[float]) -> str:
    """Records a comparison with a peer, and returns "1.50 (1.45 to 1.60)": how many times as good splitvae is.

    The ratio is the median of those within an alternation.

    Arguments:
        what: What is compared.
        peer: The name of the peer.
        unit: The unit; more is better of a unit per second ("images/s"), less of any other ("s").
        own: splitvae's values, one for each alternation.
        other: The peer's values.
    """
    pairs = list(zip(own, other, strict=True))
    ratios = [a / b if unit.endswith("/s") else b / a for a, b in pairs]
    _record(
        kind="comparison",
        what=what,
        peer=peer,
        unit=unit,
        own=statistics.median(own),
        other=statistics.median(other),
        ratio=statistics.median(ratios),
        low=min(ratios),
        high=max(ratios),
    )
    return spread(ratios)


def record_bar(what: str, value: float, bar: float, unit: str, at_least: bool = False) -> str:
    """Records a value that may be at most `bar`, or must be at least that, and returns "pass" or "FAIL" with the bar."""
    passed = value >= bar if at_least else value <= bar
    limit = f"at {'least' if at_least else 'most'} {bar:,.0f} {unit}"
    _record(kind="bar", what=what, value=value, limit=limit, unit=unit, passed=passed)
    return f"{'pass' if passed else 'FAIL'}: {limit}"


def record_growth(what: str, sizes: Sequence[float], exponent: float, expected: float) -> None:
    """Records how something grows with what is doubled: as size^exponent, where `expected` is that of the arithmetic."""
    _record(kind="growth", what=what, sizes=list(sizes), exponent=exponent, expected=expected)


def record_reading(text: str) -> None:
    """Records one sentence that says what the numbers mean."""
    _record(kind="reading", text=text)
