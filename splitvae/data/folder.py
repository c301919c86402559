"""A folder of images: files of any size and mode, folders train, test and val as parts, and subfolders as classes.

A table of labels (metadata.py) comes before subfolders.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..utils.text import count_noun
from .cache import Origin, decode_once, hash_files
from .decode import image_suffixes, shorten_list
from .geometry import ResizeOptions
from .metadata import TABLE, FolderLabels
from .parts import PART_OF_NAME, Labels, LoadedPart, select_part

__all__ = ["is_hidden", "read_folder"]

_FILES_OF_RUNS = {"history.jsonl", "state.ckpt", "training.lock"}  # beside config.json
_CLUTTER = {"thumbs.db", "desktop.ini", "__macosx"}  # files of file managers, ignored like hidden ones


def is_hidden(path: Path) -> bool:
    """Returns whether a path leads through a hidden folder or to a hidden file, or to one that a file manager left."""
    return any(map(_is_clutter, path.parts))


def read_folder(root: Path, part: str, options: ResizeOptions) -> LoadedPart:
    """Reads a part of the images in a folder.

    Raises:
        UserError: If the folder holds no images, or if none of those of the part can be read.
    """
    images, other_files, runs = list[str](), list[str](), list[str]()
    for path in _list_files(root, runs):
        (images if os.path.splitext(path)[1].lower() in image_suffixes() else other_files).append(path)
    if not images:
        content = f"only {shorten_list(other_files)}" if other_files else "no files at all"
        raise UserError(f"{root} holds no images, {content}: give a folder of PNG, JPEG or other images.")
    parts, images_beside_parts = _divide_into_parts(images)
    selection = select_part({own: len(members) for own, members in parts.items()}, part, str(root))
    paths = [path for path, _ in parts[selection.part]]
    origin = Origin(os.path.abspath(root), part, hash_files(root, paths))
    decoded = decode_once(_Files(root, paths), options, str(root), selection.rows, paths.__getitem__, origin)
    names = [paths[i] for i in decoded.rows]
    notes = selection.notes + decoded.notes
    tables = [name for name in other_files if os.path.basename(name) == TABLE]
    if skipped := [name for name in other_files if name not in tables]:
        notes += (f"skipped {count_noun(len(skipped), 'file')} of other kinds: {shorten_list(skipped)}",)
    if runs:
        notes += (f"skipped {count_noun(len(runs), 'folder')} of trainings: {shorten_list(runs)}",)
    if images_beside_parts:
        count = count_noun(len(images_beside_parts), "image")
        notes += (f"skipped {count} beside the parts: {shorten_list(images_beside_parts)}",)
    if tables:
        labels = FolderLabels(root, tables, [path for part in parts.values() for path, _ in part])
        return LoadedPart(decoded.pixels, labels.of(names), notes + labels.notes, names)
    classes = sorted({name for part in parts.values() for _, name in part})
    if "" in classes or len(classes) < 2:
        if len(classes) > 1:
            notes += ("the images are unlabelled, since some lie in subfolders and some do not",)
        return LoadedPart(decoded.pixels, None, notes, names)
    number_of_class = {name: number for number, name in enumerate(classes)}
    values = np.array([number_of_class[parts[selection.part][i][1]] for i in decoded.rows])
    return LoadedPart(decoded.pixels, Labels(values, tuple(classes)), notes, names)


class _Files(Sequence[str]):
    """The whole paths of files, made one by one, since those of a million files would take much memory."""

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        self.root, self.names = root, names

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: Any) -> Any:
        return os.path.join(self.root, self.names[i])


def _list_files(root: Path, runs: list[str]) -> Iterator[str]:
    """Yields the files below a folder as paths relative to it, in the same order on every system, without hidden ones.

    Arguments:
        root: The folder.
        runs: Gets the folders of trainings, whose figures are left out.
    """
    places: dict[str, list[str]] = {}  # of each folder, its real path and those of the folders that hold it
    for folder, folders, files in os.walk(root, followlinks=True):
        inner, place = os.path.relpath(folder, root), os.path.realpath(folder)
        above = places.get(os.path.dirname(folder), [])
        if any(os.path.commonpath((place, other)) == place for other in above):  # a link to a folder that holds the link
            folders.clear()
            continue
        places[folder] = [*above, place]
        if "config.json" in files and _FILES_OF_RUNS.intersection(files) and inner != os.curdir:
            runs.append(inner)
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not _is_clutter(name))
        for name in sorted(files):
            if not _is_clutter(name):
                yield name if inner == os.curdir else os.path.join(inner, name)


def _is_clutter(name: str) -> bool:
    return name.startswith(".") or name.lower() in _CLUTTER


def _divide_into_parts(images: Sequence[str]) -> tuple[dict[str, list[tuple[str, str]]], list[str]]:
    """Returns the images of each part with the names of their classes ("" if none), and the images beside the parts."""
    top_folders = {path.split(os.sep, 1)[0].lower() for path in images if os.sep in path}
    names_of_parts = bool(top_folders) and top_folders <= set(PART_OF_NAME)
    if not names_of_parts or "train" not in {PART_OF_NAME[folder] for folder in top_folders}:
        return {"all": [(path, path.split(os.sep, 1)[0] if os.sep in path else "") for path in images]}, []
    parts: dict[str, list[tuple[str, str]]] = {}
    for path in images:
        folder, *inner = path.split(os.sep, 2)
        if inner:
            parts.setdefault(PART_OF_NAME[folder.lower()], []).append((path, inner[0] if len(inner) > 1 else ""))
    return parts, [path for path in images if os.sep not in path]
