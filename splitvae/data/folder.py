"""A folder of images: files of any size and mode, subfolders as classes, and folders train, test and val as parts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..errors import UserError
from .decode import decode_images, image_suffixes, shorten_list
from .geometry import ResizeOptions
from .splits import PART_OF_NAME, Labels, LoadedSplit, select_split

__all__ = ["is_hidden", "read_folder"]

_CLUTTER = {"thumbs.db", "desktop.ini", "__macosx"}  # files of file managers, ignored like hidden ones


def is_hidden(path: Path) -> bool:
    """Returns whether a path leads through a hidden folder or to a hidden file, or to one that a file manager left."""
    return any(name.startswith(".") or name.lower() in _CLUTTER for name in path.parts)


def read_folder(root: Path, split: str, options: ResizeOptions) -> LoadedSplit:
    """Reads a split of the images in a folder.

    Raises:
        UserError: If the folder holds no images, or if none of the split can be read.
    """
    files = list(_list_files(root))
    images = [path for path in files if path.suffix.lower() in image_suffixes()]
    other_files = [str(path) for path in files if path.suffix.lower() not in image_suffixes()]
    if not images:
        content = f"only {shorten_list(other_files)}" if other_files else "no files at all"
        raise UserError(f"{root} holds no images, {content}: give a folder of PNG, JPEG or other images.")
    parts, images_beside_parts = _split_into_parts(images)
    selection = select_split({name: len(part) for name, part in parts.items()}, split, str(root))
    paths = [path for path, _ in parts[selection.part]]
    decoded = decode_images(
        [root / path for path in paths], options, str(root), selection.rows, item_name=lambda i: str(paths[i])
    )
    notes = selection.notes + decoded.notes
    if other_files:
        notes += (f"skipped {len(other_files)} files that are not images: {shorten_list(other_files)}",)
    if images_beside_parts:
        notes += (f"skipped {len(images_beside_parts)} images beside the parts: {shorten_list(images_beside_parts)}",)
    classes = sorted({name for part in parts.values() for _, name in part})
    if "" in classes or len(classes) < 2:
        if len(classes) > 1:
            notes += ("the images are unlabelled, since some lie in subfolders and some do not",)
        return LoadedSplit(decoded.pixels, None, notes)
    number_of_class = {name: number for number, name in enumerate(classes)}
    values = np.array([number_of_class[parts[selection.part][i][1]] for i in decoded.rows])
    return LoadedSplit(decoded.pixels, Labels(values, tuple(classes)), notes)


def _list_files(root: Path) -> Iterator[Path]:
    """Yields the files below a folder as paths relative to it, in the same order on every system."""
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            path = Path(folder, name).relative_to(root)
            if not is_hidden(path):
                yield path


def _split_into_parts(images: Sequence[Path]) -> tuple[dict[str, list[tuple[Path, str]]], list[str]]:
    """Returns the images of each part with the names of their classes ("" if none), and the images beside the parts."""
    top_folders = {path.parts[0].lower() for path in images if len(path.parts) > 1}
    names_of_parts = bool(top_folders) and top_folders <= set(PART_OF_NAME)
    if not names_of_parts or "train" not in {PART_OF_NAME[folder] for folder in top_folders}:
        return {"all": [(path, path.parts[0] if len(path.parts) > 1 else "") for path in images]}, []
    parts: dict[str, list[tuple[Path, str]]] = {}
    for path in images:
        if len(path.parts) > 1:
            part = parts.setdefault(PART_OF_NAME[path.parts[0].lower()], [])
            part.append((path, path.parts[1] if len(path.parts) > 2 else ""))
    return parts, [str(path) for path in images if len(path.parts) == 1]
