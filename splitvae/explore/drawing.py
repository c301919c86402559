"""Images as HTML: each a PNG of its own pixels, which the browser enlarges to squares, and all as one PNG to keep."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..figures.io import to_uint8
from ..models.split import Canvas

__all__ = ["Tile", "draw_canvas", "draw_error", "draw_note", "draw_tiles", "encode_image", "sheet_of_tiles"]

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SHEET_TILE_PIXELS, SHEET_GAP_PIXELS = 192, 6  # of an image in the PNG to keep, about, and between images
SHEET_COLUMNS = 8


class Tile(NamedTuple):
    """An image and the text below it."""

    caption: str
    image: Tensor  # (C, H, W), in [0, 1]


def draw_canvas(canvas: Canvas, column: str = "blend", seed: int = 0, first: Sequence[Tile] = ()) -> str:
    """Returns the HTML of one decoded image: the one that was chosen, large, and all others beside it.

    Arguments:
        canvas: A canvas of one image.
        column: The image that is drawn large: "blend", "x1", "x2", ..., or "mix".
        seed: The seed of the mix, which takes one component at random.
        first: Images that are drawn before the others, such as a picture that was encoded.
    """
    mix = torch.randint(canvas.images.shape[1], (1,), generator=torch.Generator().manual_seed(int(seed)))
    columns = {name: images[0] for name, images in canvas.columns(mix).items()}
    column = column if column in columns else "blend"
    large = Tile(_name(column) if len(columns) > 1 else "image", columns[column])
    return draw_tiles([*first, *_parts(canvas)], large, file=f"splitvae-{column}")


def _parts(canvas: Canvas) -> list[Tile]:
    """Returns the blend, the maps and the components of a canvas of one image: of two maps the first, of no split none."""
    split = canvas.masks.shape[1]
    tiles = [Tile("blend", canvas.image[0])] if split > 1 else []
    if split == 2:
        tiles += [Tile("map", canvas.masks[0, 0])]
    elif split > 2:
        tiles += [Tile(_name(f"map {k + 1}"), canvas.masks[0, k]) for k in range(split)]
    return tiles + [Tile(_name(f"x{k + 1}"), canvas.images[0, k]) for k in range(split) if split > 1]


def _name(column: str) -> str:
    """Returns the name of an image as it is shown: "x̂₁" of "x1", "map₁" of "map 1", and any other as it is."""
    head, number = column[:-1].rstrip(), column[-1:]
    return head.replace("x", "x̂") + number.translate(SUBSCRIPTS) if number.isdigit() else column


def draw_tiles(tiles: Sequence[Tile], large: Tile | None = None, file: str = "splitvae", note: str = "") -> str:
    """Returns the HTML of images with captions, and of a link that saves them all as one PNG.

    Arguments:
        tiles: The images.
        large: An image that is drawn larger, above the others.
        file: The name of the PNG that is saved, without its suffix.
        note: A text below the images.
    """
    shown = [_figure(large, "sv-large")] if large is not None else []
    shown += ['<div class="sv-row">', *(_figure(tile) for tile in tiles), "</div>"] if tiles else []
    every = [*([large] if large is not None else []), *tiles]
    sheet = _data_uri(sheet_of_tiles([tile.image for tile in every]))
    link = f'<a class="sv-save" href="{sheet}" download="{html.escape(file)}.png">Save as PNG</a>'
    return f'<div class="sv-tiles">{"".join(shown)}<div class="sv-foot">{link}{draw_note(note) if note else ""}</div></div>'


def draw_note(text: str) -> str:
    """Returns the HTML of a sentence."""
    return f'<p class="sv-note">{html.escape(text)}</p>'


def draw_error(text: str) -> str:
    """Returns the HTML of a sentence about a mistake, which screen readers announce."""
    return f'<p class="sv-error" role="alert">{html.escape(begin_sentence(text))}</p>'


def begin_sentence(text: str) -> str:
    """Returns a message that begins with a capital letter, unless its first word is a name such as photo.png or runs/a."""
    first = text.split(" ", 1)[0]
    return text[:1].upper() + text[1:] if first.isalpha() else text


def _figure(tile: Tile, name: str = "") -> str:
    """Returns the HTML of one image."""
    caption, source = html.escape(tile.caption), _data_uri(encode_image(tile.image))
    return f'<figure class="{name}"><img src="{source}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'


def _data_uri(png: bytes) -> str:
    """Returns a PNG as the value of the attribute `src`."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def encode_image(image: Tensor) -> bytes:
    """Returns an image (C, H, W) in [0, 1] as a PNG of its own pixels."""
    return _to_png(to_uint8(image[None])[0])


def sheet_of_tiles(images: Sequence[Tensor]) -> bytes:
    """Returns images (C, H, W) in [0, 1] as one PNG, in rows of eight, each pixel enlarged to a square."""
    scale = max(1, SHEET_TILE_PIXELS // images[0].shape[-1])
    side = images[0].shape[-1] * scale
    step, columns = side + SHEET_GAP_PIXELS, min(SHEET_COLUMNS, len(images))
    rows, channels = -(-len(images) // columns), max(image.shape[0] for image in images)
    page = np.full((rows * step - SHEET_GAP_PIXELS, columns * step - SHEET_GAP_PIXELS, channels), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = i // columns * step, i % columns * step
        page[top : top + side, left : left + side] = to_uint8(image[None])[0].repeat(scale, 0).repeat(scale, 1)
    return _to_png(page)


def _to_png(pixels: np.ndarray) -> bytes:
    """Returns bytes (H, W, 1 or 3) as a PNG, compressed little, since speed counts more than size here."""
    buffer = io.BytesIO()
    Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
