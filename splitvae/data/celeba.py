"""CelebA as its authors publish it: a folder of aligned photographs, with lists of their parts and attributes.

    FOLDER/img_align_celeba/000001.jpg ...
    FOLDER/list_eval_partition.txt     image and part: 0 train, 1 validation, 2 test
    FOLDER/list_attr_celeba.txt        the number of images, the names of 40 attributes, then for each image -1 or 1

The lists may also lie in the folders Eval and Anno and the photographs in Img, as in the original. They may be .csv files,
and the photographs lie in img_align_celeba/img_align_celeba, as on Kaggle. Lists may name images which are not there, and
images that have no part are skipped, so that a piece of CelebA can be read. Notes say so.

**Crop.** Of photographs of 178x218 pixels the rows 45 to 172 and the columns 25 to 152 are kept, which is the centre square
of 128 pixels, and resized to 64x64 with an antialiased bilinear filter, as in the code of the Split-VAE. Another crop or
side replaces these. Photographs of another size are treated like those of any folder, and a note says so.

References:
    Z. Liu, P. Luo, X. Wang, X. Tang, Deep Learning Face Attributes in the Wild, 2015, https://arxiv.org/abs/1411.7766
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ..errors import UserError
from ..utils.text import count_noun
from .cache import Origin, decode_once, hash_files
from .decode import image_suffixes, shorten_list
from .geometry import ResizeOptions
from .parts import Labels, LoadedPart, select_part

__all__ = ["explain_celeba_file", "is_celeba", "read_celeba"]

IMAGES = "img_align_celeba"
PARTITION = "list_eval_partition"
ATTRIBUTES = "list_attr_celeba"
SIZE = (178, 218)  # width and height in pixels
CROP, SIDE = 128, 64  # of the paper's code
PARTS = {"0": "train", "1": "validation", "2": "test"}
_ATTRIBUTE_VALUES = {"-1": 0, "0": 0, "1": 1}
_SAMPLE = 64  # photographs whose size is looked at


class _Row(NamedTuple):
    """A row of a list: an image, its values, and the number of the line."""

    image: str
    values: list[str]
    line: int


def is_celeba(folder: Path) -> bool:
    """Returns whether a folder holds the photographs and a list, or lists and an archive of the photographs.

    Raises:
        UserError: If the folder is one level too high or too low.
    """
    lists = [_find_list(folder, name) for name in (PARTITION, ATTRIBUTES)]
    if any(lists):
        return True
    parent = folder.resolve().parent
    if folder.resolve().name == IMAGES and not (folder / IMAGES).is_dir():
        for base in (parent, parent.parent):
            if _find_list(base, PARTITION) and _find_images(base) is not None:
                raise UserError(f"{folder} has only the photographs of CelebA: give {base}, which has its lists too.")
    for inner in sorted(folder.glob(f"*/{IMAGES}")):
        if _find_list(inner.parent, PARTITION):
            raise UserError(f"{folder} is one level too high: CelebA lies in {inner.parent}.")
    return False


def explain_celeba_file(path: Path) -> str:
    """Returns what to give instead of one file of CelebA; an empty text for another file."""
    if path.stem in (PARTITION, ATTRIBUTES, IMAGES) and path.suffix in (".txt", ".csv", ".zip"):
        return f"{path} is one file of CelebA: give the folder that has {IMAGES}, unpacked, and the lists, {path.parent}."
    return ""


def read_celeba(folder: Path, part: str, options: ResizeOptions) -> LoadedPart:
    """Reads a part of CelebA.

    Raises:
        UserError: If a list or the photographs are missing, or a list is cut or damaged.
    """
    images = _find_images(folder)
    if images is None:
        archive = next((path for path in folder.rglob(f"{IMAGES}.zip")), None)
        advice = f"unpack {archive} in {archive.parent}" if archive else f"put {IMAGES}, the aligned photographs, there"
        raise UserError(f"{folder} has lists of CelebA but no folder {IMAGES}: {advice}.")
    partition = _find_list(folder, PARTITION)
    if partition is None:
        raise UserError(
            f"{folder} lacks {PARTITION}.txt (or .csv), which says what is for training and what for tests: put it "
            f"there, or give {images} to read the photographs alone."
        )
    part_of_image = _read_partition(partition)
    present = {entry.name for entry in os.scandir(images) if Path(entry.name).suffix.lower() in image_suffixes()}
    names: dict[str, list[str]] = {own: [] for own in PARTS.values()}
    for name, own in part_of_image.items():
        if name in present:
            names[own].append(name)
    names = {own: members for own, members in names.items() if members}
    if not names:
        raise UserError(
            f"None of the {len(part_of_image)} images in {partition.name} is in {images}: check the names there."
        )
    selection = select_part({own: len(members) for own, members in names.items()}, part, str(folder))
    chosen = names[selection.part]
    notes = [*_describe_missing(part_of_image, present, partition.name, images.name)]
    labels = None
    if attributes := _find_list(folder, ATTRIBUTES):
        labels = _read_attributes(attributes, chosen)
    else:
        notes.append(f"{folder} has no {ATTRIBUTES}.txt (or .csv), so the images are unlabelled")
    options, crop_notes = _choose_crop([images / name for members in names.values() for name in members], options)
    origin = Origin(os.path.abspath(folder), part, hash_files(images, chosen))
    paths = [images / name for name in chosen]
    decoded = decode_once(paths, options, str(folder), selection.rows, chosen.__getitem__, origin)
    if labels is not None:
        labels = labels._replace(values=labels.values[decoded.rows])
    notes = [*selection.notes, *notes, *crop_notes, *decoded.notes]
    return LoadedPart(decoded.pixels, labels, tuple(notes), [chosen[i] for i in decoded.rows])


def _find_list(folder: Path, name: str) -> Path | None:
    """Returns the file of a list; None if there is none."""
    files = (folder / inner / f"{name}{suffix}" for inner in ("", "Eval", "Anno") for suffix in (".txt", ".csv"))
    return next((file for file in files if file.is_file()), None)


def _find_images(folder: Path) -> Path | None:
    """Returns the folder of the photographs; None if there is none."""
    for images in (folder / IMAGES, folder / "Img" / IMAGES):
        if images.is_dir():
            return images / IMAGES if (images / IMAGES).is_dir() else images
    return None


def _choose_crop(files: Sequence[Path], options: ResizeOptions) -> tuple[ResizeOptions, list[str]]:
    """Returns the options with the crop and side of the paper where they suit the photographs, and a note on the crop."""
    sizes = set()
    for file in files[:: max(1, len(files) // _SAMPLE)]:
        with suppress(Exception), Image.open(file) as image:  # damaged ones are named when they are decoded
            sizes.add(image.size)
    if sizes != {SIZE}:
        found = shorten_list([f"{width}x{height}" for width, height in sorted(sizes)]) or "no known size"
        why = f"the images are not of 178x218 pixels ({found}), so the crop of the paper is not applied"
        return options, [] if options.crop else [why]
    options = options._replace(side=options.side or SIDE)
    if options.crop:
        return options, []
    return options._replace(crop=CROP), ["cut rows 45 to 172 and columns 25 to 152 out of each image, as the paper does"]


def _read_rows(file: Path) -> Iterator[_Row]:
    """Yields the rows of a list, in which columns are separated by spaces (.txt) or commas (.csv)."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(f"{file} is no text: it is damaged or of another kind; fetch it again.") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if words := line.replace(",", " ").split():
            yield _Row(words[0], words[1:], number)


def _read_partition(file: Path) -> dict[str, str]:
    """Returns the part of each image."""
    parts = {}
    for row in _read_rows(file):
        if row.line == 1 and row.image == "image_id":
            continue
        if len(row.values) != 1 or row.values[0] not in PARTS:
            raise UserError(
                f"{file}, line {row.line}, is no name of an image with 0 (train), 1 (validation) or 2 (test): it is "
                "damaged or of another kind; fetch it again."
            )
        parts[row.image] = PARTS[row.values[0]]
    if not parts:
        raise UserError(f"{file} is empty: fetch it again.")
    return parts


def _read_attributes(file: Path, images: Sequence[str]) -> Labels:
    """Returns the attributes of images, in their order."""
    rows = _read_rows(file)  # one by one: 200,000 rows of 40 words would be 400 MB
    header = next(rows, None)
    announced = int(header.image) if header and not header.values and header.image.isdigit() else None
    header = next(rows, None) if announced is not None else header
    if header is None:
        raise UserError(f"{file} has no attributes: fetch it again.")
    names = header.values if header.image == "image_id" else [header.image, *header.values]
    values: dict[str, bytes] = {}
    for row in rows:
        try:
            values[row.image] = bytes(map(_ATTRIBUTE_VALUES.__getitem__, row.values))
        except KeyError as error:
            raise UserError(
                f"{file}, line {row.line}, has {error.args[0]!r} among the attributes of {row.image}, which are -1 or 1: "
                "it is damaged or of another kind; fetch it again."
            ) from None
        if len(row.values) != len(names):
            raise UserError(
                f"{file}, line {row.line}, has {len(row.values)} values for {len(names)} attributes: it is damaged or of "
                "another kind; fetch it again."
            )
    if announced not in (None, len(values)):
        raise UserError(f"{file} announces {announced} images but has {len(values)}: it is cut; fetch it again.")
    if without := [name for name in images if name not in values]:
        raise UserError(
            f"{file} has no attributes of {count_noun(len(without), 'image')}, such as {without[0]}: fetch it again, "
            "or rename it to "
            "read the images unlabelled."
        )
    table = np.frombuffer(b"".join(values[name] for name in images), np.uint8).reshape(-1, len(names))
    return Labels(table, tuple(names))


def _describe_missing(part_of_image: Mapping[str, str], present: set[str], partition: str, images: str) -> Iterator[str]:
    """Yields notes on images that are not there, and on images that have no part."""
    if absent := [name for name in part_of_image if name not in present]:
        all_images = count_noun(len(part_of_image), "image")
        yield f"{len(absent)} of {all_images} in {partition} missing in {images}: {shorten_list(absent)}"
    if unknown := sorted(present - part_of_image.keys()):
        yield f"skipped {count_noun(len(unknown), 'image')} without a part in {partition}: {shorten_list(unknown)}"
