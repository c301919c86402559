"""The training as a film: the pictures of the same samples, drawn after some epochs, as one animated GIF."""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ..utils.files import atomic_write

__all__ = ["film"]


SIDE = 480  # pixels at most, of a frame


LIMIT = 1_900_000  # bytes


MOST = 60  # frames


COLOURS = 64  # of all frames together


SECONDS, SLOWEST, HELD = 6.0, 0.5, 3.0  # of the film, of a frame, of the last one


LETTERS = 14  # pixels


def film(folder: Path, model: str = "") -> Path | None:
    """Makes folder/film.gif of the pictures epoch-N.png there, in the order of epochs; None where there are fewer than two.

    Each frame says its epoch, and the last is held. All share one palette; pictures too many or too rich for less than 2
    MB are thinned out evenly, but for the first and the last. `model` is the fingerprint that the file is to keep.
    """
    files = {int(file.stem.removeprefix("epoch-")): file for file in folder.glob("epoch-*.png") if file.stem[6:].isdigit()}
    if len(files) < 2:
        return None
    epochs, count = sorted(files), min(MOST, len(files))
    out = folder / "film.gif"
    with atomic_write(out) as draft:
        while True:
            chosen = [epochs[round(i * (len(epochs) - 1) / (count - 1))] for i in range(count)]
            _write(draft, [_frame(files[epoch], epoch) for epoch in chosen], model)
            if draft.stat().st_size < LIMIT or count == 2:
                return out
            count = max(2, count // 2)


def _write(file: Path, frames: list[Image.Image], model: str) -> None:
    """Writes frames of one size, each as long as the film's length allows."""
    palette = _palette(frames)
    indexed = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    each = min(SLOWEST, SECONDS / len(frames))
    durations = [round(1000 * each)] * (len(frames) - 1) + [round(1000 * HELD)]
    indexed[0].save(
        file, "GIF", save_all=True, append_images=indexed[1:], duration=durations, loop=0, comment=model.encode()
    )


def _frame(file: Path, epoch: int) -> Image.Image:
    """A picture, made smaller by a whole number, above its epoch."""
    with Image.open(file) as opened:
        picture = opened.convert("RGB")
    picture = picture.reduce(max(1, math.ceil(picture.width / SIDE)))
    frame = Image.new("RGB", (picture.width, picture.height + 2 * LETTERS), "white")
    frame.paste(picture)
    place = (picture.width // 2, picture.height + LETTERS)
    ImageDraw.Draw(frame).text(place, f"epoch {epoch}", "black", ImageFont.load_default(LETTERS), "mm")
    return frame


def _palette(frames: list[Image.Image]) -> Image.Image:
    """The colours of the first, the middle and the last frame, and of the last quarter."""
    some = [frames[i * (len(frames) - 1) // 4] for i in (0, 2, 3, 4)]
    page = Image.new("RGB", (some[0].width, sum(frame.height for frame in some)))
    for i, frame in enumerate(some):
        page.paste(frame, (0, sum(before.height for before in some[:i])))
    return page.quantize(COLOURS)
