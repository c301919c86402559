"""Tables of encoded images: parquet files, and the data sets of the Hugging Face hub.

Both have the hub's layout: an image column `struct<bytes, path>` of encoded files, feature types in the schema metadata.
Labels are a ClassLabel, or an integer column `label` or `labels`; failing that all boolean columns are binary
attributes, as in CelebA. Parquet files or folders whose names begin with train, test or val, and the splits of a hub
data set, are the parts of a source. How images of different sizes and kinds are made alike is said in decode.py.
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import UserError
from .decode import decode_images
from .resize import ResizeOptions
from .splits import PART_OF_NAME, Labels, LoadedSplit, SplitSelection, make_class_labels, select_split

__all__ = ["find_parquet_parts", "read_hub_dataset", "read_parquet"]


def find_parquet_parts(files: Sequence[Path], root: Path) -> dict[str, list[Path]]:
    """Parquet files by the part that their names, or those of their folders, begin with; all together if none does."""
    parts: dict[str, list[Path]] = {}
    for file in files:
        for name in reversed(file.relative_to(root).parts):
            if begin := next((begin for begin in ("train", "test", "val") if name.lower().startswith(begin)), None):
                parts.setdefault(PART_OF_NAME[begin], []).append(file)
                break
    return parts or {"all": list(files)}


def read_parquet(parts: Mapping[str, Sequence[Path]], title: str, split: str, treatment: ResizeOptions) -> LoadedSplit:
    """Reads the files of the part that serves as `split`."""
    file = Path(title)
    try:
        counts: dict[str, list[int]] = {}
        for part, files in parts.items():
            counts[part] = []
            for file in files:
                counts[part].append(pq.read_metadata(file).num_rows)
        choice = select_split({part: sum(count) for part, count in counts.items()}, split, title)
        tables = []
        for file in parts[choice.part]:
            wanted = _select_columns(pq.read_schema(file), str(file))
            tables.append(pq.read_table(file, columns=wanted, partitioning=None))
        table = pa.concat_tables(tables)
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{file} cannot be read as Parquet ({str(error).splitlines()[0]}): it is damaged, incomplete or of another "
            "layout than its neighbours; fetch it again."
        ) from None
    starts = np.cumsum([0, *counts[choice.part]]).tolist()

    def name(row: int) -> str:
        at = bisect.bisect_right(starts, row) - 1
        return f"row {row - starts[at]} of {parts[choice.part][at].name}"

    return _decode_table(table, choice, title, treatment, name, Path(title).parent)


def read_hub_dataset(title: str, split: str, treatment: ResizeOptions) -> LoadedSplit:
    """Reads "hf://org/name" or "hf://org/name/config", from the cache of `datasets` or the network."""
    names = title.removeprefix("hf://").split("/")
    if not 2 <= len(names) <= 3 or not all(names):
        raise UserError(f"{title} names no data set of the hub: type hf://org/name, such as hf://uoft-cs/cifar10.")
    import datasets

    try:
        found = datasets.load_dataset("/".join(names[:2]), *names[2:])
    except Exception as error:  # the network, the hub and the reader of any format stand behind this call
        raise UserError(
            f"{title} cannot be loaded ({(str(error).splitlines() or [type(error).__name__])[0]}): check the name and "
            "the network, or fetch its parquet files elsewhere and give their folder."
        ) from None
    tables = {PART_OF_NAME.get(str(part), str(part)): data.with_format("arrow")[:] for part, data in found.items()}
    choice = select_split({part: len(table) for part, table in tables.items()}, split, title)
    table = tables[choice.part]
    table = table.select(_select_columns(table.schema, title))
    return _decode_table(table, choice, title, treatment, lambda row: f"row {row}", Path())


def _hub_features(schema: pa.Schema) -> dict[str, Any]:
    """The Hugging Face feature types in a schema's metadata, {} if there are none."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError):
        return {}
    return {name: kind for name, kind in features.items() if isinstance(kind, dict) and name in schema.names}


def _find_image_column(schema: pa.Schema) -> str | None:
    def encoded(kind: pa.DataType) -> bool:
        return pa.types.is_struct(kind) and {"bytes", "path"} <= {part.name for part in kind}

    columns = [column.name for column in schema if encoded(column.type)]
    typed = [name for name, kind in _hub_features(schema).items() if kind.get("_type") == "Image" and name in columns]
    return next(iter(typed + columns), None)


def _find_label_column(schema: pa.Schema) -> str | None:
    features = _hub_features(schema)
    classes = [name for name, kind in features.items() if kind.get("_type") == "ClassLabel"]
    plain = [name for name in ("label", "labels") if name in schema.names]
    plain = [name for name in plain if pa.types.is_integer(schema.field(name).type)]
    return next(iter([name for name in plain if name in classes] + classes + plain), None)


def _select_columns(schema: pa.Schema, source: str) -> list[str]:
    """The columns worth reading: the images, and the labels or else the boolean attributes."""
    image, label = _find_image_column(schema), _find_label_column(schema)
    if image is None:
        held = ", ".join(f"{column.name} ({column.type})" for column in schema)
        raise UserError(f"{source} has no column of images, a struct of bytes and path, but {held or 'no columns'}.")
    return [image, label] if label else [image, *(each.name for each in schema if pa.types.is_boolean(each.type))]


def _decode_table(
    table: pa.Table, choice: SplitSelection, title: str, treatment: ResizeOptions, name: Callable[[int], str], base: Path
) -> LoadedSplit:
    """Decodes the rows chosen of a table of encoded images."""
    schema = table.schema
    image, label = _find_image_column(schema), _find_label_column(schema)
    items = [_encoded_image(cell, base) for cell in table.column(image).to_pylist()]
    decoded = decode_images(items, treatment, title, choice.rows, name)
    labels, notes = None, choice.notes + decoded.notes
    if label:
        names = _hub_features(schema).get(label, {}).get("names", ())
        values = np.array(table.column(label).fill_null(-1).to_numpy()[decoded.rows])
        labels = make_class_labels(values, names)
        if labels is None:
            notes += (f"the column {label!r} is left out: not all its values are classes",)
    elif attributes := [name for name in schema.names if name != image]:
        values = np.stack([table.column(each).fill_null(False).to_numpy() for each in attributes], 1)
        labels = Labels(values[decoded.rows], tuple(attributes))
    return LoadedSplit(decoded.pixels, labels, notes)


def _encoded_image(cell: Mapping[str, Any] | None, base: Path) -> bytes | Path | None:
    """An encoded image: its bytes, or where these are absent the file at its path."""
    if not cell:
        return None
    return cell["bytes"] or (base / cell["path"] if cell["path"] else None)
