"""CIFAR-10 and CIFAR-100 in their binary form, from a folder, from the archive as published, or from the network.

A record is one byte of label (CIFAR-100: two, of which the second is the fine class), then 1024 bytes of red, green and
blue each, row by row. The archive is read as it is; nothing of it is written to disk.

The Python form holds pickles. They can run code when they are read, so they are refused: the binary form has the same
pixels, labels and order.

A download is checked by the md5 that the authors publish. Files that a user provides must have whole records and labels of
the classes.

References:
    A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009, https://www.cs.toronto.edu/~kriz/cifar.html
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from ..errors import UserError, setting
from ..utils.download import Checksum, cache_dir, fetch
from .arrays import read_array
from .geometry import ResizeOptions
from .parts import Labels, LoadedPart, select_part

__all__ = [
    "CIFAR",
    "Cifar",
    "explain_cifar_file",
    "find_cifar",
    "is_archive",
    "read_cifar_archive",
    "read_cifar_by_name",
    "read_cifar_folder",
]

_PIXELS = 3 * 32 * 32  # bytes of an image
_PYTHON_FORM = (
    "data_batch_1",
    "test_batch",
    "cifar-10-batches-py",
    "cifar-10-python.tar.gz",
    "cifar-100-python",
    "cifar-100-python.tar.gz",
)  # files and folders
_SITE = "https://www.cs.toronto.edu/~kriz/"
_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class Cifar(NamedTuple):
    """The files of a data set of the CIFAR family.

    Arguments:
        title: Its name in messages.
        folder: The folder that the archive unpacks to.
        train: The files of the training part.
        test: The file of the test part.
        names: The file with the names of the classes, one a line.
        label_bytes: The number of bytes before the pixels; the last one is the class.
        classes: The number of classes.
        archive: The file to download.
        md5: The md5 of that file.
    """

    title: str
    folder: str
    train: tuple[str, ...]
    test: str
    names: str
    label_bytes: int
    classes: int
    archive: str
    md5: str

    @property
    def files(self) -> tuple[str, ...]:
        """The files that are needed; that of the names is not."""
        return (*self.train, self.test)


CIFAR = {
    "cifar10": Cifar(
        title="CIFAR-10",
        folder="cifar-10-batches-bin",
        train=tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
        test="test_batch.bin",
        names="batches.meta.txt",
        label_bytes=1,
        classes=10,
        archive="cifar-10-binary.tar.gz",
        md5="c32a1d4ab5d03f1284b67883e8d87530",
    ),
    "cifar100": Cifar(
        title="CIFAR-100",
        folder="cifar-100-binary",
        train=("train.bin",),
        test="test.bin",
        names="fine_label_names.txt",
        label_bytes=2,
        classes=100,
        archive="cifar-100-binary.tar.gz",
        md5="03b5dce01913d631647c71ecec9e9cb8",
    ),
}


def is_archive(path: Path) -> bool:
    """Returns whether a file is a tar archive by its name."""
    return path.name.lower().endswith((".tar.gz", ".tgz", ".tar"))


def find_cifar(folder: Path) -> Cifar | None:
    """Returns the data set whose binary files lie in a folder; None if none does.

    Raises:
        UserError: If the folder holds the Python form, or the folder of the files instead of the files.
    """
    for cifar in CIFAR.values():
        if any((folder / name).is_file() for name in cifar.files):
            return cifar
        if (folder / cifar.folder).is_dir():
            raise UserError(f"{folder} is one level too high: the files of {cifar.title} lie in {folder / cifar.folder}.")
        if (folder / cifar.archive).is_file():
            raise UserError(f"{folder} holds {cifar.title} as an archive: give the file, {folder / cifar.archive}.")
    _refuse_python_form([name for name in _PYTHON_FORM if (folder / name).exists()], str(folder))
    return None


def explain_cifar_file(path: Path) -> str:
    """Returns what to give instead of one file of a data set; an empty text for a file of none.

    Raises:
        UserError: For a file of the Python form.
    """
    _refuse_python_form([path.name] * (path.name in _PYTHON_FORM), str(path.parent))
    for cifar in CIFAR.values():
        if path.name in (*cifar.files, cifar.names):
            return f"{path} is one file of {cifar.title}: give the folder, {path.parent}."
    return ""


def read_cifar_folder(folder: Path, cifar: Cifar, part: str, options: ResizeOptions) -> LoadedPart:
    """Reads a part of the binary files in a folder.

    Raises:
        UserError: If a file is missing, cut or damaged.
    """
    present = {name for name in (*cifar.files, cifar.names) if (folder / name).is_file()}
    _check_complete(present, cifar, str(folder))
    wanted = _files_of(part, cifar, str(folder))
    contents = {name: (folder / name).read_bytes() for name in wanted if name in present}
    return _read_records(contents, cifar, part, str(folder), options)


def read_cifar_archive(path: Path, part: str, options: ResizeOptions) -> LoadedPart:
    """Reads a part of the archive as published, without unpacking it to disk.

    Raises:
        UserError: If it is damaged, holds no data set of this family, or lacks a file.
    """
    wanted = {name for cifar in CIFAR.values() for name in _files_of(part, cifar, str(path))}
    present, contents = set(), {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:  # in one pass, since what lies behind in a compressed file is decompressed anew
                name = PurePosixPath(member.name).name
                present.add(name)
                if name in wanted and (file := archive.extractfile(member)) is not None:
                    contents[name] = file.read()
            while archive.fileobj is not None and archive.fileobj.read(1 << 20):
                pass  # gzip compares its checksum at the end of the file
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(":")
        raise UserError(
            f"{path} cannot be read as an archive ({reason}): it is damaged or incomplete; delete it and fetch it again."
        ) from None
    cifar = next((each for each in CIFAR.values() if present & set(each.files)), None)
    if cifar is None:
        _refuse_python_form([name for name in _PYTHON_FORM if name in present], str(path))
        raise UserError(
            f"{path} is an archive of neither CIFAR-10 nor CIFAR-100 in the binary form: unpack it, and give the folder."
        )
    _check_complete(present, cifar, str(path))
    return _read_records(contents, cifar, part, str(path), options)


def read_cifar_by_name(name: str, part: str, options: ResizeOptions) -> LoadedPart:
    """Reads a part of "cifar10" or "cifar100" from the cache, into which the archive is downloaded if it is not there.

    Raises:
        UserError: If it cannot be downloaded. The message says where to get the file and what to do with it.
    """
    cifar = CIFAR[name]
    path = cache_dir() / name / cifar.archive
    notes: tuple[str, ...] = ()
    if not path.is_file():
        url = _SITE + cifar.archive
        advice = (
            f"get {url} where there is a network, and give the file here: "
            f"{setting('data', str(cifar.archive))}; or put it there for all runs: {path}."
        )
        fetch([url], path, Checksum("md5", cifar.md5), title=cifar.archive, advice=advice)
        notes = (f"downloaded {name} to {path}",)
    loaded = read_cifar_archive(path, part, options)
    return loaded._replace(notes=notes + loaded.notes)


def _refuse_python_form(found: list[str], source_name: str) -> None:
    """Raises UserError if files of the Python form were found."""
    if found:
        names = " or ".join(CIFAR)
        raise UserError(
            f"{source_name} holds CIFAR in the Python form ({', '.join(found)}), whose pickles can run code when they are "
            f"read and are refused: give {names}, or get the binary form, {_SITE}cifar-10-binary.tar.gz, "
            "which has the same images."
        )


def _check_complete(present: Collection[str], cifar: Cifar, source_name: str) -> None:
    if missing := [name for name in cifar.files if name not in present]:
        raise UserError(f"{source_name} lacks {', '.join(missing)} of {cifar.title}: fetch {_SITE}{cifar.archive} again.")


def _files_of(part: str, cifar: Cifar, source_name: str) -> tuple[str, ...]:
    """Returns the names of the files that a part is read from; raises UserError if there is no such part."""
    own = select_part({"train": 2, "test": 2}, part, source_name).part
    return (*(cifar.train if own == "train" else (cifar.test,)), cifar.names)


def _read_records(
    contents: dict[str, bytes], cifar: Cifar, part: str, source_name: str, options: ResizeOptions
) -> LoadedPart:
    """Returns the images and labels in the contents of the files of a part."""
    names = contents.pop(cifar.names, b"").decode(errors="replace").split()
    if names and len(names) != cifar.classes:
        raise UserError(
            f"{cifar.names} of {source_name} has {len(names)} names of classes, but {cifar.title} has {cifar.classes}: "
            "fetch the data set again, or delete this file."
        )
    size = cifar.label_bytes + _PIXELS
    records = []
    for name, content in sorted(contents.items()):
        if len(content) % size or not content:
            raise UserError(
                f"{name} of {source_name} has {len(content)} bytes, no whole number of records of {size}: it is cut, "
                "or no file of this data set; fetch it again."
            )
        rows = np.frombuffer(content, np.uint8).reshape(-1, size)
        labels = rows[:, cifar.label_bytes - 1]
        if (wrong := np.flatnonzero(labels >= cifar.classes)).size:
            raise UserError(
                f"Image {wrong[0]} of {name} of {source_name} has the label {labels[wrong[0]]}, but the classes "
                f"of {cifar.title} are 0 to {cifar.classes - 1}: the file is damaged or of another set; fetch it again."
            )
        records.append(rows)
    whole = np.concatenate(records)
    classes = tuple(names) or (_CLASSES if cifar.classes == len(_CLASSES) else tuple(map(str, range(cifar.classes))))
    selection = select_part({"train": len(whole), "test": len(whole)}, part, source_name)
    images = whole[:, cifar.label_bytes :].reshape(-1, 3, 32, 32)
    return read_array(
        images, Labels(whole[:, cifar.label_bytes - 1].astype(np.int64), classes), selection, source_name, options
    )
