"""A contact sheet: some images of a data set, in a row for each of its classes or attributes."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..data.images import Images, evenly_spaced
from ..utils.text import count_noun
from .grid import tile_images

__all__ = ["describe_labels", "draw_contact_sheet"]

COLUMNS = 10
MOST_ROWS = 20


def draw_contact_sheet(images: Images) -> Figure:
    """Draws ten images of each class, or that have each attribute, at most twenty rows; or a hundred images without labels.

    Images are evenly spaced in their order.

    Arguments:
        images: The images.
    """
    if images.labels is None:
        rows = list(images.pixels[evenly_spaced(len(images), COLUMNS**2)].split(COLUMNS))
        return tile_images([row.float() / 255 for row in rows])
    names, rows = [], []
    for number, name in enumerate(images.classes):
        members = _members(images.labels, number)
        if len(members) and len(rows) < MOST_ROWS:
            names.append(name)
            rows.append(images.pixels[members[evenly_spaced(len(members), COLUMNS)]].float() / 255)
    return tile_images(rows, names)


def describe_labels(images: Images) -> str:
    """Returns a sentence with the number of images of each class, or that have each attribute."""
    text = f"{images.source}, {images.part}: {count_noun(len(images), 'image')} of {'x'.join(map(str, images.shape))}"
    if images.labels is None:
        return f"{text} without labels."
    counts = [(len(_members(images.labels, number)), name) for number, name in enumerate(images.classes)]
    kind = "classes" if images.labels.ndim == 1 else "attributes"
    shown = ", ".join(f"{name} {count:,}" for count, name in counts[:MOST_ROWS])
    if len(counts) > MOST_ROWS:
        rest = [count for count, _ in counts[MOST_ROWS:]]
        shown += f", and {len(rest)} more of {min(rest):,} to {max(rest):,} images"
    return f"{text} of {len(counts)} {kind}: {shown}."


def _members(labels: Tensor, number: int) -> Tensor:
    """Returns the rows of the images of a class, or that have an attribute."""
    return torch.nonzero(labels == number if labels.ndim == 1 else labels[:, number] != 0)[:, 0]
