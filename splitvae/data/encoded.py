"""Columns of encoded images in tables, as sequences that read a part of the table when it is needed."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import UserError
from .decode import EncodedImage

__all__ = ["ColumnImages", "FileImages"]

_GROUPS_IN_MEMORY = 2  # since neighbouring blocks of images are decoded at once


class _Group(NamedTuple):
    """The images of a row group.

    Arguments:
        start: The number of the first row.
        cells: The bytes and path of each row.
    """

    start: int
    cells: list[Mapping[str, Any] | None]


def _encoded_image(cell: Mapping[str, Any] | None, base: Path) -> EncodedImage:
    """Returns the bytes of an encoded image, or the path of its file where there are none."""
    if not cell:
        return None
    return cell["bytes"] or (base / cell["path"] if cell["path"] else None)


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
        item = _encoded_image(self.column[i].as_py(), self.base)
        self.refers_to_files |= isinstance(item, Path)
        return item


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
        self._groups: list[_Group] = []
        self._starts: dict[int, list[int]] = {}  # of the row groups of each file

    def __len__(self) -> int:
        return self.first_rows[-1]

    def __getitem__(self, i: Any) -> Any:
        group = self._find_group(i)
        if group is None:
            with self._lock:
                group = self._find_group(i)
                if group is None:  # no other thread has read it meanwhile
                    group = self._read_group(i)
                    self._groups = [*self._groups, group][-_GROUPS_IN_MEMORY:]
        item = _encoded_image(group.cells[i - group.start], self.base)
        self.refers_to_files |= isinstance(item, Path)
        return item

    def _find_group(self, row: int) -> _Group | None:
        for group in self._groups:
            if 0 <= row - group.start < len(group.cells):
                return group
        return None

    def _read_group(self, row: int) -> _Group:
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
        return _Group(starts[group], column.to_pylist())
