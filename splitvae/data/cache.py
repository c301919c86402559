"""Images are decoded once: `decode_once` keeps the pixels on the disk (prepared.py) and opens them there from then on.

A set is recognised by what is decoded: the names, sizes and times of the files, the rows of the part, and the crop. So a
folder in which a file was changed, added or removed is decoded anew, and the set of the old one is removed.

Sets of fewer than `LEAST_IMAGES` images are decoded each time. SPLITVAE_CACHE=0 in the environment switches the cache off.
Where the folder of the cache cannot be written to, or the system has no locks, images are decoded into memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import UserError
from ..utils.lock import lock_file
from .decode import DecodedImages, EncodedImage, decode_images
from .file_store import FileStore, NoSpaceError
from .geometry import ResizeOptions
from .prepared import find_prepared, list_prepared, lock_of, prepared_folder, remove_files, remove_prepared

__all__ = ["LEAST_IMAGES", "Origin", "decode_once", "hash_files"]

LEAST_IMAGES = 256  # fewer are decoded in less time than it takes to notice
_ATTEMPT_SECONDS = 0.1  # between two attempts to lock a set that another process writes
_ATTEMPTS_IN_SILENCE = 20


class Origin(NamedTuple):
    """What is decoded, by which a prepared set is recognised.

    Arguments:
        source: The source as a person knows it: the whole path of a folder or file, or a name.
        part: The part that is asked for.
        content: The hash of what is decoded, from `hash_files`.
    """

    source: str
    part: str
    content: str


def hash_files(root: Path, names: Iterable[str]) -> str:
    """Returns a hash of the names, sizes and times of files in a folder; one that is gone counts as empty."""
    digest = hashlib.sha256()
    for name in names:
        size, changed = 0, 0
        with suppress(OSError):
            status = os.stat(os.path.join(root, name))
            size, changed = status.st_size, status.st_mtime_ns
        digest.update(f"{name}\0{size}\0{changed}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def decode_once(
    items: Sequence[EncodedImage],
    options: ResizeOptions,
    source_name: str,
    rows: np.ndarray | None,
    item_name: Callable[[int], str],
    origin: Origin,
) -> DecodedImages:
    """Returns decoded images from the cache; those that it lacks are decoded and kept there.

    Arguments:
        items: The bytes of the files, or their paths; None for an item that has neither. Where some are paths although
            `origin` knows nothing of these files, an attribute `refers_to_files` that is true after they were read
            prevents that the images are kept.
        options: The side, crop and channels of the result, and whether it is kept.
        source_name: What messages call the source.
        rows: The numbers of the items to decode, by default all.
        item_name: Returns what messages call item i.
        origin: What is decoded.

    Raises:
        UserError: If none of the selected images can be read.
        NoSpaceError: If the disk has no room for the pixels.
    """
    rows = np.arange(len(items)) if rows is None else rows
    arguments = items, options, source_name, rows, item_name
    if options.cache is False or os.environ.get("SPLITVAE_CACHE") == "0":
        return decode_images(*arguments)
    content = _hash_content(origin, options, rows)
    if (found := find_prepared(content, options)) is not None:
        return found
    if len(rows) < LEAST_IMAGES and options.cache is None:
        return decode_images(*arguments)
    folder = prepared_folder() / f"{content}-{options.side or 'auto'}-{options.channels or 'auto'}"
    with lock_file(lock_of(folder), _Waiting(folder, source_name)) as locked:
        if (found := find_prepared(content, options)) is not None:  # another process has written it meanwhile
            return found
        if not locked:
            decoded = decode_images(*arguments)
            note = f"the decoded images are not kept, since {folder.parent} cannot be written to or locked"
            return decoded._replace(notes=(*decoded.notes, note))
        asked = options._asdict() | {"cache": None}
        record = {"source": origin.source, "part": origin.part, "asked": asked, "content": content}
        for other in list_prepared():
            same = all(other.record.get(key) == record[key] for key in ("source", "part", "asked"))
            if same and other.path != folder:  # of files that have changed since
                remove_prepared(other.path)
        store = FileStore(folder, record)
        try:
            decoded = decode_images(*arguments, store=store)
            completed = store.complete(decoded)
        except NoSpaceError:
            raise
        except UserError:
            remove_files(folder)
            raise
        finally:
            store.close()
            if getattr(items, "refers_to_files", False):
                remove_files(folder)
        return completed


class _Waiting:
    """Waits while another process writes a set, and says so once."""

    def __init__(self, folder: Path, source_name: str) -> None:
        self.attempts, self.text = 0, f"Waiting for another process that decodes {source_name} into {folder}."

    def __call__(self) -> None:
        self.attempts += 1
        if self.attempts == _ATTEMPTS_IN_SILENCE:
            print(self.text, file=sys.stderr, flush=True)
        time.sleep(_ATTEMPT_SECONDS)


def _hash_content(origin: Origin, options: ResizeOptions, rows: np.ndarray) -> str:
    """Returns the first 24 hex digits of the hash of what is decoded, whatever its side and channels will be."""
    treatment = options._replace(side=None, channels=None, cache=None)
    digest = hashlib.sha256(json.dumps([origin.source, origin.content, treatment]).encode())
    digest.update(np.ascontiguousarray(rows, np.int64).data)
    return digest.hexdigest()[:24]
