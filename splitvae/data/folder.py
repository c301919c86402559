"""TODO docstring of data.folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..errors import UserError
from .decode import decode_images, image_suffixes, shorten_list
from .resize import ResizeOptions
from .splits import PART_OF_NAME, Labels, LoadedSplit, select_split

_CLUTTER = {"thumbs.db", "desktop.ini", "__macosx"}  # left by file managers, passed over like hidden files


# ---------------------------------------------------------------- a folder of images


def is_hidden(path: Path) -> bool:
    return any(name.startswith(".") or name.lower() in _CLUTTER for name in path.parts)


def _list_files(root: Path) -> Iterator[Path]:
    """The files below a folder, as paths relative to it, in an order that is the same everywhere."""
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            path = Path(folder, name).relative_to(root)
            if not is_hidden(path):
                yield path


def read_folder(root: Path, split: str, treatment: ResizeOptions) -> LoadedSplit:
    files = list(_list_files(root))
    images = [path for path in files if path.suffix.lower() in image_suffixes()]
    others = [str(path) for path in files if path.suffix.lower() not in image_suffixes()]
    if not images:
        found = f"only {shorten_list(others)}" if others else "no files at all"
        raise UserError(f"{root} holds no images, {found}: give a folder of PNG, JPEG or other images.")
    parts, strays = _split_into_parts(images)
    choice = select_split({name: len(part) for name, part in parts.items()}, split, str(root))
    paths = [path for path, _ in parts[choice.part]]
    decoded = decode_images([root / path for path in paths], treatment, str(root), choice.rows, lambda i: str(paths[i]))
    notes = choice.notes + decoded.notes
    if others:
        notes += (f"skipped {len(others)} files that are not images: {shorten_list(others)}",)
    if strays:
        notes += (f"skipped {len(strays)} images beside the parts: {shorten_list(strays)}",)
    classes = sorted({name for part in parts.values() for _, name in part})
    if "" in classes or len(classes) < 2:
        if len(classes) > 1:
            notes += ("the images are unlabelled, since some lie in subfolders and some do not",)
        return LoadedSplit(decoded.pixels, None, notes)
    codes = {name: code for code, name in enumerate(classes)}
    values = np.array([codes[parts[choice.part][i][1]] for i in decoded.rows])
    return LoadedSplit(decoded.pixels, Labels(values, tuple(classes)), notes)


def _split_into_parts(images: Sequence[Path]) -> tuple[dict[str, list[tuple[Path, str]]], list[str]]:
    """The images of each part with the names of their classes ("" if none), and images that lie beside the parts."""
    heads = {path.parts[0].lower() for path in images if len(path.parts) > 1}
    if not heads or not heads <= set(PART_OF_NAME) or "train" not in {PART_OF_NAME[head] for head in heads}:
        return {"all": [(path, path.parts[0] if len(path.parts) > 1 else "") for path in images]}, []
    parts: dict[str, list[tuple[Path, str]]] = {}
    for path in images:
        if len(path.parts) > 1:
            part = parts.setdefault(PART_OF_NAME[path.parts[0].lower()], [])
            part.append((path, path.parts[1] if len(path.parts) > 2 else ""))
    return parts, [str(path) for path in images if len(path.parts) == 1]
