"""Tables of encoded images: parquet files, and the data sets of the Hugging Face hub.

Both have the layout of the hub: a column of images `struct<bytes, path>` that holds encoded files, and the types of
features in the metadata of the schema. The labels are a ClassLabel, or an integer column `label` or `labels`; where there
is none of these, all boolean columns are binary attributes, as in CelebA. Parquet files or folders whose names begin with
train, test or val are the parts of a source, and so are the splits of a data set of the hub.
"""

from __future__ import annotations

import bisect
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import UserError
from .cache import Origin, decode_once, hash_files
from .encoded import ColumnImages, FileImages
from .geometry import ResizeOptions
from .hub import open_hub_part
from .parts import PART_OF_NAME, Labels, LoadedPart, PartSelection, make_class_labels, select_part

__all__ = ["find_parquet_parts", "read_hub_dataset", "read_parquet"]


def find_parquet_parts(files: Sequence[Path], root: Path) -> dict[str, list[Path]]:
    """Groups parquet files by the part that their names, or those of their folders below `root`, begin with.

    Returns all files as the part "all" if no name begins with train, test or val.
    """
    parts: dict[str, list[Path]] = {}
    for file in files:
        for name in reversed(file.relative_to(root).parts):
            if prefix := next((prefix for prefix in ("train", "test", "val") if name.lower().startswith(prefix)), None):
                parts.setdefault(PART_OF_NAME[prefix], []).append(file)
                break
    return parts or {"all": list(files)}


def read_parquet(parts: Mapping[str, Sequence[Path]], source_name: str, part: str, options: ResizeOptions) -> LoadedPart:
    """Reads a part of parquet files.

    Arguments:
        parts: The files of each part.
        source_name: The path of the file or folder.
        part: The part to read.
        options: The side, crop and channels of the images.

    Raises:
        UserError: If a file is damaged or has no column of images.
    """
    file = Path(source_name)
    try:
        row_counts: dict[str, list[int]] = {}
        for own, files in parts.items():
            row_counts[own] = []
            for file in files:
                row_counts[own].append(pq.read_metadata(file).num_rows)
        selection = select_part({own: sum(counts) for own, counts in row_counts.items()}, part, source_name)
        files, tables, images = parts[selection.part], [], set()
        for file in files:
            image, *columns = _select_columns(pq.read_schema(file), str(file))
            images.add(image)
            tables.append(pq.read_table(file, columns=columns, partitioning=None))
            if len(images) > 1:
                raise pa.ArrowInvalid("its column of images has another name")
        table = pa.concat_tables(tables)
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{file} cannot be read as Parquet ({str(error).splitlines()[0]}): it is damaged, incomplete or of another "
            "layout than its neighbours; fetch it again."
        ) from None
    first_rows = np.cumsum([0, *row_counts[selection.part]]).tolist()

    def row_name(row: int) -> str:
        index = bisect.bisect_right(first_rows, row) - 1
        return f"row {row - first_rows[index]} of {parts[selection.part][index].name}"

    root = Path(os.path.abspath(source_name))
    names = [os.path.relpath(os.path.abspath(path), root.parent) for path in files]
    origin = Origin(str(root), part, hash_files(root.parent, names))
    items = FileImages(files, first_rows, images.pop(), Path(source_name).parent)
    return _decode_table(items, table, selection, origin, options, source_name=source_name, row_name=row_name)


def read_hub_dataset(source_name: str, part: str, options: ResizeOptions) -> LoadedPart:
    """Reads a part of a data set of the hub (hub.py).

    Raises:
        UserError: If the name is wrong, the data set cannot be loaded, or it has no column of images.
    """
    dataset, selection = open_hub_part(source_name, part)
    table = dataset.with_format("arrow")[:]
    image, *columns = _select_columns(table.schema, source_name)
    origin = Origin(source_name, part, str(dataset._fingerprint))
    items, table = ColumnImages(table.column(image)), table.select(columns)
    return _decode_table(
        items, table, selection, origin, options, source_name=source_name, row_name=lambda row: f"row {row}"
    )


def _hub_features(schema: pa.Schema) -> dict[str, Any]:
    """Returns the types of features in the metadata of a schema as the hub writes them; {} if there are none."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError):
        return {}
    return {name: kind for name, kind in features.items() if isinstance(kind, dict) and name in schema.names}


def _find_image_column(schema: pa.Schema) -> str | None:
    def holds_encoded_images(kind: pa.DataType) -> bool:
        return pa.types.is_struct(kind) and {"bytes", "path"} <= {part.name for part in kind}

    columns = [column.name for column in schema if holds_encoded_images(column.type)]
    typed = [name for name, kind in _hub_features(schema).items() if kind.get("_type") == "Image" and name in columns]
    return next(iter(typed + columns), None)


def _find_label_column(schema: pa.Schema) -> str | None:
    """Returns the column of labels: a ClassLabel named label or labels, any ClassLabel, an integer column so named."""
    features = _hub_features(schema)
    class_labels = [name for name, kind in features.items() if kind.get("_type") == "ClassLabel"]
    named = [name for name in ("label", "labels") if name in schema.names]
    named = [name for name in named if pa.types.is_integer(schema.field(name).type)]
    return next(iter([name for name in named if name in class_labels] + class_labels + named), None)


def _select_columns(schema: pa.Schema, source_name: str) -> list[str]:
    """Returns the columns to read: first the images, then the labels or else the boolean attributes."""
    image, label = _find_image_column(schema), _find_label_column(schema)
    if image is None:
        columns = ", ".join(f"{column.name} ({column.type})" for column in schema) or "no columns"
        raise UserError(f"{source_name} has no column of images, a struct of bytes and path, but {columns}.")
    return [image, label] if label else [image, *(each.name for each in schema if pa.types.is_boolean(each.type))]


def _decode_table(
    items: ColumnImages | FileImages,
    table: pa.Table,
    selection: PartSelection,
    origin: Origin,
    options: ResizeOptions,
    *,
    source_name: str,
    row_name: Callable[[int], str],
) -> LoadedPart:
    """Decodes the selected rows of a column of encoded images; the table has their labels or attributes."""
    schema = table.schema
    decoded = decode_once(items, options, source_name, selection.rows, row_name, origin)
    labels, notes = None, selection.notes + decoded.notes
    if label := _find_label_column(schema):
        names = _hub_features(schema).get(label, {}).get("names", ())
        values = np.array(table.column(label).fill_null(-1).to_numpy()[decoded.rows])
        labels = make_class_labels(values, names)
        if labels is None:
            notes += (f"the column {label!r} is left out: not all its values are classes",)
    elif attributes := schema.names:
        values = np.stack([table.column(each).fill_null(False).to_numpy() for each in attributes], 1)
        labels = Labels(values[decoded.rows], tuple(attributes))
    return LoadedPart(decoded.pixels, labels, notes)
