"""Prepared sets: decoded images on the disk, one folder each in cache_dir()/prepared.

    CONTENT-SIDE-CHANNELS/     CONTENT is the hash of what is decoded (cache.py), SIDE and CHANNELS are what was asked for
      set.json                 what the set is; it is written last, so that a set without it is unfinished
      pixels.bin               the images, uint8 (N, C, H, W)
      rows.npy                 the number of each image's item
      begun.json               of an unfinished set: what it will be
      headers.npz              of an unfinished set: the sizes and modes of all items
      progress.jsonl           of an unfinished set: after each block, how many items and images there are in pixels.bin
    CONTENT-SIDE-CHANNELS.lock exists while a process writes the set

A process that was killed leaves whole lines in progress.jsonl, and the next one continues after the last line that
pixels.bin has the bytes of (file_store.py). A set of another format, or decoded by another version of Pillow, is written
anew.
"""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
import PIL

from ..utils.download import cache_dir
from ..utils.lock import lock_file
from .decode import DecodedImages
from .geometry import ResizeOptions
from .mapped import MapOrigin, open_pixels

__all__ = [
    "FORMAT",
    "PreparedSet",
    "decoder_version",
    "find_prepared",
    "format_bytes",
    "list_prepared",
    "lock_of",
    "prepared_folder",
    "read_prepared",
    "read_record",
    "remove_files",
    "remove_prepared",
]

FORMAT = 1  # to be increased when the files or the decoding change
_FILES = ("set.json", "pixels.bin", "rows.npy", "begun.json", "headers.npz", "progress.jsonl")


class PreparedSet(NamedTuple):
    """A set in the cache.

    Arguments:
        path: Its folder.
        state: "ready", "unfinished", "being prepared", or "outdated" if another version wrote it.
        record: What set.json, or begun.json of an unfinished set, says.
        size: The bytes of its files.
        time: When it was last written, in seconds since the epoch.
    """

    path: Path
    state: str
    record: dict[str, Any]
    size: int
    time: float

    @property
    def source(self) -> str:
        """The path or name of the source."""
        return str(self.record.get("source", "?"))

    @property
    def images(self) -> int | None:
        """The number of images; None if the set is unfinished."""
        return self.record["shape"][0] if "shape" in self.record else None

    @property
    def treatment(self) -> str:
        """The part, side, crop and channels of the images."""
        asked, shape = self.record.get("asked", {}), self.record.get("shape")
        side = "x".join(map(str, shape[2:])) if shape else f"side {asked.get('side') or 'of the images'}"
        channels = shape[1] if shape else asked.get("channels")
        colours = {1: "gray", 3: "colour"}.get(channels, "")
        crop = f"crop {asked['crop']}" if asked.get("crop") else ""
        return ", ".join(text for text in (str(self.record.get("part", "?")), side, colours, crop) if text)


def prepared_folder() -> Path:
    """Returns the folder of all prepared sets."""
    return cache_dir() / "prepared"


def decoder_version() -> str:
    """Returns what determines the pixels beside the files: the version of Pillow."""
    return f"Pillow {PIL.__version__}"


def format_bytes(count: float) -> str:
    """Formats a number of bytes.

    >>> format_bytes(12_345_678), format_bytes(4_500_000_000)
    ('12.3 MB', '4.5 GB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1e3:,.1f} kB"


# ---------------------------------------------------------------- reading


def find_prepared(content: str, options: ResizeOptions) -> DecodedImages | None:
    """Returns the prepared set of a content that has the size and channels of the options; None if there is none.

    Arguments:
        content: The hash of what is decoded.
        options: The side and channels; where there are none, those that the images themselves have.
    """
    for path in sorted(prepared_folder().glob(f"{content}-*/set.json")):
        record = read_record(path)
        if record is not None and record["shape"][1:3] == [
            options.channels or record["natural"]["channels"],
            options.side or record["natural"]["side"],
        ]:
            with suppress(OSError, ValueError, EOFError):  # another process removed it, or a file is damaged
                return read_prepared(path.parent, record)
    return None


def read_prepared(folder: Path, record: dict[str, Any]) -> DecodedImages:
    """Opens a prepared set; raises OSError, ValueError or EOFError if its files are not whole."""
    shape, pixels = tuple(record["shape"]), folder / "pixels.bin"
    rows = np.load(folder / "rows.npy", allow_pickle=False)
    if pixels.stat().st_size != math.prod(shape) or len(rows) != shape[0]:
        raise ValueError(f"{folder} is not whole")
    return DecodedImages(open_pixels(pixels, shape, MapOrigin(folder, record["sha256"])), rows, tuple(record["notes"]))


def read_record(path: Path) -> dict[str, Any] | None:
    """Returns what a set.json or begun.json of this version says; None if it is missing, damaged or of another version."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        record = json.loads(path.read_text(encoding="utf-8"))
        whole = path.name == "begun.json" or {"shape", "notes", "sha256", "natural"} <= record.keys()
        if whole and (record["format"], record["decoder"]) == (FORMAT, decoder_version()):
            return dict(record)
    return None


# ---------------------------------------------------------------- all sets


def list_prepared() -> list[PreparedSet]:
    """Returns all sets in the cache, those of one source together."""
    sets = []
    for path in prepared_folder().glob("*-*-*/"):
        stats = {}
        for name in _FILES:
            with suppress(OSError):  # it is not there, or the process that completes the set has just removed it
                stats[path / name] = (path / name).stat()
        if not stats:
            continue
        ready = read_record(path / "set.json")
        begun = read_record(path / "begun.json") if ready is None else None
        state = "ready" if ready is not None else "outdated" if begun is None else "unfinished"
        if state == "unfinished" and (path.parent / f"{path.name}.lock").exists() and not _is_free(path):
            state = "being prepared"
        record = ready or begun or _read_any_record(list(stats))
        size, time = sum(s.st_size for s in stats.values()), max(s.st_mtime for s in stats.values())
        sets.append(PreparedSet(path, state, record, size, time))
    return sorted(sets, key=lambda each: (each.source, each.treatment))


def remove_prepared(folder: Path) -> int | None:
    """Removes a set and returns the bytes that were freed; None if another process is writing it.

    Only the files of a prepared set are removed, and the folder only if nothing else is in it.
    """
    try:
        with lock_file(lock_of(folder), _refuse_busy):
            return remove_files(folder)
    except _Busy:
        return None


def remove_files(folder: Path) -> int:
    """Removes the files of a set from its folder, which this process has locked, and returns their bytes."""
    freed = 0
    for name in (*_FILES, "headers.npz.draft"):
        path = folder / name
        with suppress(OSError):
            size = path.stat().st_size
            path.unlink()
            freed += size
    with suppress(OSError):  # something else is in it
        folder.rmdir()
    return freed


class _Busy(Exception):
    """Another process has the lock."""


def _refuse_busy() -> NoReturn:
    raise _Busy


def lock_of(folder: Path) -> Path:
    """Returns the file that is locked while a set is written."""
    return folder.with_name(f"{folder.name}.lock")


def _is_free(folder: Path) -> bool:
    try:
        with lock_file(lock_of(folder), _refuse_busy):
            return True
    except _Busy:
        return False


def _read_any_record(files: list[Path]) -> dict[str, Any]:
    """Returns what a record of another version says, as far as it can be read."""
    for file in files:
        if file.name in ("set.json", "begun.json"):
            with suppress(OSError, ValueError):
                record = json.loads(file.read_text(encoding="utf-8"))
                if isinstance(record, dict):
                    return {key: record[key] for key in ("source", "part") if key in record}
    return {}
