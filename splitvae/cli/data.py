"""The command `data`: the cache of decoded images."""

import inspect
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from tyro.conf import Positional, arg

from ..errors import UserError, nearest
from ..utils.text import count_noun
from .checks import check_output_file, check_part
from .options import (
    ImageSource,
    Json,
    OutputFile,
    Part,
    check_least,
    in_columns,
    parse,
    print_notes,
    run_command,
    show_default,
)

__all__ = ["data"]

Side = Annotated[
    int | None,
    arg(metavar="PIXELS", help="Height and width, less the padding of the preset."),
    show_default("that of the images"),
]
Crop = Annotated[
    int | None, arg(metavar="PIXELS", help="Side of the centre square that is cut out first."), show_default("none")
]
Channels = Annotated[int | None, arg(metavar="1|3", help="Gray or colour."), show_default("gray if all images are gray")]


@dataclass
class Prepare:
    """Decode images into the cache, so that no later command does.

    A training does this by itself. Folders of images, parquet files and data sets of the hub are decoded; other sources
    are read as they are.
    """

    source: Positional[ImageSource]
    part: Annotated[Part, show_default("the training and the test part")] = ""
    side: Side = None
    crop: Crop = None
    channels: Channels = None

    def __call__(self) -> None:
        check_part(self.part)
        _check_geometry(self.side, self.crop, self.channels)
        from ..data.sources import load

        options: dict[str, Any] = {"side": self.side, "crop": self.crop, "channels": self.channels, "cache": True}
        for part in [self.part] if self.part else ["train", "test"]:
            begun = time.time()
            images = load(self.source, part, **options)
            print_notes(images)
            self.describe(images, begun)
            options |= {"side": images.shape[1], "channels": images.shape[0]}  # as a run reads its test images

    def describe(self, images: Any, begun: float) -> None:
        """Prints what was done."""
        from ..data.mapped import find_origin
        from ..data.prepared import format_bytes

        shape = "x".join(map(str, images.shape))
        text = f"{images.part}: {count_noun(len(images), 'image')} of {shape}, {format_bytes(images.pixels.nbytes)}"
        origin = find_origin(images.pixels)
        if origin is None:
            print(f"{text}; {self.source} is not kept in the cache.")
        elif (origin.folder / "set.json").stat().st_mtime < begun:
            print(f"{text}; was prepared already: {origin.folder}")
        else:
            print(f"{text}; decoded in {time.time() - begun:.1f} s: {origin.folder}")


@dataclass
class ListSets:
    """List the sets of decoded images in the cache, with their sizes and ages."""

    json: Json = False
    is_a_table: ClassVar[bool] = True

    def __call__(self) -> list[dict[str, Any]]:
        from ..data.prepared import format_bytes, list_prepared, prepared_folder
        from ..utils.text import align_columns

        sets = list_prepared()
        rows = [
            [
                each.source,
                each.treatment,
                each.state,
                "-" if each.images is None else f"{each.images:,}",
                format_bytes(each.size),
                _format_age(time.time() - each.time),
            ]
            for each in sets
        ]
        if rows:
            print(align_columns(["source", "treatment", "state", "images", "size", "age"], rows))
        total = format_bytes(sum(each.size for each in sets))
        count = count_noun(len(sets), "set")
        print(f"{count}, {total}, in {prepared_folder()}; `splitvae data clear [SOURCE]` removes them.")
        return [
            {
                "source": each.source,
                "treatment": each.treatment,
                "state": each.state,
                "images": each.images,
                "bytes": each.size,
                "written": each.time,
                "folder": str(each.path),
            }
            for each in sets
        ]


@dataclass
class Show:
    """Paint a contact sheet of images, with a row for each class, and say how many there are of each class."""

    source: Positional[ImageSource]
    part: Annotated[Part, show_default("train")] = "train"
    side: Side = None
    crop: Crop = None
    channels: Channels = None
    out: Annotated[OutputFile, show_default("SOURCE-PART.png in this folder")] = None

    def __call__(self) -> None:
        check_part(self.part)
        _check_geometry(self.side, self.crop, self.channels)
        name = os.path.basename(os.path.abspath(self.source.removeprefix("hf://")))
        out = self.out or Path(f"{name}-{self.part}.png")
        check_output_file(out, ".png")
        if Path(self.source).resolve() in out.resolve().parents:
            raise UserError(f"{out} would lie among the images of {self.source}; give another place with --out.")
        from ..data.sources import load
        from ..figures.contact_sheet import describe_labels, draw_contact_sheet
        from ..figures.io import save_figure

        images = load(self.source, self.part, side=self.side, crop=self.crop, channels=self.channels)
        print_notes(images)
        print(describe_labels(images))
        print(f"Contact sheet: {save_figure(draw_contact_sheet(images), out)}")


@dataclass
class Clear:
    """Remove the sets of decoded images of a source, or all of them, from the cache.

    Images are decoded again when they are next read. Sets that another process is writing stay.
    """

    source: Positional[Annotated[str, arg(metavar="[SOURCE]", help="A source as `splitvae data list` shows it.")]] = ""

    def __call__(self) -> None:
        from ..data.prepared import format_bytes, list_prepared, prepared_folder, remove_prepared

        sets = list_prepared()
        if self.source:
            names = {self.source, os.path.abspath(os.path.expanduser(self.source))}
            chosen = [each for each in sets if each.source in names or each.path.name == self.source]
            if not chosen:
                known = f" {nearest(self.source, {each.source for each in sets})}" if sets else ""
                raise UserError(f"{self.source} has no decoded images in {prepared_folder()};{known or ' it is empty.'}")
            sets = chosen
        freed, busy = 0, 0
        for each in sets:
            count = remove_prepared(each.path)
            freed += count or 0
            busy += count is None
            outcome = "is being written and stays" if count is None else f"{format_bytes(count)} freed"
            print(f"{each.source}, {each.treatment}: {outcome}")
        removed = count_noun(len(sets) - busy, "set")
        print(f"{removed} removed, {format_bytes(freed)} ({freed:,} bytes) freed in {prepared_folder()}.")


COMMANDS: dict[str, Any] = {"prepare": Prepare, "list": ListSets, "show": Show, "clear": Clear}


def data(arguments: Sequence[str]) -> None:
    """Prepare, list, show and clear decoded images.

    `splitvae data COMMAND --help` explains each command.
    """
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        lines = ["usage: splitvae data COMMAND [ARGUMENTS]", "(splitvae data COMMAND --help explains one)", ""]
        lines += in_columns({name: (inspect.getdoc(kind) or "").splitlines()[0] for name, kind in COMMANDS.items()})
        print("\n".join(lines))
        return
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        raise UserError(f"`splitvae data` has no command {name!r}; {nearest(name, COMMANDS)}")
    kind = COMMANDS[name]
    run_command(parse(kind, rest, f"splitvae data {name}", inspect.getdoc(kind) or ""))


def _check_geometry(side: int | None, crop: int | None, channels: int | None) -> None:
    """Raises UserError for a size or a number of channels that no image has."""
    check_least(1, side=1 if side is None else side, crop=1 if crop is None else crop)
    if channels not in (None, 1, 3):
        raise UserError(f"--channels {channels} is impossible; type 1 for gray or 3 for colour.")


def _format_age(seconds: float) -> str:
    """Formats a duration in its largest unit."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
