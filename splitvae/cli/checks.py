"""Checks of runs, files and values that come before anything slow is imported or loaded."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from ..errors import UserError, nearest
from ..utils.files import read_json
from ..utils.text import count_noun
from .options import PARTS, SAMPLER_NAMES, check_least

__all__ = [
    "COPY_RUN",
    "check_components",
    "check_image_file",
    "check_output_file",
    "check_output_folder",
    "check_part",
    "check_run",
    "check_runs",
    "check_sampler",
    "is_run",
    "split_of",
]


def is_run(folder: Path) -> bool:
    """Returns whether a folder holds a run; the settings of a run may be damaged, but not those of a model alone."""
    file = folder / "config.json"
    try:
        return file.is_file() and "training" in read_json(file)
    except (UserError, TypeError):
        return True


def check_run(folder: Path) -> None:
    """Raises UserError where a folder holds no run with a model."""
    if is_run(folder):
        if not (folder / "model" / "model.safetensors").is_file():
            raise UserError(
                f"{folder} has no trained model; `splitvae train --resume --out {folder}` trains it or writes it again "
                "from the last checkpoint."
            )
        return
    seeds = sorted(file.parent for file in folder.glob("seed-*/config.json"))
    if seeds:
        raise UserError(f"{folder} holds {count_noun(len(seeds), 'run')}; give one of them, such as {seeds[0]}.")
    if not folder.exists():
        near = sorted(str(file.parent) for file in folder.parent.glob("*/config.json")) if folder.parent.is_dir() else []
        hint = f" {nearest(str(folder), near)}" if near else " `splitvae train PRESET --out FOLDER` makes a run."
        raise UserError(f"{folder} does not exist, so that it holds no run;{hint}")
    raise UserError(f"{folder} holds no run; `splitvae train PRESET --out FOLDER` makes one in another folder.")


def check_runs(folders: Sequence[Path]) -> None:
    """Raises UserError for the first folder that holds neither a run nor runs of several seeds."""
    for folder in folders:
        for path in [file.parent for file in folder.glob("seed-*/config.json")] or [folder]:
            check_run(path)


def split_of(folder: Path) -> int:
    """Returns the number of components of a run's model."""
    config = read_json(folder / "model" / "config.json")
    return int(config.get("split", 1)) if isinstance(config, dict) else 1


def check_output_file(path: Path | None, *suffixes: str) -> None:
    """Raises UserError for a file that cannot be written, or that has another suffix.

    Arguments:
        path: The file; None for the command's own choice.
        suffixes: The suffixes that are written, such as ".png"; "" stands for a folder. None given allows any.
    """
    if path is None:
        return
    if suffixes and path.suffix not in suffixes:
        known = " or ".join(suffix for suffix in suffixes if suffix)
        folder = ", or without a suffix, for a folder of PNGs" if "" in suffixes else ""
        raise UserError(f"{path} does not end in {known}{folder}; give a path that does with --out.")
    if path.is_dir() and path.suffix:
        raise UserError(f"{path} is a folder; give the name of a file with --out.")
    check_output_folder(path.parent)


COPY_RUN = "Copy the run to a folder of your own, and give that."


def check_output_folder(folder: Path | None, remedy: str = "Give another place with --out.") -> None:
    """Raises UserError, which ends with the remedy, for a folder in which nothing can be written."""
    if folder is None:
        return
    present = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=present):
            pass
    except OSError as error:
        place = folder if present == folder else f"{folder}, in {present},"
        raise UserError(f"{place} cannot be written: {error.strerror or error}. {remedy}") from None


def check_part(part: str) -> None:
    """Raises UserError for the name of a part that no data set has."""
    if part and part not in PARTS:
        raise UserError(f"--part {part} is no part of a data set; type {', '.join(PARTS[:-1])} or {PARTS[-1]}.")


def check_sampler(name: str) -> None:
    """Raises UserError for the name of no sampler, without the slow import of the samplers."""
    registry = sys.modules.get("splitvae.samplers.registry")  # where it was imported, others may have added samplers
    names = SAMPLER_NAMES if registry is None else tuple(registry.SAMPLERS)
    if name not in names:
        raise UserError(f"no sampler is called {name!r}; {nearest(name, names)}")


def check_components(sampler: str, components: int) -> None:
    """Raises UserError for components of a sampler that is no mixture.

    Arguments:
        sampler: The name of the sampler.
        components: The number of components; 0 where it is not given.
    """
    check_least(0, components=components)
    if components and sampler != "gmm":
        raise UserError(f"--components are those of a mixture, and the sampler is {sampler}; add --sampler gmm.")


def check_image_file(path: Path) -> None:
    """Raises UserError for a file that is missing or that is no image."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; give the file of one image.")
    if not path.is_file():
        raise UserError(f"{path} does not exist; give the file of an image, such as a .png or .jpg file.")
    if not os.access(path, os.R_OK):
        raise UserError(f"{path} may not be read by you; give a file of your own, or change who may read it.")
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                image.verify()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UserError(f"{path} has more pixels than an image to trust; make it smaller.") from None
    except Exception:  # the readers of Pillow raise anything on other files
        raise UserError(f"{path} is no image, or a damaged one; give a .png, .jpg or other file of an image.") from None
