"""The store of pixels that is a prepared set on the disk (prepared.py), which another process can continue."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn
from zipfile import BadZipFile

import numpy as np
from torch import Tensor

from ..errors import UserError
from ..utils.files import write_json
from .decode import DecodedImages
from .geometry import ResizeOptions
from .mapped import open_pixels
from .pixel_store import Headers
from .prepared import FORMAT, decoder_version, format_bytes, read_prepared, read_record, remove_files

__all__ = ["FileStore", "NoSpaceError"]

_READ_BYTES = 1 << 24
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class NoSpaceError(UserError):
    """The disk has no room for a prepared set."""


class FileStore:
    """Pixels in the folder of a prepared set, continued where an earlier process stopped.

    Arguments:
        folder: The folder of the set, which this process has locked.
        record: What begun.json says of the set.
    """

    def __init__(self, folder: Path, record: dict[str, Any]) -> None:
        self.folder = folder
        made_by = {"format": FORMAT, "decoder": decoder_version(), "splitvae": version("splitvae")}
        self.record: dict[str, Any] = made_by | record
        self.images, self.shape, self.count = 0, (1, 1, 1), 0
        self.headers: Headers | None = None
        begun = read_record(folder / "begun.json")
        if begun is None or any(begun.get(key) != value for key, value in self.record.items()):
            remove_files(folder)
            folder.mkdir(parents=True, exist_ok=True)
            with self._explain_full():
                write_json(folder / "begun.json", self.record)

    def load_headers(self) -> Headers | None:
        path = self.folder / "headers.npz"
        with suppress(OSError, ValueError, KeyError, EOFError, BadZipFile), np.load(path, allow_pickle=False) as saved:
            failures = {int(i): reason for i, reason in json.loads(str(saved["failures"])).items()}
            self.headers = Headers(saved["sizes"], saved["modes"], failures)
        return self.headers

    def save_headers(self, headers: Headers) -> None:
        self.headers = headers
        draft = self.folder / "headers.npz.draft"
        with self._explain_full(), draft.open("wb") as file:
            np.savez(file, sizes=headers.sizes, modes=headers.modes, failures=json.dumps(headers.failures))
        os.replace(draft, self.folder / "headers.npz")

    def begin(self, count: int, shape: tuple[int, int, int]) -> tuple[int, dict[int, str]]:
        self.count, self.shape = count, shape
        done, failures, lines = self._read_progress()
        with self._explain_full():
            (self.folder / "progress.jsonl").write_text("".join(lines), encoding="utf-8")
            self.pixels = (self.folder / "pixels.bin").open("ab")
            self.pixels.truncate(self.images * math.prod(shape))
        self.progress = (self.folder / "progress.jsonl").open("a", encoding="utf-8")
        if self.missing_bytes() > shutil.disk_usage(self.folder).free:
            self._refuse_space()
        return done, failures

    def append(self, pixels: np.ndarray, done: int, failures: dict[int, str]) -> None:
        with self._explain_full():
            self.pixels.write(np.ascontiguousarray(pixels).data)
            self.pixels.flush()
            self.images += len(pixels)
            self.progress.write(json.dumps({"done": done, "images": self.images, "failures": failures}) + "\n")
            self.progress.flush()

    def finish(self) -> Tensor:
        with self._explain_full():
            os.fsync(self.pixels.fileno())
        self.close()
        return open_pixels(self.folder / "pixels.bin", (self.images, *self.shape))

    def close(self) -> None:
        """Closes the files."""
        for file in (getattr(self, "pixels", None), getattr(self, "progress", None)):
            with suppress(OSError):
                if file is not None:
                    file.close()

    def complete(self, decoded: DecodedImages) -> DecodedImages:
        """Writes set.json and returns the set as it is read from now on."""
        assert self.headers is not None
        asked = ResizeOptions(**self.record["asked"])
        channels, side, _ = self.headers.choose_shape(asked._replace(side=None, channels=None))
        record = self.record | {
            "natural": {"side": side, "channels": channels},
            "shape": list(decoded.pixels.shape),
            "notes": list(decoded.notes),
            "sha256": _hash_file(self.folder / "pixels.bin"),
        }
        with self._explain_full():
            with (self.folder / "rows.npy").open("wb") as file:
                np.save(file, decoded.rows.astype(np.int64))
                os.fsync(file.fileno())
            write_json(self.folder / "set.json", record)
        for name in ("begun.json", "headers.npz", "progress.jsonl"):
            with suppress(OSError):
                (self.folder / name).unlink()
        return read_prepared(self.folder, record)

    def missing_bytes(self) -> int:
        """Returns how many bytes of pixels are still to be written."""
        return (self.count - self.images) * math.prod(self.shape)

    def _read_progress(self) -> tuple[int, dict[int, str], list[str]]:
        """Returns how many items are done, why some of them cannot be decoded, and the lines that say so."""
        done, failures, lines = 0, dict[int, str](), list[str]()
        with suppress(OSError, ValueError, KeyError, TypeError):
            present = (self.folder / "pixels.bin").stat().st_size // math.prod(self.shape)
            for line in (self.folder / "progress.jsonl").read_text(encoding="utf-8").splitlines(keepends=True):
                step = json.loads(line)
                if not line.endswith("\n") or step["images"] > present:
                    break
                done, self.images = int(step["done"]), int(step["images"])
                failures |= {int(i): str(reason) for i, reason in step["failures"].items()}
                lines.append(line)
        return done, failures, lines

    @contextmanager
    def _explain_full(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.close()
            if error.errno in _FULL:
                self._refuse_space()
            raise
        except UserError as error:  # of write_json
            self.close()
            if isinstance(error.__context__, OSError) and error.__context__.errno in _FULL:
                self._refuse_space()
            raise

    def _refuse_space(self) -> NoReturn:
        self.close()
        missing, free = self.missing_bytes(), shutil.disk_usage(self.folder).free
        raise NoSpaceError(
            f"{self.folder.parent} has no room for the decoded images of {self.record['source']}: {format_bytes(missing)} "
            f"({missing:,} bytes) are still needed and {format_bytes(free)} ({free:,} bytes) are free. Make room, for "
            "example with `splitvae data clear`, and the next call continues where this one stopped; or name another disk, "
            "export SPLITVAE_DATA=/its/folder; or decode into memory each time, export SPLITVAE_CACHE=0."
        ) from None


def _hash_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()
