"""An animated GIF of a training: the sample sheets that were drawn after some epochs, one a frame."""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ..utils.files import atomic_write

__all__ = ["write_film"]

MAX_WIDTH_PIXELS = 480  # of a frame
MAX_FILE_BYTES = 1_900_000  # so that the file can be mailed and shown on web pages
MAX_FRAMES = 60
PALETTE_COLOURS = 64  # shared by all frames
FILM_SECONDS, MAX_FRAME_SECONDS, LAST_FRAME_SECONDS = 6.0, 0.5, 3.0
FONT_PIXELS = 14


def write_film(folder: Path, fingerprint: str = "") -> Path | None:
    """Writes folder/film.gif from the files epoch-N.png of a folder, in the order of epochs.

    Each frame names its epoch, and the last one is shown longer. If there are more than `MAX_FRAMES` files, or if the GIF
    grows beyond `MAX_FILE_BYTES`, evenly spaced ones are used, always with the first and the last.

    Arguments:
        folder: The folder of the PNG files, in which the GIF is written.
        fingerprint: The fingerprint of the model, stored as the GIF's comment.

    Returns the path, or None if there are fewer than two files.
    """
    files = {int(file.stem.removeprefix("epoch-")): file for file in folder.glob("epoch-*.png") if file.stem[6:].isdigit()}
    if len(files) < 2:
        return None
    epochs, count = sorted(files), min(MAX_FRAMES, len(files))
    path = folder / "film.gif"
    with atomic_write(path) as draft:
        while True:
            chosen = [epochs[round(i * (len(epochs) - 1) / (count - 1))] for i in range(count)]
            _write_gif(draft, [_make_frame(files[epoch], epoch) for epoch in chosen], fingerprint)
            if draft.stat().st_size < MAX_FILE_BYTES or count == 2:
                return path
            count = max(2, count // 2)


def _write_gif(file: Path, frames: list[Image.Image], comment: str) -> None:
    """Writes frames of one size, with durations that add up to at most `FILM_SECONDS` before the last frame."""
    palette = _shared_palette(frames)
    indexed = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    frame_seconds = min(MAX_FRAME_SECONDS, FILM_SECONDS / len(frames))
    durations = [round(1000 * frame_seconds)] * (len(frames) - 1) + [round(1000 * LAST_FRAME_SECONDS)]
    indexed[0].save(
        file, "GIF", save_all=True, append_images=indexed[1:], duration=durations, loop=0, comment=comment.encode()
    )


def _make_frame(file: Path, epoch: int) -> Image.Image:
    """Reads a picture, makes it smaller by a whole number, and writes its epoch below it."""
    with Image.open(file) as image:
        picture = image.convert("RGB")
    picture = picture.reduce(max(1, math.ceil(picture.width / MAX_WIDTH_PIXELS)))
    frame = Image.new("RGB", (picture.width, picture.height + 2 * FONT_PIXELS), "white")
    frame.paste(picture)
    place = (picture.width // 2, picture.height + FONT_PIXELS)
    ImageDraw.Draw(frame).text(place, f"epoch {epoch}", "black", ImageFont.load_default(FONT_PIXELS), "mm")
    return frame


def _shared_palette(frames: list[Image.Image]) -> Image.Image:
    """Returns an image whose palette has the colours of four frames: the first, and those at 1/2, 3/4, and the end."""
    chosen = [frames[i * (len(frames) - 1) // 4] for i in (0, 2, 3, 4)]
    page = Image.new("RGB", (chosen[0].width, sum(frame.height for frame in chosen)))
    for i, frame in enumerate(chosen):
        page.paste(frame, (0, sum(above.height for above in chosen[:i])))
    return page.quantize(PALETTE_COLOURS)
