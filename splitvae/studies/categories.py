r"""The Fréchet distances of the categories of a data set from its test images, measured without any model.

The sets of training images that are compared, among them the mirror images of these:

| set        | images                                            | the score of a generator that                        |
| ---------- | ------------------------------------------------- | ---------------------------------------------------- |
| a category | of one class, or with one attribute               | produces this category perfectly, and nothing else   |
| growing    | of the first 1, 2, ..., K classes                 | produces some classes perfectly, and others never    |
| the mix    | all                                               | produces everything perfectly                        |
| the floor  | all, without mirror images                        | repeats the training images                          |

Each set but the floor holds the first `count` of its images in one shuffled order, so that the growing sets begin with the
first class and end with the mix. An image and its mirror image vary together; for the deviation of a distance, a jackknife
over tenths, they are therefore left out together.

Reference: Enhancing variational generation through self-decomposition (Asperti, Bugo, Filippini, 2022), section 5.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..data.images import Images, evenly_spaced
from ..data.labels import get_labels
from ..errors import UserError
from ..features.base import Extractor, extract_features
from ..features.cache import cached_features
from ..metrics.distances import JACKKNIFE_GROUPS, jackknife_deviation
from ..metrics.fid import frechet_distance
from ..utils.text import align_columns, count_noun, format_deviation, format_number

__all__ = ["category_table", "compare_categories", "shorten_source"]

MAX_TEST_IMAGES = 10_000
IMAGES_PER_BLOCK = 250  # that are mirrored at once


def compare_categories(
    train: Images, test: Images, extractor: Extractor, count: int = 10_000, seed: int = 0, *, mirror: bool = True
) -> dict[str, Any]:
    """Measures the Fréchet distances of categories, growing sets of classes, the mix and the floor from test images.

    Arguments:
        train: The training images with labels: classes (N,), or attributes (N, A). Attributes have no growing sets, since
            an image may have several.
        test: The test images, of the same shape. At most 10,000 are taken, evenly spaced.
        extractor: The network in whose features images are compared. It reads each image and each mirror image once.
        count: The number of images of each set but the floor. Where a category has fewer, all are taken.
        seed: The seed of the order in which images are taken.
        mirror: Whether mirror images double the training images, as in the paper. A mirrored digit is no digit.

    Returns a dict in which each set has "images", "value" and "deviation". The last two are None if the set has fewer than
    two images.

    Raises:
        UserError: If the training images have no labels, if a part or `count` has fewer than two images, or if the
            shapes of both parts differ.
    """
    labels, names = get_labels(train), train.classes
    if count < 2:
        raise UserError(f"count={count} leaves nothing to compare; give at least 2, better 10000.")
    if train.shape != test.shape:
        raise UserError(
            f"training images have the shape {train.shape} and test images {test.shape}: load(source, 'test', "
            f"side={train.shape[1]}, channels={train.shape[0]}) brings the latter to the shape of the former."
        )
    for images in (train, test):
        if len(images) < 2:
            held = count_noun(len(images), "image")
            raise UserError(f"the {images.part} part of {images.source} has {held}: at least 2 are needed.")
    notes = list(dict.fromkeys((*train.notes, *test.notes)))
    test_rows = evenly_spaced(len(test), MAX_TEST_IMAGES)
    real = cached_features(extractor, test.pixels[test_rows], notes=notes)
    fake = extract_features(extractor, train.pixels, notes=notes)
    if mirror:
        mirrored = (block.flip(-1) for block in train.pixels.split(IMAGES_PER_BLOCK))
        fake = torch.cat((fake, extract_features(extractor, mirrored)))
    random = torch.Generator().manual_seed(seed)
    rank, order = (torch.randperm(n, generator=random) for n in (len(train), len(fake)))

    def measure(rows: Tensor) -> dict[str, Any]:
        """Measures a set by the features (n, D) of its images."""
        if len(rows) < 2:
            return {"images": len(rows), "value": None, "deviation": None}
        distance, deviation = frechet_distance(real, rows), jackknife_deviation(real, rows)
        return {"images": len(rows), "value": distance, "deviation": deviation}

    def measure_set(members: Tensor) -> dict[str, Any]:
        """Measures the first `count` images of a set, given whether each training image belongs to it."""
        return measure(fake[_select_rows(members, order, rank, count)])

    classes = labels.ndim == 1
    categories = (labels == k if classes else labels[:, k] == 1 for k in range(len(names)))
    return {
        "labels": "classes" if classes else "attributes",
        "extractor": {"name": extractor.name, "fingerprint": extractor.fingerprint, "note": extractor.note},
        "train": {"source": train.source, "part": train.part, "images": len(train)},
        "test": {"source": test.source, "part": test.part, "images": len(test_rows)},
        "count": count,
        "mirror": mirror,
        "seed": seed,
        "notes": notes,
        "categories": [{"name": name, **measure_set(members)} for name, members in zip(names, categories, strict=True)],
        "growing": [{"classes": k + 1, **measure_set(labels <= k)} for k in range(len(names) if classes else 0)],
        "mix": measure_set(torch.ones(len(train), dtype=torch.bool)),
        "floor": measure(fake[: len(train)]),
    }


def _select_rows(members: Tensor, order: Tensor, rank: Tensor, count: int) -> Tensor:
    """Returns the first `count` rows of a set, arranged so that the jackknife leaves mirror images out together.

    The jackknife leaves out every tenth row. Images are dealt to the tenths in blocks by their rank, so that an image and
    its mirror image are in the same tenth, except for those at the nine borders of blocks.

    Arguments:
        members: Whether each of the n training images is in the set, with shape (n,).
        order: The order in which rows are taken. Row n + i is the mirror image of row i.
        rank: A random rank of each training image, with shape (n,).
        count: The largest number of rows.
    """
    rows = order[members[order % len(members)]][:count]
    rows = rows[rank[rows % len(members)].argsort(stable=True)]
    dealt = torch.empty_like(rows)
    for i, block in enumerate(rows.tensor_split(JACKKNIFE_GROUPS)):
        dealt[i::JACKKNIFE_GROUPS] = block
    return dealt


def category_table(result: Mapping[str, Any]) -> str:
    """Formats a result of `compare_categories` as lines of text."""
    train, test, extractor = result["train"], result["test"], result["extractor"]
    category = "class" if result["labels"] == "classes" else "attribute"
    growing = result["growing"] or [None] * len(result["categories"])
    rows = [
        [c["name"], f"{c['images']:,}", _format_distance(c), *([_format_distance(g)] if g else [])]
        for c, g in zip(result["categories"], growing, strict=True)
    ]
    for name, heading in (("mix", "mix of all"), ("floor", "all, none mirrored" if result["mirror"] else "all")):
        cells = [heading, f"{result[name]['images']:,}", _format_distance(result[name])]
        rows.append([*cells, *([""] if result["growing"] else [])])
    headings = [category, "images", "Fréchet distance", *(["with all classes above"] if result["growing"] else [])]
    lines = [f"  {line}" for line in align_columns(headings, rows).splitlines()]
    description = (
        f"Training images{' and mirror images' if result['mirror'] else ''} of each {category} of {train['source']} "
        f"against {test['images']:,} {test['part']} images; features {extractor['name']} {extractor['fingerprint']}; "
        f"seed {result['seed']}."
    )
    notes = [f"  Note: {note}" for note in (*result["notes"], extractor["note"]) if note]
    return "\n".join([description, *lines, *notes])


def _format_distance(measured: Mapping[str, Any]) -> str:
    """Formats the distance of a set with its deviation."""
    if measured["value"] is None:
        return "not measured"
    return f"{format_number(measured['value'])} {format_deviation(measured)}".strip()


def shorten_source(source: str) -> str:
    """Returns a short name of a source of images, without its path, suffix or host.

    >>> shorten_source("hf://uoft-cs/cifar10:test"), shorten_source("pictures/faces.npz"), shorten_source("mnist")
    ('cifar10-test', 'faces', 'mnist')
    """
    if source.startswith("hf://"):
        return "-".join(source[5:].replace(":", "/").split("/")[1:]) or source[5:]
    path = Path(source)
    return (path.stem if path.suffix in (".npz", ".npy", ".parquet") else path.name) or path.resolve().name or "images"
