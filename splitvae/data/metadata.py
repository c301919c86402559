"""Labels of a folder of images from a table in it, metadata.csv, as in the image folders of Hugging Face.

    file_name,label          file_name,Smiling,Male
    a.png,cat                a.png,1,0
    more/b.png,dog           more/b.png,0,1

Names are relative to the folder of the table; each part may have a table of its own. The labels are the column `label`, or
the only other column: integers, or names. Several other columns are binary attributes if all their values are 0 and 1.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..utils.text import count_noun
from .decode import shorten_list
from .parts import Labels, make_class_labels

__all__ = ["TABLE", "FolderLabels"]

TABLE = "metadata.csv"
FILE_NAME, LABEL = "file_name", "label"
_BINARY = {"0": 0, "1": 1, "false": 0, "true": 1}


class FolderLabels:
    """The labels that the tables of a folder give to its images.

    Arguments:
        root: The folder.
        tables: The tables, relative to it.
        images: The images of all parts, relative to it: an integer means the same class in each part.

    Raises:
        UserError: For a table that cannot be read, and for tables of different columns.
    """

    def __init__(self, root: Path, tables: Sequence[str], images: Sequence[str]) -> None:
        self.notes: tuple[str, ...] = ()
        self._labels: Labels | None = None
        columns, rows = _read_tables(root, tables)
        known = set(images)
        if absent := [name for name in rows if name not in known]:
            self.notes += (f"{TABLE} has {count_noun(len(absent), 'name')} without an image: {shorten_list(absent)}",)
        if without := [name for name in images if name not in rows]:
            names = f"{count_noun(len(without), 'image')}: {shorten_list(without)}"
            self.notes += (f"the images are unlabelled, since {TABLE} has no row for {names}",)
            return
        found = _interpret(columns, [rows[name] for name in images])
        if isinstance(found, str):
            self.notes += (f"the images are unlabelled, since in {TABLE} {found}",)
            return
        self._labels = found
        self._row_of_image = {name: row for row, name in enumerate(images)}

    def of(self, names: Sequence[str]) -> Labels | None:
        """Returns the labels of images, in their order; None if the tables give none."""
        if self._labels is None:
            return None
        return self._labels._replace(values=self._labels.values[[self._row_of_image[name] for name in names]])


def _read_tables(root: Path, tables: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Returns the names of the columns after that of the files, and the values of each image by its path in the root."""
    columns: list[str] = []
    rows: dict[str, list[str]] = {}
    for table in tables:
        names, others, values = _read_table(root / table)
        if columns not in ([], others):
            raise UserError(
                f"{root / table} has the columns {', '.join(others)}, and another {TABLE} there {', '.join(columns)}: give "
                "all tables the same."
            )
        columns = others
        folder = os.path.dirname(table)
        rows |= {os.path.normpath(os.path.join(folder, name)): row for name, row in zip(names, values, strict=True)}
    return columns, rows


def _read_table(path: Path) -> tuple[list[str], list[str], list[list[str]]]:
    """Returns the names of the files, the names of the other columns, and the values of these in each row."""
    try:
        reader = csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig")))
        header, *rows = [row for row in reader if row] or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no table of text in UTF-8 ({error}): save it as CSV in UTF-8.") from None
    if FILE_NAME not in header or len(header) < 2:
        raise UserError(
            f"{path} begins with {','.join(header) or 'nothing'}: its first line names the columns, {FILE_NAME},{LABEL}, "
            "separated by commas; or rename it to read the images without it."
        )
    if odd := next((row for row in rows if len(row) != len(header)), None):
        raise UserError(f"{path} has {len(header)} columns, and a row of {len(odd)}: {','.join(odd)[:80]}; mend that row.")
    place = header.index(FILE_NAME)
    return [row.pop(place) for row in rows], header[:place] + header[place + 1 :], rows


def _interpret(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Labels | str:
    """Returns the labels in the values of all images; or why there are none, in words."""
    if LABEL not in columns and len(columns) > 1:
        for name, values in zip(columns, zip(*rows, strict=True), strict=True):
            if odd := [value for value in values if value.lower() not in _BINARY]:
                return f"no column is {LABEL!r}, and {name} has {odd[0]!r}, which is neither 0 nor 1"
        return Labels(np.array([[_BINARY[value.lower()] for value in row] for row in rows]), tuple(columns))
    place = columns.index(LABEL) if LABEL in columns else 0
    classes = [row[place] for row in rows]
    if all(map(str.isdecimal, classes)):
        return make_class_labels(np.array(classes, np.int64)) or f"{columns[place]} has integers too large for classes"
    if odd := [value for value in classes if not value or (_is_number(value) and not value.isdecimal())]:
        return f"{columns[place]} has {odd[0]!r}, which is no class"
    names, numbers = np.unique(classes, return_inverse=True)
    return Labels(numbers, tuple(map(str, names)))


def _is_number(text: str) -> bool:
    with suppress(ValueError):
        float(text)
        return True
    return False
