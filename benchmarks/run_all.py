"""Runs all benchmarks of this folder one after another and writes their results to RESULTS.md.

    python benchmarks/run_all.py [NAME ...] [--full] [--anew] [--timeout 900]

By default each script runs at reduced sizes, with `QUICK_ARGUMENTS` or with --quick where it knows that. The output of a
finished script is kept in .outputs/, so that a run that was killed goes on where it was; the page is written at the end,
at once. A script that fails or takes too long is named in the page and does not stop the others; the next run repeats it
alone. When all have succeeded the outputs are removed, and the next run begins anew. With names, those scripts run anew,
and what the page would hold of them is printed.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from timing import RECORDS, describe_machine

HERE = Path(__file__).resolve().parent
PAGE, OUTPUTS = "RESULTS.md", ".outputs"
QUICK_ARGUMENTS = {  # of scripts that do not know --quick
    "all_reduce": ["--rounds", "4"],
    "data": ["--images", "1000"],
    "introspective_step": ["--net", "higgins", "--kernel", "4", "--alternations", "6"],
    "memory": ["mnist-svae", "--images", "100"],
    "neighbours": ["--seconds", "4", "--repeats", "1"],
    "train_speed": ["--alternations", "2"],
}
MAX_ERROR_LINES = 15


# ---------------------------------------------------------------- running


def find_scripts(folder: Path) -> list[Path]:
    """Returns the scripts of a folder that measure something: those that can be run, but this one."""
    files = sorted(folder.glob("*.py"))
    return [f for f in files if f.name != Path(__file__).name and '__name__ == "__main__"' in f.read_text(encoding="utf-8")]


def choose_arguments(script: Path, full: bool) -> list[str]:
    """Returns the arguments with which a script runs."""
    if full:
        return []
    knows_quick = '"--quick"' in script.read_text(encoding="utf-8")
    return QUICK_ARGUMENTS.get(script.stem) or (["--quick"] if knows_quick else [])


def compute_key(script: Path, arguments: Sequence[str]) -> str:
    """Returns a digest of what an output depends on: the script, what it shares, splitvae's code, and its arguments."""
    digest = hashlib.sha256(json.dumps([sys.version, *arguments]).encode())
    for file in [script, script.with_name("timing.py"), *sorted((HERE.parent / "splitvae").rglob("*.py"))]:
        if file.exists():
            digest.update(file.read_bytes())
    return digest.hexdigest()


def run_script(script: Path, arguments: Sequence[str], timeout: float) -> dict[str, Any]:
    """Runs a script in a process of its own, and returns its output, records, error ("" if none) and duration."""
    start = time.time()
    with tempfile.TemporaryDirectory() as temporary:
        records, errors = Path(temporary, "records"), Path(temporary, "errors")
        with open(errors, "w") as stderr:
            process = subprocess.Popen(
                [sys.executable, str(script), *arguments],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env={**os.environ, RECORDS: str(records)},
                start_new_session=True,  # so that what it started ends with it
            )
            try:
                output, _ = process.communicate(timeout=timeout)
                error = f"It ended with exit code {process.returncode}." if process.returncode else ""
            except subprocess.TimeoutExpired:
                end_group(process)
                output, _ = process.communicate()
                error = f"It was ended after {timeout:.0f} s."
            except BaseException:
                end_group(process)
                raise
        if error:
            error += "\n" + "\n".join(errors.read_text(errors="replace").splitlines()[-MAX_ERROR_LINES:])
        lines = records.read_text(encoding="utf-8").splitlines() if records.exists() else []
    return {
        "arguments": list(arguments),
        "output": output,
        "records": [json.loads(line) for line in lines],
        "error": error,
        "started": start,
        "seconds": time.time() - start,
    }


def end_group(process: subprocess.Popen[str]) -> None:
    """Ends a process and those that it started."""
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def write_whole(path: Path, text: str) -> None:
    """Writes a file at once: whoever reads it sees the old text or the new one."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def run_or_recall(script: Path, arguments: Sequence[str], outputs: Path, timeout: float) -> dict[str, Any]:
    """Returns the result of a script: the kept one if it succeeded and nothing has changed since, else a new one."""
    file, key = outputs / f"{script.stem}.json", compute_key(script, arguments)
    if file.exists():
        kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if kept["key"] == key and not kept["error"]:
            print(f"{script.stem}: kept from {format_time(kept['started'])}", flush=True)
            return kept
    print(f"{script.stem} ...", end=" ", flush=True)
    result = {**run_script(script, arguments, timeout), "key": key}
    write_whole(file, json.dumps(result))
    print(f"{'FAILED after ' if result['error'] else ''}{result['seconds']:.0f} s", flush=True)
    return result


# ---------------------------------------------------------------- the page


def format_time(seconds: float) -> str:
    """Returns a time as text, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def format_value(value: float) -> str:
    """Returns a number with three digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def format_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table in Markdown; nothing without rows."""
    if not rows:
        return ""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def summarise(records: Sequence[dict[str, Any]]) -> str:
    """Returns the tables at the head of the page, of all comparisons, bars and exponents."""
    kinds = {kind: [r for r in records if r["kind"] == kind] for kind in ("comparison", "bar", "growth")}
    comparisons = [
        [
            r["what"],
            f"{format_value(r['own'])} {r['unit']}",
            f"{r['peer']}: {format_value(r['other'])} {r['unit']}",
            f"{'**' if r['ratio'] < 1 else ''}{r['ratio']:.2f}{'**' if r['ratio'] < 1 else ''}"
            f" ({r['low']:.2f} to {r['high']:.2f})",
        ]
        for r in kinds["comparison"]
    ]
    bars = [
        [r["what"], f"{r['value']:,.0f} {r['unit']}", r["limit"], "pass" if r["passed"] else "**FAIL**"]
        for r in kinds["bar"]
    ]
    growth = [
        [r["what"], ", ".join(f"{size:g}" for size in r["sizes"]), f"{r['exponent']:.2f}", f"{r['expected']:.2f}"]
        for r in kinds["growth"]
    ]
    parts = []
    if comparisons:
        parts += [
            "A ratio says how many times as fast splitvae is: the median over alternations, and the range. Where it is "
            "slower the ratio is bold.",
            format_table(["what", "splitvae", "peer", "ratio"], comparisons),
        ]
    parts.append(format_table(["bar", "measured", "limit", ""], bars))
    parts.append(format_table(["cost, as it is doubled", "sizes", "exponent", "by arithmetic"], growth))
    return "\n\n".join(part for part in parts if part)


def describe_script(script: Path) -> str:
    """Returns the first line of a script's docstring."""
    return (ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or script.stem).splitlines()[0]


def format_section(script: Path, result: dict[str, Any]) -> str:
    """Returns the section of a script: its reading, its command, and what it printed."""
    readings = [r["text"] for r in result["records"] if r["kind"] == "reading"]
    command = shlex.join(["python", f"benchmarks/{script.name}", *result["arguments"]])
    head = f"## {script.stem}\n\n{' '.join(readings) or describe_script(script)}\n\n"
    if result["error"]:
        head = f"## {script.stem}\n\n**Failed.** {result['error'].splitlines()[0]}\n\n"
    when = f"{format_time(result['started'])}, {result['seconds']:.0f} s"
    text = result["output"].rstrip() + "\n" + "\n".join(result["error"].splitlines()[1:])
    return f"{head}`{command}` ({when})\n\n```\n{text.strip()}\n```\n"


def format_page(results: dict[Path, dict[str, Any]], command: str, load: float) -> str:
    """Returns the page.

    Arguments:
        results: The result of each script.
        command: The command that made it.
        load: The mean number of running processes in the minute before.
    """
    started = min(result["started"] for result in results.values())
    records = [record for result in results.values() for record in result["records"]]
    failed = [script.stem for script, result in results.items() if result["error"]]
    lines = [
        "# Benchmarks\n",
        f"Written by `{command}` ({sum(r['seconds'] for r in results.values()) / 60:.0f} minutes, from "
        f"{format_time(started)}). Each number is printed by a script of this folder; its section below has the command.\n",
        f"{describe_machine()}; Python {platform.python_version()}; {platform.system()} {platform.machine()}; load average "
        f"at the start {load:.1f}.\n",
    ]
    if failed:
        lines.append(f"**Failed: {', '.join(failed)}.**\n")
    lines += [summarise(records), *[format_section(script, result) for script, result in results.items()]]
    return "\n".join(line for line in lines if line)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="scripts, by default all")
    parser.add_argument("--full", action="store_true", help="run the scripts at their own sizes")
    parser.add_argument("--anew", action="store_true", help="forget the kept outputs")
    parser.add_argument("--timeout", type=float, default=900, help="seconds for each script")
    parser.add_argument("--folder", type=Path, default=HERE, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    scripts = [f for f in find_scripts(options.folder) if not options.names or f.stem in options.names]
    if unknown := set(options.names) - {f.stem for f in scripts}:
        parser.error(
            f"no benchmark is called {', '.join(sorted(unknown))}; there are "
            f"{', '.join(f.stem for f in find_scripts(options.folder))}."
        )
    outputs = options.folder / OUTPUTS
    if options.anew:
        shutil.rmtree(outputs, ignore_errors=True)
    outputs.mkdir(exist_ok=True)
    for name in options.names:
        (outputs / f"{name}.json").unlink(missing_ok=True)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 0.5:
        print(f"The load average of this machine is {load:.1f}; numbers are right only if nothing else runs.")
    results = {f: run_or_recall(f, choose_arguments(f, options.full), outputs, options.timeout) for f in scripts}
    command = shlex.join(["python", "benchmarks/run_all.py", *(sys.argv[1:] if arguments is None else arguments)])
    text = format_page(results, command if arguments or sys.argv[1:] else "make bench", load)
    failed = [script.stem for script, result in results.items() if result["error"]]
    if options.names:
        print(text)
    else:
        write_whole(options.folder / PAGE, text)
        print(f"{options.folder / PAGE}{': FAILED ' + ', '.join(failed) if failed else ''}")
        if not failed:
            shutil.rmtree(outputs)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
