"""The results of an experiment: one JSON file, which holds what is kept of each finished run.

    {"experiment": NAME, "scale": {...}, "runs": {"svae/seed-0": record, ...}, "measures": {...}}

The file is all that tables and findings are made of, so that the folders of runs, which are large, may be removed or made
on another machine. Several processes may add runs at the same time: each change is made under a lock, to the file as it is
then. No record holds a path of the machine.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..config import Config
from ..errors import UserError
from ..presets.registry import PRESETS
from ..report.sections import changed_fields, train_command
from ..runs import Run
from ..utils.files import read_json, write_json
from ..utils.lock import lock_file
from ..utils.machine import describe_device, versions
from .experiment import Experiment, Record, System

__all__ = [
    "add_result",
    "describe_source",
    "first_warnings",
    "hash_settings",
    "make_record",
    "read_results",
    "records_by_system",
    "rename_sources",
    "update_results",
]

LOCK_WAIT_SECONDS = 0.05
HISTORY_KEYS = ("epoch", "rec", "kl", "val_loss", "fid", "kl_real", "kl_rec", "kl_fake")  # and those that begin with fid_
ALARM_NOTE = re.compile(r"Warning: (?P<name>[a-z-]+): (?P<text>.*)", re.DOTALL)  # of a row of the history
PROBE_KEYS = ("iterations", "seed", "majority", "codes", "curve", "use", "notes")


def read_results(file: Path) -> dict[str, Any]:
    """Returns the content of a file of results; without a file, an empty one. Raises UserError if it is damaged."""
    if not file.exists():
        return {"runs": {}, "measures": {}}
    try:
        content: dict[str, Any] = read_json(file)
        return content | {part: dict(content[part]) for part in ("runs", "measures")}
    except (UserError, TypeError, KeyError, ValueError):
        raise UserError(
            f"{file} is damaged; restore it, or delete it, and the same command writes it again from the runs' folders."
        ) from None


def update_results(file: Path, change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Changes a file of results as it is at this moment, and returns its content.

    Arguments:
        file: The file, which is written in one piece.
        change: Changes the content in place.
    """
    with lock_file(file.with_suffix(".lock"), lambda: time.sleep(LOCK_WAIT_SECONDS)):
        content = read_results(file)
        change(content)
        content["runs"] = dict(sorted(content["runs"].items()))
        write_json(file, content)
    return content


def add_result(file: Path, part: str, name: str, value: Any) -> None:
    """Adds a value to a file of results, or replaces it.

    Arguments:
        file: The file.
        part: "runs" or "measures".
        name: The name of the value in this part.
        value: The value.
    """
    update_results(file, lambda results: results[part].update({name: value}))


def records_by_system(experiment: Experiment, results: Mapping[str, Any]) -> dict[str, list[Record]]:
    """Returns the records of each system that has some, by systems and seeds, without runs that an alarm stopped."""
    runs = results["runs"]
    keys = {system.key: [f"{system.key}/seed-{seed}" for seed in range(system.seeds)] for system in experiment.systems}
    done = {name: record for name, record in runs.items() if "stopped" not in record}
    return {key: found for key, names in keys.items() if (found := [done[name] for name in names if name in done])}


def describe_source(source: str | None, preset: str) -> str:
    """Returns what results call a source of images: the preset's source, or the last part of a path."""
    known = PRESETS[preset].data.source
    return source if source is not None and source == known else Path(source or "images from memory").name


def hash_settings(config: Config, samplers: Sequence[str], images: int) -> str:
    """Returns the first 16 hex digits of a hash of what a record depends on, but for the place of the images.

    Settings with their default values do not count, so that a setting which a later version adds changes no hash.
    """
    changed = changed_fields(config.override(data=None, precision="auto"), Config())
    text = json.dumps([changed, sorted(samplers), images], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def make_record(
    run: Run, system: System, config: Config, images: int, probes: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Returns what is kept of a run that is trained and evaluated.

    Arguments:
        run: The run.
        system: Its system.
        config: The settings with which it was begun, of which the record is.
        images: The number of test images that were asked for.
        probes: What classifiers found in its codes (probes/measure.py), if that was measured.
    """
    name = describe_source(config.data.source, system.preset)
    own = run.config.override(data=name)
    history = run.history
    evaluation = rename_sources(run.evaluation, {str(config.data.source): name})
    seconds = sum(row["seconds"] for row in history)
    return {
        "of": hash_settings(config, system.samplers_of(config.training.seed), images),
        "command": train_command(own, f"runs/{own.preset}-seed-{own.training.seed}"),
        "options": {key: value for key, value in own.options().items() if key != "data"},
        "training": {
            "images": len(run.images("train")),
            "sha256": run.training_sha256,
            "source": name,
            "epochs": len(history),
            "steps": history[-1]["step"],
            "seconds": round(seconds, 1),
            "images_per_second": round(len(history) * len(run.images("train")) / seconds, 1),
            "device": describe_device(own.hardware.accelerator),
            "threads": torch.get_num_threads(),
        },
        "versions": versions(),
        "history": [_shorten(row) for row in history],
        "warnings": first_warnings(history),
        "evaluation": evaluation,
        **({"probes": {key: probes[key] for key in PROBE_KEYS}} if probes else {}),
    }


def _shorten(row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what is kept of an epoch, with six digits of each number."""
    kept = {key: value for key, value in row.items() if key in HISTORY_KEYS or key.startswith("fid_")}
    return {key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in kept.items()}


def first_warnings(history: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Returns the first alarm of each kind in spite of which a training went on, with its epoch, by name."""
    found: dict[str, str] = {}
    for row in history:
        for note in row.get("notes", ()):
            if match := ALARM_NOTE.match(note):
                found.setdefault(match["name"], f"epoch {row['epoch']}: {match['text']}")
    return found


def rename_sources(value: Any, names: Mapping[str, str]) -> Any:
    """Returns a JSON value in which the paths of images are replaced by names, also within sentences."""
    if isinstance(value, Mapping):
        return {key: rename_sources(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [rename_sources(each, names) for each in value]
    if isinstance(value, str):
        for path, name in names.items():
            value = value.replace(path, name)
    return value
