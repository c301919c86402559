"""What the page shows, as HTML, from what its controls hold. A mistake of the visitor becomes a sentence on the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from pathlib import Path
from typing import NamedTuple, ParamSpec

import torch
from torch import Tensor

from ..errors import UserError, setting
from ..models.latents import GroupedHead
from .drawing import Tile, draw_canvas, draw_error, draw_note, draw_tiles
from .pictures import MAX_FILE_BYTES, Picture, read_picture
from .session import Session

__all__ = ["Choice", "encode_choice", "find_picture", "show_between", "show_latent", "show_picture", "show_swap"]

P = ParamSpec("P")


class Choice(NamedTuple):
    """A picture that the visitor chose.

    Arguments:
        path: The file of an upload; None takes an image of the run.
        number: The number of an image of the run.
        invert: Whether dark and light of an upload are exchanged.
    """

    path: str | None
    number: float | None = 0
    invert: bool = False


def answers_mistakes(view: Callable[P, str]) -> Callable[P, str]:
    """Returns a view that shows the sentence of a `UserError` in place of images."""

    @wraps(view)
    def answer(*arguments: P.args, **named: P.kwargs) -> str:
        try:
            return view(*arguments, **named)
        except UserError as error:
            return draw_error(str(error))

    return answer


@answers_mistakes
def show_latent(session: Session, base: Sequence[float], values: Sequence[float], column: str, seed: int = 0) -> str:
    """Shows what the decoder makes of latents.

    Arguments:
        session: The run.
        base: The value of every latent, D numbers.
        values: The values of the sliders, which replace those of their latents; more than there are sliders are ignored.
        column: The image that is drawn large.
        seed: The seed of the mix.
    """
    z = torch.tensor(list(base), dtype=torch.float32)
    for latent, value in zip(session.sliders, values, strict=False):
        z[latent] = value
    return draw_canvas(session.decode(z[None]), column, seed)


@answers_mistakes
def show_picture(session: Session, choice: Choice, column: str) -> str:
    """Shows a picture, its reconstruction, and what that is split into."""
    picture = find_picture(session, choice)
    canvas = session.decode(session.encode(picture.pixels[None]))
    error = float((canvas.image[0] - picture.pixels / 255).square().mean())
    tiles = draw_canvas(canvas, column, first=[Tile("picture", picture.pixels / 255)])
    return tiles + _note(f"{picture.note} The mean squared error of its reconstruction is {error:.4f}.")


def encode_choice(session: Session, choice: Choice) -> Tensor:
    """Returns the latents of a picture, within the range of the sliders, shape (D,); raises UserError for a mistake."""
    return session.place_on_sliders(session.encode(find_picture(session, choice).pixels[None])[0])


@answers_mistakes
def show_between(session: Session, pair: tuple[Choice, Choice], place: float, steps: float, column: str) -> str:
    """Shows the images on the line between the latents of two pictures.

    Arguments:
        session: The run.
        pair: The two pictures.
        place: The place of the image that is drawn large: 0 is the first picture, 1 the second.
        steps: The number of images in the row.
        column: The image that is drawn of each latent.
    """
    pictures = [find_picture(session, choice) for choice in pair]
    first, last = session.encode(torch.stack([picture.pixels for picture in pictures]))
    weights = torch.linspace(0, 1, int(steps))
    z = torch.lerp(first, last, torch.cat((weights, torch.tensor([float(place)])))[:, None])
    *row, large = _columns(session, z, column)
    tiles = [Tile(f"{weight:.0%}", image) for weight, image in zip(weights.tolist(), row, strict=True)]
    ends = [Tile(name, picture.pixels / 255) for name, picture in zip(("first", "second"), pictures, strict=True)]
    shown = draw_tiles([ends[0], *tiles, ends[1]], Tile(f"{place:.0%} of the way", large), "splitvae-between")
    return shown + _notes(pair, pictures)


@answers_mistakes
def show_swap(session: Session, pair: tuple[Choice, Choice], column: str) -> str:
    """Shows the content of one picture with the style of another, and the reverse.

    If `probe` has found that the independent style tells less of the labels than the style, it is swapped in its place.

    Arguments:
        session: The run, whose latent has a content and a style.
        pair: The picture that gives the content, and the one that gives the style.
        column: The image that is drawn of each latent.
    """
    head = session.vae.encoder.latent
    if not isinstance(head, GroupedHead):
        raise UserError(
            "this model has no content and style that could be swapped; train one that has, with "
            f"{setting('latent', 'grouped')}."
        )
    pictures = [find_picture(session, choice) for choice in pair]
    a, b = session.encode(torch.stack([picture.pixels for picture in pictures]))
    styles, contents = torch.stack((b, a)), torch.stack((a, b))[:, -head.content_dim :]  # z = [style, content]
    if session.flow is not None:
        z = session.flow.with_content(styles, contents)
    else:
        z = torch.cat((styles[:, : -head.content_dim], contents), 1)
    z = torch.cat((z, torch.stack((a, b))))
    swapped, reverse, *own = _columns(session, z, column)
    sources = [
        [Tile(f"gives the {part}", picture.pixels / 255), Tile("reconstructed", image)]
        for part, picture, image in zip(("content", "style"), pictures, own, strict=True)
    ]
    tiles = [*sources[0], *sources[1], Tile("the reverse", reverse)]
    return draw_tiles(tiles, Tile("both together", swapped), "splitvae-swap") + _notes(pair, pictures)


def find_picture(session: Session, choice: Choice) -> Picture:
    """Returns the picture that was chosen, in the shape of the model.

    Raises:
        UserError: For a file that is no picture (pictures.py), and for a number of no image.
    """
    if choice.path:
        return _read_upload(session, choice.path, choice.invert)
    images, number = session.images, int(choice.number or 0)
    if not 0 <= number < len(images):
        raise UserError(f"there is no image {number}; there are {len(images)}, numbered from 0 to {len(images) - 1}.")
    kind = "sample of the model" if not session.has_data else f"image of {images.source}"
    return Picture(images.pixels[number], f"{kind[0].upper()}{kind[1:]}, number {number}.")


@lru_cache(maxsize=16)
def _read_upload(session: Session, path: str, invert: bool) -> Picture:
    """Reads a file that was uploaded, whose path contains the hash of its content."""
    file = Path(path)
    if file.stat().st_size > MAX_FILE_BYTES:
        raise UserError(f"{file.name} has {file.stat().st_size >> 20} MB; at most {MAX_FILE_BYTES >> 20} MB are read.")
    return read_picture(file.read_bytes(), session.vae.shape, session.run.config.data, file.name, invert)


def _columns(session: Session, z: Tensor, column: str) -> Tensor:
    """Returns the chosen image of each latent, (B, D) -> (B, C, H, W)."""
    canvas = session.decode(z)
    mix = torch.randint(session.vae.split, (len(z),), generator=torch.Generator().manual_seed(0))
    columns = canvas.columns(mix)
    return columns.get(column, columns["blend"])


def _notes(pair: tuple[Choice, Choice], pictures: Sequence[Picture]) -> str:
    """Returns the HTML of what was done to those pictures that were uploaded."""
    return "".join(_note(picture.note) for choice, picture in zip(pair, pictures, strict=True) if choice.path)


def _note(text: str) -> str:
    return f'<div class="sv-foot">{draw_note(text)}</div>'
