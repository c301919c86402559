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

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError, nearest
from .arrays import read_array, read_digits, read_numpy_file
from .folder import is_hidden, read_folder
from .images import Images
from .mnist import HOSTED_DATASETS, fetch_dataset, find_idx_files, read_idx_pair
from .parquet import find_parquet_parts, read_hub_dataset, read_parquet
from .resize import ResizeOptions
from .splits import LoadedSplit, make_class_labels, select_split

__all__ = ["SOURCE_NAMES", "Source", "load", "load_all"]


Source = str | os.PathLike | np.ndarray | Tensor


SOURCE_NAMES = ("digits", *HOSTED_DATASETS)


def load_all(source: Source) -> Images:
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
        pixels, labels, notes = _read_source(source, title, split, ResizeOptions(side, crop, channels))
    except OSError as error:
        raise UserError(f"{title} cannot be read: {error}.") from None
    values = torch.from_numpy(labels.values.astype(np.int64)) if labels else None
    return Images(pixels, values, labels.classes if labels else (), title, split, notes, crop)


def _read_source(source: Source, title: str, split: str, treatment: ResizeOptions) -> LoadedSplit:
    """Finds out what a source is, and reads it."""
    if isinstance(source, np.ndarray | Tensor):
        choice = select_split({"all": source.shape[0] if source.ndim else 0}, split, title)
        return read_array(source, None, choice, title, treatment)
    if title == "digits":
        return read_digits(split, treatment)
    if title in HOSTED_DATASETS:
        folder, notes = fetch_dataset(title)
        read = _read_idx_folder(folder, split, treatment, HOSTED_DATASETS[title].classes)
        return read._replace(notes=notes + read.notes)
    if title.startswith("hf://"):
        return read_hub_dataset(title, split, treatment)
    path = Path(os.path.expanduser(title))  # unlike Path.expanduser it lets an unknown user's home pass
    if path.is_dir():
        if find_idx_files(path):
            return _read_idx_folder(path, split, treatment)
        if tables := sorted(file for file in path.rglob("*.parquet") if not is_hidden(file.relative_to(path))):
            return read_parquet(find_parquet_parts(tables, path), title, split, treatment)
        return read_folder(path, split, treatment)
    if path.suffix == ".parquet" and path.is_file():
        return read_parquet({"all": [path]}, title, split, treatment)
    if path.suffix in (".npy", ".npz") and path.is_file():
        return read_numpy_file(path, title, split, treatment)
    if path.exists():
        raise UserError(f"{title} is a file of no known kind: give .parquet, .npy or .npz, or the folder of the images.")
    if os.sep in title:
        raise UserError(
            f"{title} does not exist: give a folder or file that is there, or one of {', '.join(SOURCE_NAMES)}."
        )
    raise UserError(f"{title!r} is neither a known data set nor a file or folder here: {nearest(title, SOURCE_NAMES)}")


def _read_idx_folder(folder: Path, split: str, treatment: ResizeOptions, classes: tuple[str, ...] = ()) -> LoadedSplit:
    images, values = read_idx_pair(folder, split)
    choice = select_split({"train": len(images), "test": len(images)}, split, str(folder))
    labels = make_class_labels(values, classes)
    return read_array(images, labels, choice, str(folder), treatment)
