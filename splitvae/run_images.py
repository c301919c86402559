"""The images of a run, read again from its source, which may be gone or have changed since the training."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from .config import Config
from .data.images import Images
from .data.sources import check_source
from .errors import UserError, is_in_shell, setting
from .presets.images import load_for_config

__all__ = ["read_images_of_run"]


def read_images_of_run(run: Path, config: Config, part: str, divided: int | None, trained_on: str = "") -> Images:
    """Returns images of a run's source in the model's shape, and prints a note where they are not those of its training.

    Arguments:
        run: The folder of the run.
        config: The settings of the run.
        part: The part, such as "train" or "test"; see `splitvae.load`.
        divided: The number of images of the source when the run was trained, if some of them were held out as test.
        trained_on: The hash of the training images; "" where it is not known.

    Raises:
        UserError: If the run was trained on images from memory, or if its source is not there.
    """
    source = config.data.source
    if source is None:
        raise UserError(f"{run} was trained on images from memory; {_remedy()}.")
    try:
        check_source(source)
    except UserError:
        raise UserError(f"{run} was trained on {source}, which is not here; {_remedy()}.") from None
    images = load_for_config(config, part)
    present = images.divided
    if part == "test" and present is not None and divided is not None and present != divided:
        _say_that_the_source_changed(run, source, divided, present)
    elif part == "train" and trained_on and images.sha256 != trained_on:
        _say_that_other_images_are_read(run, source, len(images))
    return images


def _remedy() -> str:
    """Returns what to do about a source that cannot be read, as the end of a message."""
    if is_in_shell():
        return f"give their source with {setting('data')}"
    return "`run.images(part, data=SOURCE)` reads a source, and `run.vae.encode(images)` encodes it"


@cache
def _say_that_the_source_changed(run: Path, source: str, before: int, present: int) -> None:
    """Prints once that the held-out images are no longer those of the training."""
    print(
        f"Note: {source} had {before:,} images when {run} was trained, and has {present:,} now: other images are held out, "
        "and some of them are images that it was trained on. Bring the source back, or train anew.",
        file=sys.stderr,
    )


@cache
def _say_that_other_images_are_read(run: Path, source: str, count: int) -> None:
    """Prints once that the training images of a source are not those of the training."""
    print(
        f"Note: {source} has {count:,} training images now, which are not those that {run} was trained on: a part of them "
        "had been chosen, or they have changed. What is fitted to training images is fitted to those of now.",
        file=sys.stderr,
    )
