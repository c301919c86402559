"""Images that a person names on the command line, in the shape of a run's model: files, or a part of a source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from .checks import check_image_file

__all__ = ["ImageFile", "check_image_files", "read_image_files", "read_part"]

ImageFile = Positional[Annotated[Path, arg(metavar="IMAGE", help="File of an image, such as a .png or .jpg file.")]]


def check_image_files(*paths: Path) -> None:
    """Raises UserError for the first path that is no file of an image."""
    for path in paths:
        check_image_file(path)


def read_part(run: Any, part: str, data: str | None) -> Any:
    """Returns a part of the run's images or of another source: by default all of that source, or its test part.

    Arguments:
        run: The run.
        part: The part, or "".
        data: The source; None is that of the run.
    """
    from ..data.parts import MissingPartError

    if part or data is None:
        return run.images(part or "test", data)
    try:
        return run.images("all", data)
    except MissingPartError:
        return run.images("test", data)


def read_image_files(run: Any, paths: Sequence[Path]) -> Any:
    """Returns images in the shape of a run's model, as a tensor (N, C, H, W) of floats in [0, 1].

    Each is cropped, resized and padded as the images of the run were.

    Arguments:
        run: The run.
        paths: The files.

    Raises:
        UserError: For a file that cannot be read as an image.
    """
    import torch

    from ..data.decode import decode_images
    from ..data.geometry import ResizeOptions
    from ..data.images import Images
    from ..presets.images import match_config

    data, shape = run.config.data, run.vae.shape
    options = ResizeOptions(shape[1] - 2 * data.pad, data.crop, shape[0], False)
    pixels = torch.cat([decode_images([path], options, str(path)).pixels for path in paths])
    images = Images(pixels, None, (), ", ".join(map(str, paths)), "all", ())
    return match_config(images, run.config.override(shape=shape)).pixels.to(torch.float32) / 255
