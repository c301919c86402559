"""The command `doctor`: what splitvae runs on, what its caches hold, and what is missing for which feature."""

import os
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, ClassVar

from .options import Json

__all__ = ["Doctor"]

FEATURES = {  # of the extras, in words; others are shown by their name alone
    "keras": "splitvae import-keras, and --features inception-keras",
    "explore": "splitvae explore",
    "export": "splitvae export",
    "lightning": "the Lightning module",
    "wandb": "--logger wandb",
    "mlflow": "--logger mlflow",
    "docs": "make docs",
    "test": "make test",
    "bench": "make bench",
}
LIBRARIES = ("torch", "lightning-fabric", "datasets", "huggingface_hub", "numpy", "scikit-learn", "matplotlib", "zuko")


@dataclass
class Doctor:
    """Show versions, devices, precision, threads and caches, and what is missing for which feature.

    The output is what a report of a problem should hold.
    """

    json: Json = False
    is_a_table: ClassVar[bool] = True

    def __call__(self) -> dict[str, Any]:
        from ..utils.text import align_columns

        facts = {
            "versions": _versions(),
            "devices": _devices(),
            "caches": _caches(),
            "features": _features(),
        }
        for title, rows in facts.items():
            cells = [[name, *map(str, value if isinstance(value, list) else [value])] for name, value in rows.items()]
            print(title)
            for line in align_columns([""] * len(cells[0]), cells).splitlines()[1:]:
                print(f"  {line}")
        return facts


def _versions() -> dict[str, Any]:
    """Returns the versions of splitvae, Python, the system, and the libraries."""
    present = {name: _version(name) or "missing" for name in LIBRARIES}
    return {"splitvae": version("splitvae"), "Python": platform.python_version(), "system": platform.platform(), **present}


def _devices() -> dict[str, Any]:
    """Returns the device of trainings, its arithmetic, the threads, and the memory."""
    import torch

    from ..data.prepared import format_bytes
    from ..utils.machine import default_device, describe_device, has_native_bf16

    kind = default_device().type
    native = has_native_bf16(kind)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    variable = os.environ.get("OMP_NUM_THREADS", "not set")
    facts: dict[str, Any] = {
        "device": f"{kind}: {describe_device()}",
        "number": str(torch.accelerator.device_count() if kind != "cpu" else 1),
        "precision": "bf16: the device computes it natively" if native else "32: bf16 would be emulated, which is slow",
        "threads": f"{torch.get_num_threads()} of {cores} cores; OMP_NUM_THREADS is {variable}",
    }
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        facts["memory"] = format_bytes(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return facts


def _caches() -> dict[str, Any]:
    """Returns the folders of downloads and decoded images with their sizes, and the free space."""
    from ..data.prepared import format_bytes
    from ..utils.download import cache_dir

    folder = cache_dir()
    parts = sorted(path for path in folder.iterdir()) if folder.is_dir() else []
    facts: dict[str, Any] = {"folder": str(folder) if folder.is_dir() else f"{folder} (not there yet)"}
    facts |= {path.name: format_bytes(_size(path)) for path in parts}
    present = next(path for path in (folder, *folder.parents) if path.exists())
    free = [format_bytes(shutil.disk_usage(path).free) for path in (present, Path())]
    facts["free space"] = f"{free[0]} there, {free[1]} in this folder"
    return facts


def _features() -> dict[str, Any]:
    """Returns, for each extra of splitvae, what it does, and which packages of it are missing."""
    packages: dict[str, list[str]] = {}
    for requirement in requires("splitvae") or []:
        text, _, condition = requirement.partition(";")
        if 'extra == "' in condition and "!=" not in condition:
            name = text.partition("[")[0]
            for sign in "<>=!~ ":
                name = name.partition(sign)[0]
            packages.setdefault(condition.split('extra == "')[1].partition('"')[0], []).append(name)
    facts = {}
    for extra, names in packages.items():
        missing = [name for name in dict.fromkeys(names) if _version(name) is None]
        state = f"missing: {', '.join(missing)}; in a clone type pip install -e '.[{extra}]'" if missing else "ready"
        facts[extra] = [FEATURES.get(extra, ""), state]
    return facts


def _version(package: str) -> str | None:
    """Returns the version of an installed package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _size(path: Path) -> int:
    """Returns the bytes of a file, or of all files in a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
