"""`load(source)`: images from any source as one uint8 tensor.

| source                                  | what is read                                                                |
| --------------------------------------- | --------------------------------------------------------------------------- |
| "digits"                                | the digits that scikit-learn carries (arrays.py)                            |
| "mnist", "fashion-mnist", "kmnist"      | IDX files from the cache, else from the network (mnist.py)                  |
| "cifar10", "cifar100"                   | the binary archive from the cache, else from the network (cifar.py)         |
| a .tar.gz file                          | CIFAR-10 or CIFAR-100 in the binary form (cifar.py)                         |
| a folder                                | its four IDX files, CIFAR's .bin files (cifar.py), CelebA (celeba.py),      |
|                                         | parquet files, or images (folder.py)                                        |
| a .parquet, .npy or .npz file           | encoded images (parquet.py), or arrays (arrays.py)                          |
| "hf://org/name", "hf://org/name/config" | a data set of the Hugging Face hub, or with ":split" one split of it       |
|                                         | (hub.py, parquet.py)                                                        |
| an array                                | itself: (N, H, W), (N, H, W, C) or (N, C, H, W)                             |
| a data set of PyTorch                   | its items, each read once (torch_dataset.py)                                |
| images of Pillow, a list, a batch       | themselves (convert.py)                                                     |

**Parts.** The parts of a source are the train, test and validation subfolders of a folder, and the arrays x_train and
x_test of an `.npz`. parts.py says what serves as a part that a source lacks.

**Labels.** A folder of images may have a table of them, metadata.csv (metadata.py); otherwise its subfolders are classes if
there are at least two. In an `.npz` the labels are the array `labels` or `y`.

parquet.py describes the parts and labels of tables, decode.py how images of different sizes and modes are made alike.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from ..errors import UserError, nearest
from .arrays import read_array, read_digits, read_numpy_file
from .celeba import explain_celeba_file, is_celeba, read_celeba
from .cifar import (
    CIFAR,
    explain_cifar_file,
    find_cifar,
    is_archive,
    read_cifar_archive,
    read_cifar_by_name,
    read_cifar_folder,
)
from .convert import as_images, is_collection
from .folder import is_hidden, read_folder
from .geometry import ResizeOptions
from .images import Images, evenly_spaced
from .mnist import HOSTED_DATASETS, fetch_dataset, find_idx_files, read_idx_pair
from .parquet import find_parquet_parts, read_hub_dataset, read_parquet
from .parts import Labels, LoadedPart, MissingPartError, make_class_labels, select_part
from .torch_dataset import is_torch_dataset, name_dataset, read_torch_dataset

__all__ = ["SOURCE_NAMES", "Source", "check_source", "is_from_memory", "load", "load_all"]

Source = str | os.PathLike | np.ndarray | Tensor | Dataset | Image.Image | Sequence[Any]
_UNKNOWN_KIND = "{} is a file of no known kind: give .parquet, .npy or .npz, or the folder of the images."
_DARK, _LOOKED_AT = 32, 256  # the value below which images are noted as dark, and how many of them are looked at
FROM_MEMORY = (
    "array of shape ",
    "torch data set ",
    "list of ",
    "batch of ",
    "loader of ",
    "image in memory",
    "images in memory",
)
SOURCE_NAMES = ("digits", *HOSTED_DATASETS, *CIFAR)  # the sources that have a name of their own


def load_all(source: Source) -> Images:
    """Reads all images of a source that has no parts, otherwise its test part, with a note that says so.

    Raises:
        UserError: If the source cannot be read.
    """
    with suppress(MissingPartError):
        return load(source, "all")
    images = load(source, "test")
    return replace(images, notes=(*images.notes, f"{images.source} has parts, of which the {images.part} part is taken"))


def load(
    source: Source,
    part: str = "train",
    *,
    side: int | None = None,
    crop: int | None = None,
    channels: int | None = None,
    cache: bool | None = None,
) -> Images:
    """Reads one part of a source as uint8 images. Encoded images are decoded once and then read from the cache (cache.py).

    Arguments:
        source: A name, a path, "hf://org/name", an array (N, H, W), (N, H, W, C) or (N, C, H, W), uint8 or
            floating-point in [0, 1], a data set of PyTorch whose items are such images or (image, label) pairs, or what
            else `splitvae.as_images` takes, such as a list of images.
        part: "train" or "test"; "validation" where the source has such a part; "all" where it has no parts.
        side: The height and width of the result in pixels. By default the images decide, for each part anew: to read a
            test part in the shape of its train part, pass the side and channels of the train part.
        crop: The side in pixels of the centre square to cut out; smaller images are cut to their shorter side.
        channels: 1 or 3; by default 1 if all images are gray.
        cache: Whether decoded images are kept in the cache; by default those of sets of at least 256 images.

    Raises:
        UserError: If the source cannot be read; the message says what is wrong with it, and what to do.
    """
    if part not in ("train", "test", "validation", "all"):
        raise UserError(f"part={part!r} is unknown: type 'train', 'test', 'validation' or 'all'.")
    if channels not in (None, 1, 3):
        raise UserError(f"channels={channels} is impossible: images are gray (1) or RGB (3).")
    for name, value in (("side", side), ("crop", crop)):
        if value is not None and value < 1:
            raise UserError(f"{name}={value} is impossible: give a number of pixels, such as {name}=64.")
    source_name = _name_source(source)
    try:
        pixels, labels, notes, names = _read_source(source, source_name, part, ResizeOptions(side, crop, channels, cache))
    except OSError as error:
        raise UserError(f"{source_name} cannot be read: {error}.") from None
    values = torch.from_numpy(labels.values.astype(np.int64)) if labels else None
    if (brightest := int(pixels[evenly_spaced(len(pixels), _LOOKED_AT)].max())) < _DARK:
        notes += (
            f"these images are nearly black, with no value above {brightest} of 255: if they are masks or have 12 bits, "
            "stretch their values first",
        )
    return Images(pixels, values, labels.classes if labels else (), source_name, part, notes, crop, names)


def is_from_memory(images: Images) -> bool:
    """Returns whether images are from an array or a data set in memory, which cannot be read again by the source's name."""
    return images.source == "array" or images.source.startswith(FROM_MEMORY)


def _name_source(source: Source) -> str:
    """Returns what messages call a source; raises UserError for what is none."""
    if isinstance(source, np.ndarray | Tensor):
        return f"array of shape {tuple(source.shape)}"
    if isinstance(source, str | os.PathLike) and source != "":
        return os.fspath(source)
    if is_collection(source):
        return "images in memory"
    if is_torch_dataset(source):
        return name_dataset(source)
    what = "An empty name" if isinstance(source, str) else f"A value of type {type(source).__name__}"
    raise UserError(
        f"{what} is no source of images: give a name, a path, hf://org/name, an array, a list of images, or a data set of "
        "PyTorch."
    )


def _read_source(source: Source, source_name: str, part: str, options: ResizeOptions) -> LoadedPart:
    """Reads a part of a source with the reader for its kind."""
    if isinstance(source, np.ndarray | Tensor):
        selection = select_part({"all": source.shape[0] if source.ndim else 0}, part, source_name)
        return read_array(source, None, selection, source_name, options)
    if is_collection(source):
        images = as_images(source)
        selection = select_part({"all": len(images)}, part, source_name)
        labels = None if images.labels is None else Labels(images.labels.numpy(), images.classes)
        loaded = read_array(images.pixels, labels, selection, source_name, options)
        return loaded._replace(notes=images.notes + loaded.notes)
    if not isinstance(source, str | os.PathLike):
        return read_torch_dataset(source, part, options)
    if source_name == "digits":
        return read_digits(part, options)
    if source_name in HOSTED_DATASETS:
        folder, notes = fetch_dataset(source_name)
        loaded = _read_idx_folder(folder, part, options, HOSTED_DATASETS[source_name].classes)
        return loaded._replace(notes=notes + loaded.notes)
    if source_name in CIFAR:
        return read_cifar_by_name(source_name, part, options)
    if source_name.startswith("hf://"):
        return read_hub_dataset(source_name, part, options)
    path = Path(os.path.expanduser(source_name))  # unlike Path.expanduser it does not raise for an unknown user
    if path.is_dir():
        if find_idx_files(path):
            return _read_idx_folder(path, part, options)
        if cifar := find_cifar(path):
            return read_cifar_folder(path, cifar, part, options)
        if is_celeba(path):
            return read_celeba(path, part, options)
        if tables := sorted(file for file in path.rglob("*.parquet") if not is_hidden(file.relative_to(path))):
            return read_parquet(find_parquet_parts(tables, path), source_name, part, options)
        return read_folder(path, part, options)
    if path.suffix == ".parquet" and path.is_file():
        return read_parquet({"all": [path]}, source_name, part, options)
    if path.suffix in (".npy", ".npz") and path.is_file():
        return read_numpy_file(path, source_name, part, options)
    if is_archive(path) and path.is_file():
        return read_cifar_archive(path, part, options)
    _explain_missing(source_name, path)
    raise UserError(explain_cifar_file(path) or explain_celeba_file(path) or _UNKNOWN_KIND.format(source_name))


def check_source(source: str) -> None:
    """Raises UserError for a name that is no source and a path where nothing is, before anything is read."""
    if source not in SOURCE_NAMES and not _name_source(source).startswith("hf://"):
        _explain_missing(source, Path(os.path.expanduser(source)))


def _explain_missing(source_name: str, path: Path) -> None:
    """Raises UserError where a path does not exist."""
    if path.exists():
        return
    names = ", ".join(SOURCE_NAMES)
    if os.sep in source_name:
        raise UserError(f"{source_name} does not exist: give a folder or file that is there, or one of {names}.")
    raise UserError(
        f"{source_name!r} is neither a known data set nor a file or folder here: {nearest(source_name, SOURCE_NAMES)}"
    )


def _read_idx_folder(folder: Path, part: str, options: ResizeOptions, classes: tuple[str, ...] = ()) -> LoadedPart:
    images, values = read_idx_pair(folder, part)
    selection = select_part({"train": len(images), "test": len(images)}, part, str(folder))
    labels = make_class_labels(values, classes)
    return read_array(images, labels, selection, str(folder), options)
