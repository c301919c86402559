"""Images from anywhere as one uint8 tensor.

`load(source)` reads the digits that scikit-learn carries ("digits"); "mnist", "fashion-mnist" and "kmnist" from the
cache, else from the network (see idx.py); a folder of the four IDX files, of parquet files, or of images; a `.parquet`,
`.npy` or `.npz` file; a data set of the Hugging Face hub ("hf://org/name" or "hf://org/name/config"); an array.

**Parts.** Train, test and validation subfolders, and the arrays x_train and x_test of an `.npz`, are the parts of a
source. Which of them serves as the split asked for, and what is held out where there is no test part, is said in parts.py.

**Labels.** Subfolders of a folder of images are classes (two at least). In an `.npz` `labels` or `y`.

Parts and labels of parquet and of the hub are said in tables.py; how images of different sizes and kinds are made alike
in decode.py.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import idx
from .decode import Treatment, check_array, decode, fit, naming, suffixes, treat
from .errors import UserError, nearest
from .parts import PARTS, Choice, Labels, Read, choose, integer_labels
from .tables import hub, parquet, parquet_parts

__all__ = ["NAMES", "Images", "Source", "fit", "load", "spaced", "whole"]

Source = str | os.PathLike | np.ndarray | Tensor

NAMES = ("digits", *idx.SETS)

_CLUTTER = {"thumbs.db", "desktop.ini", "__macosx"}  # left by file managers, passed over like hidden files


@dataclass(frozen=True, eq=False)
class Images:
    """Images in memory, and what is known of them."""

    pixels: Tensor = field(repr=False)  # uint8 (N, C, H, W), C in {1, 3}
    labels: Tensor | None = field(repr=False)  # int64: (N,) classes, or (N, A) binary attributes
    classes: tuple[str, ...]  # names of the classes or of the attributes; () when unlabelled
    source: str  # what was given
    split: str  # "train", "test" or "validation"
    notes: tuple[str, ...]  # worth telling: what was skipped, converted, resized, held out
    crop: int | None = None  # side of the centre square that was cut out

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def sha256(self) -> str:
        """16 hex digits of the SHA-256 of the pixels."""
        return hashlib.sha256(self.pixels.contiguous().numpy().data).hexdigest()[:16]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)"""
        channels, height, width = self.pixels.shape[1:]
        return channels, height, width


def spaced(count: int, limit: int) -> Tensor:
    """At most `limit` of `count` rows, evenly spaced: a fair choice even where images are sorted by class."""
    chosen = min(limit, count)
    return torch.arange(chosen) * count // chosen


def whole(source: Source) -> Images:
    """All images of a source without parts; of one with parts the test part, with a note that says so."""
    try:
        return load(source, "all")
    except UserError as error:
        if "has no all part" not in str(error):
            raise
    images = load(source, "test")
    return replace(images, notes=(*images.notes, f"{images.source} has parts, of which the {images.split} part is taken"))


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
        split: "train" or "test"; "validation" where the source has such a part; "all" where it has no parts.
        side: Height and width in pixels of what is returned. By default the images decide, for each part anew: to read
            a test part in the shape of its train part, pass side and channels of the latter.
        crop: Side in pixels of the centre square to keep; smaller images are cut to their shorter side.
        channels: 1 or 3; by default 1 if all images are gray.

    Raises:
        UserError: one sentence about what is wrong with the source, and what to do.
    """
    if split not in ("train", "test", "validation", "all"):
        raise UserError(f"split={split!r} is unknown: type 'train', 'test', 'validation' or 'all'.")
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
    return Images(pixels, values, labels.classes if labels else (), title, split, notes, crop)


def _read(source: Source, title: str, split: str, treatment: Treatment) -> Read:
    """Finds out what a source is, and reads it."""
    if isinstance(source, np.ndarray | Tensor):
        choice = choose({"all": source.shape[0] if source.ndim else 0}, split, title)
        return _arrays(source, None, choice, title, treatment)
    if title == "digits":
        return _digits(split, treatment)
    if title in idx.SETS:
        folder, notes = idx.fetch(title)
        read = _idx(folder, split, treatment, idx.SETS[title].classes)
        return read._replace(notes=notes + read.notes)
    if title.startswith("hf://"):
        return hub(title, split, treatment)
    path = Path(os.path.expanduser(title))  # unlike Path.expanduser it lets an unknown user's home pass
    if path.is_dir():
        if idx.find(path):
            return _idx(path, split, treatment)
        if tables := sorted(file for file in path.rglob("*.parquet") if not _hidden(file.relative_to(path))):
            return parquet(parquet_parts(tables, path), title, split, treatment)
        return _folder(path, split, treatment)
    if path.suffix == ".parquet" and path.is_file():
        return parquet({"all": [path]}, title, split, treatment)
    if path.suffix in (".npy", ".npz") and path.is_file():
        return _numpy(path, title, split, treatment)
    if path.exists():
        raise UserError(f"{title} is a file of no known kind: give .parquet, .npy or .npz, or the folder of the images.")
    if os.sep in title:
        raise UserError(f"{title} does not exist: give a folder or file that is there, or one of {', '.join(NAMES)}.")
    raise UserError(f"{title!r} is neither a known data set nor a file or folder here: {nearest(title, NAMES)}")


# ---------------------------------------------------------------- arrays, digits, IDX


def _arrays(images: np.ndarray | Tensor, labels: Labels | None, choice: Choice, title: str, treatment: Treatment) -> Read:
    pixels = check_array(images, title)
    rows = choice.among(len(pixels))
    pixels, notes = treat(pixels[rows], treatment)
    return Read(pixels, labels and labels._replace(values=labels.values[rows]), choice.notes + notes)


def _digits(split: str, treatment: Treatment) -> Read:
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)  # (1797, 8, 8), values 0 ... 16
    choice = choose({"all": len(pixels)}, split, "digits")
    return _arrays(pixels, Labels(digits.target, tuple("0123456789")), choice, "digits", treatment)


def _idx(folder: Path, split: str, treatment: Treatment, classes: tuple[str, ...] = ()) -> Read:
    images, values = idx.read_pair(folder, split)
    choice = choose({"train": len(images), "test": len(images)}, split, str(folder))
    labels = integer_labels(values, classes)
    return _arrays(images, labels, choice, str(folder), treatment)


def _numpy(path: Path, title: str, split: str, treatment: Treatment) -> Read:
    parts = _numpy_parts(path)
    choice = choose({part: images.shape[0] if images.ndim else 0 for part, (images, _) in parts.items()}, split, title)
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


def _array_labels(values: np.ndarray, count: int, source: str) -> Labels | None:
    """Labels (N,), (N, 1), or attributes (N, A) that came as an array."""
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim and len(values) != count:
        raise UserError(f"{source} holds {count} images but {len(values)} labels: give one label to each image.")
    if values.dtype.kind in "US" and values.ndim == 1:
        names, codes = np.unique(values, return_inverse=True)
        return Labels(codes, tuple(map(str, names)))
    integers = values.dtype.kind in "biu"
    if integers and values.ndim == 1:
        return integer_labels(values)
    if integers and values.ndim == 2 and np.isin(values, (0, 1)).all():
        return Labels(values, tuple(map(str, range(values.shape[1]))))
    raise UserError(
        f"{source} has labels of type {values.dtype} and shape {values.shape}: "
        "give integers or names of shape (N,), or attributes 0 and 1 of shape (N, A)."
    )


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


def _folder(root: Path, split: str, treatment: Treatment) -> Read:
    files = list(_walk(root))
    images = [path for path in files if path.suffix.lower() in suffixes()]
    others = [str(path) for path in files if path.suffix.lower() not in suffixes()]
    if not images:
        found = f"only {naming(others)}" if others else "no files at all"
        raise UserError(f"{root} holds no images, {found}: give a folder of PNG, JPEG or other images.")
    parts, strays = _folder_parts(images)
    choice = choose({name: len(part) for name, part in parts.items()}, split, str(root))
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
        return Read(decoded.pixels, None, notes)
    codes = {name: code for code, name in enumerate(classes)}
    values = np.array([codes[parts[choice.part][i][1]] for i in decoded.rows])
    return Read(decoded.pixels, Labels(values, tuple(classes)), notes)


def _folder_parts(images: Sequence[Path]) -> tuple[dict[str, list[tuple[Path, str]]], list[str]]:
    """The images of each part with the names of their classes ("" if none), and images that lie beside the parts."""
    heads = {path.parts[0].lower() for path in images if len(path.parts) > 1}
    if not heads or not heads <= set(PARTS) or "train" not in {PARTS[head] for head in heads}:
        return {"all": [(path, path.parts[0] if len(path.parts) > 1 else "") for path in images]}, []
    parts: dict[str, list[tuple[Path, str]]] = {}
    for path in images:
        if len(path.parts) > 1:
            part = parts.setdefault(PARTS[path.parts[0].lower()], [])
            part.append((path, path.parts[1] if len(path.parts) > 2 else ""))
    return parts, [str(path) for path in images if len(path.parts) == 1]
