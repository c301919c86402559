"""Columns of encoded images in tables, as sequences that read a part of the table when it is needed."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import UserError
from .decode import EncodedImage

__all__ = ["ColumnImages", "FileImages"]

_GROUPS_IN_MEMORY = 2  # since neighbouring blocks of images are decoded at once


class ColumnImages(Sequence[EncodedImage]):
    """Creates the encoded images of a column of a table.

    Arguments:
        column: The column, a struct of bytes and path.
        base: The folder to which paths are relative.
    """

    def __init__(self, column: pa.ChunkedArray, base: Path = Path()) -> None:
        self.column, self.base = column, base
        self.refers_to_files = False  # whether an image that was read lies in a file of its own

    def __len__(self) -> int:
        return len(self.column)

    def __getitem__(self, i: Any) -> Any:
        cell: Mapping[str, Any] | None = self.column[i].as_py()
        if not cell:
            return None
        if cell["bytes"]:
            return cell["bytes"]
        self.refers_to_files |= bool(cell["path"])
        return self.base / cell["path"] if cell["path"] else None


class FileImages(Sequence[EncodedImage]):
    """Creates the encoded images of parquet files, of which a few row groups are in memory at a time.

    Arguments:
        files: The files.
        first_rows: The number of the first row of each file, and the number of all rows.
        column: The name of the column, a struct of bytes and path.
        base: The folder to which paths are relative.
    """

    def __init__(self, files: Sequence[Path], first_rows: Sequence[int], column: str, base: Path) -> None:
        self.files, self.first_rows, self.column, self.base = files, first_rows, column, base
        self.refers_to_files = False  # whether an image that was read lies in a file of its own
        self._lock = threading.Lock()
        self._groups: list[tuple[int, int, ColumnImages]] = []  # the first row, the row after the last one, and the images
        self._starts: dict[int, list[int]] = {}  # of the row groups of each file

    def __len__(self) -> int:
        return self.first_rows[-1]

    def __getitem__(self, i: Any) -> Any:
        with self._lock:
            start, images = next(((s, images) for s, stop, images in self._groups if s <= i < stop), (None, None))
            if start is None or images is None:
                start, stop, images = self._read_group(i)
                self._groups = [*self._groups, (start, stop, images)][-_GROUPS_IN_MEMORY:]
        item = images[i - start]
        self.refers_to_files |= images.refers_to_files
        return item

    def _read_group(self, row: int) -> tuple[int, int, ColumnImages]:
        """Reads the row group that has a row."""
        index = bisect.bisect_right(self.first_rows, row) - 1
        path, first = self.files[index], self.first_rows[index]
        try:
            with pq.ParquetFile(path) as file:
                if index not in self._starts:
                    starts = [first]
                    for group in range(file.metadata.num_row_groups):
                        starts.append(starts[-1] + file.metadata.row_group(group).num_rows)
                    self._starts[index] = starts
                starts = self._starts[index]
                group = bisect.bisect_right(starts, row) - 1
                column = file.read_row_group(group, columns=[self.column]).column(0)
        except (pa.ArrowException, OSError) as error:
            raise UserError(
                f"{path} cannot be read as Parquet ({(str(error).splitlines() or ['damaged'])[0]}): it is damaged or "
                "incomplete; fetch it again."
            ) from None
        return starts[group], starts[group + 1], ColumnImages(column, self.base)
