"""TODO docstring of data.folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..errors import UserError
from .decode import decode_images, naming, suffixes
from .resize import Treatment
from .splits import PARTS, Labels, Read, choose

_CLUTTER = {"thumbs.db", "desktop.ini", "__macosx"}  # left by file managers, passed over like hidden files


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
    decoded = decode_images([root / path for path in paths], treatment, str(root), choice.rows, lambda i: str(paths[i]))
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
