"""Images from anywhere as one uint8 tensor.

`load(source)` reads the digits that scikit-learn carries ("digits"); "mnist", "fashion-mnist" and "kmnist" from the
cache, else from the network (see idx.py); a folder of the four IDX files, of parquet files, or of images; a `.parquet`,
`.npy` or `.npz` file; a data set of the Hugging Face hub ("hf://org/name" or "hf://org/name/config"); an array.

**Parts.** Train and test subfolders, parquet files or folders whose names begin with train, test or val, the arrays
x_train and x_test of an `.npz`, and the splits of a hub data set are the parts of a source. Where there is no test part
the validation part stands in for it; a source of a single part is divided: a random tenth, always the same
(`numpy.random.default_rng(0)`), is held out as test. Notes say so.

**Labels.** Subfolders of a folder of images are classes (two at least). In parquet a ClassLabel, or an integer column
`label` or `labels`; failing that all boolean columns are binary attributes, as in CelebA. In an `.npz` `labels` or `y`.

**Parquet** is read in the Hugging Face layout: an image column `struct<bytes, path>` of encoded files, feature types in
the schema metadata. How images of different sizes and kinds are made alike is said in decode.py.
"""

from __future__ import annotations

import bisect
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from . import idx
from .decode import Treatment, check_array, decode, fit, naming, suffixes, treat
from .errors import UserError, nearest

__all__ = ["NAMES", "Images", "Source", "fit", "load"]

Source = str | os.PathLike | np.ndarray | Tensor

NAMES = ("digits", *idx.SETS)

_PARTS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
_PARTS |= {"val": "validation", "valid": "validation", "validation": "validation"}
_CLUTTER = {"thumbs.db", "desktop.ini", "__macosx"}  # left by file managers, passed over like hidden files
_MOST_CLASSES = 1 << 16  # integers beyond are no class labels


@dataclass(frozen=True, eq=False)
class Images:
    """Images in memory, and what is known of them."""

    pixels: Tensor = field(repr=False)  # uint8 (N, C, H, W), C in {1, 3}
    labels: Tensor | None = field(repr=False)  # int64: (N,) classes, or (N, A) binary attributes
    classes: tuple[str, ...]  # names of the classes or of the attributes; () when unlabelled
    source: str  # what was given
    split: str  # "train", "test" or "validation"
    notes: tuple[str, ...]  # worth telling: what was skipped, converted, resized, held out

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)"""
        channels, height, width = self.pixels.shape[1:]
        return channels, height, width


class _Labels(NamedTuple):
    values: np.ndarray  # (N,) or (N, A)
    classes: tuple[str, ...]


class _Read(NamedTuple):
    pixels: Tensor
    labels: _Labels | None
    notes: tuple[str, ...]


class _Choice(NamedTuple):
    """Which part of a source is read, and which of its rows."""

    part: str
    rows: np.ndarray | None  # None: all
    notes: tuple[str, ...] = ()

    def among(self, count: int) -> np.ndarray:
        return np.arange(count) if self.rows is None else self.rows


def load(
    source: Source,
    split: str = "train",
    *,
    side: int | None = None,
    crop: int | None = None,
    channels: int | None = None,
) -> Images:
    """Reads one part of a source into memory as uint8 images.

    Args:
        source: A name, a path, "hf://org/name", or an array (N, H, W), (N, H, W, C) or (N, C, H, W), uint8 or
            floating-point in [0, 1].
        split: "train" or "test"; "validation" where the source has such a part.
        side: Height and width in pixels of what is returned. By default the images decide, for each part anew: to read
            a test part in the shape of its train part, pass side and channels of the latter.
        crop: Side in pixels of the centre square to keep; smaller images are cut to their shorter side.
        channels: 1 or 3; by default 1 if all images are gray.

    Raises:
        UserError: one sentence about what is wrong with the source, and what to do.
    """
    if split not in ("train", "test", "validation"):
        raise UserError(f"split={split!r} is unknown: type 'train', 'test' or 'validation'.")
    if channels not in (None, 1, 3):
        raise UserError(f"channels={channels} is impossible: images are gray (1) or RGB (3).")
    for name, value in (("side", side), ("crop", crop)):
        if value is not None and value < 1:
            raise UserError(f"{name}={value} is impossible: give a number of pixels, such as {name}=64.")
    if not isinstance(source, Source) or (isinstance(source, str) and not source):
        what = "An empty name" if isinstance(source, str) else f"A {type(source).__name__}"
        raise UserError(f"{what} is no source of images: give a name, a path, hf://org/name, or an array.")
    title = f"array of shape {tuple(source.shape)}" if isinstance(source, np.ndarray | Tensor) else os.fspath(source)
    try:
        pixels, labels, notes = _read(source, title, split, Treatment(side, crop, channels))
    except OSError as error:
        raise UserError(f"{title} cannot be read: {error}.") from None
    values = torch.from_numpy(labels.values.astype(np.int64)) if labels else None
    return Images(pixels, values, labels.classes if labels else (), title, split, notes)


def _read(source: Source, title: str, split: str, treatment: Treatment) -> _Read:
    """Finds out what a source is, and reads it."""
    if isinstance(source, np.ndarray | Tensor):
        choice = _choose({"all": source.shape[0] if source.ndim else 0}, split, title)
        return _arrays(source, None, choice, title, treatment)
    if title == "digits":
        return _digits(split, treatment)
    if title in idx.SETS:
        folder, notes = idx.fetch(title)
        read = _idx(folder, split, treatment, idx.SETS[title].classes)
        return read._replace(notes=notes + read.notes)
    if title.startswith("hf://"):
        return _hub(title, split, treatment)
    path = Path(os.path.expanduser(title))  # unlike Path.expanduser it lets an unknown user's home pass
    if path.is_dir():
        if idx.find(path):
            return _idx(path, split, treatment)
        if tables := sorted(file for file in path.rglob("*.parquet") if not _hidden(file.relative_to(path))):
            return _parquet(_parquet_parts(tables, path), title, split, treatment)
        return _folder(path, split, treatment)
    if path.suffix == ".parquet" and path.is_file():
        return _parquet({"all": [path]}, title, split, treatment)
    if path.suffix in (".npy", ".npz") and path.is_file():
        return _numpy(path, title, split, treatment)
    if path.exists():
        raise UserError(
            f"{title} is a file of no known kind: give .parquet, .npy or .npz, or the folder of the images."
        )
    if os.sep in title:
        raise UserError(f"{title} does not exist: give a folder or file that is there, or one of {', '.join(NAMES)}.")
    raise UserError(f"{title!r} is neither a known data set nor a file or folder here: {nearest(title, NAMES)}")


def _choose(sizes: Mapping[str, int], split: str, source: str) -> _Choice:
    """The part that serves as `split`, and its rows; `sizes` counts the images of the parts there are."""
    if len(sizes) > 1:
        part = "validation" if split == "test" and "test" not in sizes else split
        if part not in sizes:
            raise UserError(f"{source} has no {split} part, only {' and '.join(sizes)}: ask for one of these.")
        if sizes[part] < 2:
            raise UserError(f"{source} has {sizes[part]} image(s) in its {part} part: at least 2 are needed.")
        stands_in = f"{source} has no test part: its validation part stands in for it"
        return _Choice(part, None, (stands_in,) if part != split else ())
    ((part, count),) = sizes.items()
    if split == "validation":
        raise UserError(f"{source} has no validation part: ask for 'train', or for 'test', a tenth that is held out.")
    if count < 2:
        raise UserError(f"{source} has {count} image(s): at least 2 are needed, one to train and one to test.")
    tenth = max(1, count // 10)
    order = np.random.default_rng(0).permutation(count)
    rows = np.sort(order[:tenth] if split == "test" else order[tenth:])
    return _Choice(part, rows, (f"held out {tenth} of {count} images as test: {source} has no test part",))


# ---------------------------------------------------------------- arrays, digits, IDX


def _arrays(
    images: np.ndarray | Tensor, labels: _Labels | None, choice: _Choice, title: str, treatment: Treatment
) -> _Read:
    pixels = check_array(images, title)
    rows = choice.among(len(pixels))
    pixels, notes = treat(pixels[rows], treatment)
    return _Read(pixels, labels and labels._replace(values=labels.values[rows]), choice.notes + notes)


def _digits(split: str, treatment: Treatment) -> _Read:
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)  # (1797, 8, 8), values 0 ... 16
    choice = _choose({"all": len(pixels)}, split, "digits")
    return _arrays(pixels, _Labels(digits.target, tuple("0123456789")), choice, "digits", treatment)


def _idx(folder: Path, split: str, treatment: Treatment, classes: tuple[str, ...] = ()) -> _Read:
    images, values = idx.read_pair(folder, split)
    choice = _choose({"train": len(images), "test": len(images)}, split, str(folder))
    labels = _integer_labels(values, classes)
    return _arrays(images, labels, choice, str(folder), treatment)


def _numpy(path: Path, title: str, split: str, treatment: Treatment) -> _Read:
    parts = _numpy_parts(path)
    choice = _choose({part: images.shape[0] if images.ndim else 0 for part, (images, _) in parts.items()}, split, title)
    images, values = parts[choice.part]
    labels = None if values is None else _array_labels(values, len(images), title)
    return _arrays(images, labels, choice, title, treatment)


def _numpy_parts(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    """The images, and labels if any, of each part in a .npy or .npz file; never unpickles."""
    parts: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
    try:
        content = np.load(path, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return {"all": (content, None)}
        with content as arrays:
            for part, end in (("all", ""), ("train", "_train"), ("test", "_test")):
                images = next((key for key in (f"images{end}", f"x{end}", f"arr_0{end}") if key in arrays), None)
                labels = next((key for key in (f"labels{end}", f"y{end}") if key in arrays), None)
                if images:
                    parts[part] = arrays[images], arrays[labels] if labels else None
            held = ", ".join(arrays.files) or "nothing"
    except Exception as error:  # its readers of zip, zlib and Python literals raise anything on damaged bytes
        if "Object arrays" in str(error):
            raise UserError(
                f"{path} holds pickled Python objects, which are refused since they can run code when they are read: "
                "save images of one size as one array, np.save(path, np.stack(images))."
            ) from None
        raise UserError(f"{path} is damaged, incomplete, or no NumPy file ({error}): save or fetch it again.") from None
    if not parts:
        raise UserError(f"{path} holds {held}, but no images: name the array 'images' (and its labels 'labels').")
    return parts


def _array_labels(values: np.ndarray, count: int, source: str) -> _Labels | None:
    """Labels (N,), (N, 1), or attributes (N, A) that came as an array."""
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim and len(values) != count:
        raise UserError(f"{source} holds {count} images but {len(values)} labels: give one label to each image.")
    if values.dtype.kind in "US" and values.ndim == 1:
        names, codes = np.unique(values, return_inverse=True)
        return _Labels(codes, tuple(map(str, names)))
    integers = values.dtype.kind in "biu"
    if integers and values.ndim == 1:
        return _integer_labels(values)
    if integers and values.ndim == 2 and np.isin(values, (0, 1)).all():
        return _Labels(values, tuple(map(str, range(values.shape[1]))))
    raise UserError(
        f"{source} has labels of type {values.dtype} and shape {values.shape}: "
        "give integers or names of shape (N,), or attributes 0 and 1 of shape (N, A)."
    )


def _integer_labels(values: np.ndarray, names: Sequence[str] = ()) -> _Labels | None:
    """None where the integers are no classes: hub data sets mark unlabelled images by -1."""
    if len(values) == 0 or values.min() < 0 or values.max() >= _MOST_CLASSES:
        return None
    return _Labels(values, tuple(names) if len(names) > values.max() else tuple(map(str, range(int(values.max()) + 1))))


# ---------------------------------------------------------------- a folder of images


def _hidden(path: Path) -> bool:
    return any(name.startswith(".") or name.lower() in _CLUTTER for name in path.parts)


def _walk(root: Path) -> Iterator[Path]:
    """The files below a folder, as paths relative to it, in an order that is the same everywhere."""
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            path = Path(folder, name).relative_to(root)
            if not _hidden(path):
                yield path


def _folder(root: Path, split: str, treatment: Treatment) -> _Read:
    files = list(_walk(root))
    images = [path for path in files if path.suffix.lower() in suffixes()]
    others = [str(path) for path in files if path.suffix.lower() not in suffixes()]
    if not images:
        found = f"only {naming(others)}" if others else "no files at all"
        raise UserError(f"{root} holds no images, {found}: give a folder of PNG, JPEG or other images.")
    parts, strays = _folder_parts(images)
    choice = _choose({name: len(part) for name, part in parts.items()}, split, str(root))
    paths = [path for path, _ in parts[choice.part]]
    decoded = decode([root / path for path in paths], treatment, str(root), choice.rows, lambda i: str(paths[i]))
    notes = choice.notes + decoded.notes
    if others:
        notes += (f"skipped {len(others)} files that are not images: {naming(others)}",)
    if strays:
        notes += (f"skipped {len(strays)} images beside the parts: {naming(strays)}",)
    classes = sorted({name for part in parts.values() for _, name in part})
    if "" in classes or len(classes) < 2:
        if len(classes) > 1:
            notes += ("the images are unlabelled, since some lie in subfolders and some do not",)
        return _Read(decoded.pixels, None, notes)
    codes = {name: code for code, name in enumerate(classes)}
    values = np.array([codes[parts[choice.part][i][1]] for i in decoded.rows])
    return _Read(decoded.pixels, _Labels(values, tuple(classes)), notes)


def _folder_parts(images: Sequence[Path]) -> tuple[dict[str, list[tuple[Path, str]]], list[str]]:
    """The images of each part with the names of their classes ("" if none), and images that lie beside the parts."""
    heads = {path.parts[0].lower() for path in images if len(path.parts) > 1}
    if not heads or not heads <= set(_PARTS) or "train" not in {_PARTS[head] for head in heads}:
        return {"all": [(path, path.parts[0] if len(path.parts) > 1 else "") for path in images]}, []
    parts: dict[str, list[tuple[Path, str]]] = {}
    for path in images:
        if len(path.parts) > 1:
            part = parts.setdefault(_PARTS[path.parts[0].lower()], [])
            part.append((path, path.parts[1] if len(path.parts) > 2 else ""))
    return parts, [str(path) for path in images if len(path.parts) == 1]


# ---------------------------------------------------------------- parquet, and the hub


def _parquet_parts(files: Sequence[Path], root: Path) -> dict[str, list[Path]]:
    """Parquet files by the part that their names, or those of their folders, begin with; all together if none does."""
    parts: dict[str, list[Path]] = {}
    for file in files:
        for name in reversed(file.relative_to(root).parts):
            if begin := next((begin for begin in ("train", "test", "val") if name.lower().startswith(begin)), None):
                parts.setdefault(_PARTS[begin], []).append(file)
                break
    return parts or {"all": list(files)}


def _parquet(parts: Mapping[str, Sequence[Path]], title: str, split: str, treatment: Treatment) -> _Read:
    file = Path(title)
    try:
        counts: dict[str, list[int]] = {}
        for part, files in parts.items():
            counts[part] = []
            for file in files:
                counts[part].append(pq.read_metadata(file).num_rows)
        choice = _choose({part: sum(count) for part, count in counts.items()}, split, title)
        tables = []
        for file in parts[choice.part]:
            wanted = _columns(pq.read_schema(file), str(file))
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

    return _table(table, choice, title, treatment, name, Path(title).parent)


def _hub(title: str, split: str, treatment: Treatment) -> _Read:
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
    tables = {_PARTS.get(str(part), str(part)): data.with_format("arrow")[:] for part, data in found.items()}
    choice = _choose({part: len(table) for part, table in tables.items()}, split, title)
    table = tables[choice.part]
    table = table.select(_columns(table.schema, title))
    return _table(table, choice, title, treatment, lambda row: f"row {row}", Path())


def _features(schema: pa.Schema) -> dict[str, Any]:
    """The Hugging Face feature types in a schema's metadata, {} if there are none."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError):
        return {}
    return {name: kind for name, kind in features.items() if isinstance(kind, dict) and name in schema.names}


def _image_column(schema: pa.Schema) -> str | None:
    def encoded(kind: pa.DataType) -> bool:
        return pa.types.is_struct(kind) and {"bytes", "path"} <= {part.name for part in kind}

    columns = [column.name for column in schema if encoded(column.type)]
    typed = [name for name, kind in _features(schema).items() if kind.get("_type") == "Image" and name in columns]
    return next(iter(typed + columns), None)


def _label_column(schema: pa.Schema) -> str | None:
    features = _features(schema)
    classes = [name for name, kind in features.items() if kind.get("_type") == "ClassLabel"]
    plain = [name for name in ("label", "labels") if name in schema.names]
    plain = [name for name in plain if pa.types.is_integer(schema.field(name).type)]
    return next(iter([name for name in plain if name in classes] + classes + plain), None)


def _columns(schema: pa.Schema, source: str) -> list[str]:
    """The columns worth reading: the images, and the labels or else the boolean attributes."""
    image, label = _image_column(schema), _label_column(schema)
    if image is None:
        held = ", ".join(f"{column.name} ({column.type})" for column in schema)
        raise UserError(f"{source} has no column of images, a struct of bytes and path, but {held or 'no columns'}.")
    return [image, label] if label else [image, *(each.name for each in schema if pa.types.is_boolean(each.type))]


def _table(
    table: pa.Table, choice: _Choice, title: str, treatment: Treatment, name: Callable[[int], str], base: Path
) -> _Read:
    """Decodes the rows chosen of a table of encoded images."""
    schema = table.schema
    image, label = _image_column(schema), _label_column(schema)
    items = [_item(cell, base) for cell in table.column(image).to_pylist()]
    decoded = decode(items, treatment, title, choice.rows, name)
    labels, notes = None, choice.notes + decoded.notes
    if label:
        names = _features(schema).get(label, {}).get("names", ())
        values = np.array(table.column(label).fill_null(-1).to_numpy()[decoded.rows])
        labels = _integer_labels(values, names)
        if labels is None:
            notes += (f"the column {label!r} is left out: not all its values are classes",)
    elif attributes := [name for name in schema.names if name != image]:
        values = np.stack([table.column(each).fill_null(False).to_numpy() for each in attributes], 1)
        labels = _Labels(values[decoded.rows], tuple(attributes))
    return _Read(decoded.pixels, labels, notes)


def _item(cell: Mapping[str, Any] | None, base: Path) -> bytes | Path | None:
    """An encoded image: its bytes, or where these are absent the file at its path."""
    if not cell:
        return None
    return cell["bytes"] or (base / cell["path"] if cell["path"] else None)
