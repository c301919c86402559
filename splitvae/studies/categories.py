r"""What a data set owes to its labels and to its mean image, measured without any model.

**Categories.** The Fréchet distance from the test images of sets of training images, among them the mirror images of these:

| set        | of                                           | the score of a generator that                |
| ---------- | -------------------------------------------- | -------------------------------------------- |
| a category | one class, or the images with one attribute  | paints this perfectly, and nothing else      |
| growing    | the first 1, 2, ..., K classes               | paints some classes perfectly, others never  |
| the mix    | all images                                   | paints everything perfectly                  |
| the floor  | all images as they are, none mirrored        | repeats what it was trained on               |

Each but the floor holds the first `count` of its images in one shuffled order, so that growing begins with the first class
and ends with the mix. For its deviation an image and its mirror image, which vary together, are left out together.

**Means.** Of images x_1, ..., x_N with mean image m (C, H, W), whose mean over pixels is the colour c (C):

    contrast^2 = mean (m - c)^2 ,    variance = mean (x_i - c)^2 ,    around the mean image = mean (x_i - m)^2 ,

and variance = contrast^2 + around the mean image. The share that is left around it is 1 where the mean image is flat, which
tells nothing of an image; the more the images are aligned, as faces are, the less.

Reference: Enhancing variational generation through self-decomposition (Asperti, Bugo, Filippini, 2022), section 5.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..data.images import Images, spaced
from ..data.labels import labels_of
from ..errors import UserError
from ..features.base import Extractor, features
from ..metrics.distances import JACKKNIFE_GROUPS, jackknife_deviation
from ..metrics.fid import frechet_distance
from ..utils.text import aligned, number, spread

__all__ = ["category_table", "compare_categories", "titled"]


REAL = 10_000  # test images, at most


CHUNK = 250  # images that are summed or mirrored at once


# ---------------------------------------------------------------- categories


def compare_categories(
    train: Images, test: Images, extractor: Extractor, count: int = 10_000, seed: int = 0, *, mirror: bool = True
) -> dict[str, Any]:
    """The Fréchet distances of single categories, growing sets of classes, the mix and the floor from test images.

    Arguments:
        train: with labels; (N, A) attributes have no growing sets, since an image may have several.
        test: of the same shape; 10,000 at most are taken, evenly spaced.
        extractor: of the features that images are compared in; each image, and each mirror image, is read once.
        count: images of each set but the floor; where a category has fewer all are taken, and "images" says how many.
        seed: of the order that they are taken in.
        mirror: whether mirror images double the training images, as in the paper; a mirrored digit is none.

    A set has "images", "value" and "deviation"; the last two are None where it has too few images.
    Raises UserError for images without labels, fewer than two images in a part or in `count`, or different shapes.
    """
    labels, names = labels_of(train), train.classes
    if count < 2:
        raise UserError(f"count={count} leaves nothing to compare; give at least 2, better 10000.")
    if train.shape != test.shape:
        raise UserError(
            f"training images have the shape {train.shape} and test images {test.shape}: load(source, 'test', "
            f"side={train.shape[1]}, channels={train.shape[0]}) brings the latter to the shape of the former."
        )
    for part in (train, test):
        if len(part) < 2:
            raise UserError(f"the {part.split} part of {part.source} has {len(part)} image(s): at least 2 are needed.")
    notes = list(dict.fromkeys((*train.notes, *test.notes)))
    chosen = spaced(len(test), REAL)
    real = features(extractor, test.pixels[chosen], notes=notes)
    rows = features(extractor, train.pixels, notes=notes)
    if mirror:
        rows = torch.cat((rows, features(extractor, (part.flip(-1) for part in train.pixels.split(CHUNK)))))
    random = torch.Generator().manual_seed(seed)
    rank, order = (torch.randperm(n, generator=random) for n in (len(train), len(rows)))

    def measured(having: Tensor | None) -> dict[str, Any]:
        fake = rows[: len(train)] if having is None else rows[_drawn(having, order, rank, count)]
        if len(fake) < 2:
            return {"images": len(fake), "value": None, "deviation": None}
        return {"images": len(fake), "value": frechet_distance(real, fake), "deviation": jackknife_deviation(real, fake)}

    classes = labels.ndim == 1
    alone = (labels == k if classes else labels[:, k] == 1 for k in range(len(names)))
    return {
        "labels": "classes" if classes else "attributes",
        "extractor": {"name": extractor.name, "fingerprint": extractor.fingerprint, "note": extractor.note},
        "train": {"source": train.source, "part": train.split, "images": len(train)},
        "test": {"source": test.source, "part": test.split, "images": len(chosen)},
        "count": count,
        "mirror": mirror,
        "seed": seed,
        "notes": notes,
        "categories": [{"name": name, **measured(having)} for name, having in zip(names, alone, strict=True)],
        "growing": [{"classes": k + 1, **measured(labels <= k)} for k in range(len(names) if classes else 0)],
        "mix": measured(torch.ones(len(train), dtype=torch.bool)),
        "floor": measured(None),
    }


def _drawn(having: Tensor, order: Tensor, rank: Tensor, count: int) -> Tensor:
    """The first `count` rows in `order` of the images in question, dealt into the tenths that the jackknife leaves out.

    Row n + i is the mirror image of image i of n. Tenths are blocks of images by their `rank`, so that both are in one, but
    for the nine that a block may end between.
    """
    rows = order[having[order % len(having)]][:count]
    rows = rows[rank[rows % len(having)].argsort(stable=True)]
    dealt = torch.empty_like(rows)
    for i, block in enumerate(rows.tensor_split(JACKKNIFE_GROUPS)):
        dealt[i::JACKKNIFE_GROUPS] = block
    return dealt


def category_table(result: Mapping[str, Any]) -> str:
    """The distances of `categories` as lines of text."""
    train, test, extractor = result["train"], result["test"], result["extractor"]
    one = "class" if result["labels"] == "classes" else "attribute"
    growing = result["growing"] or [None] * len(result["categories"])
    rows = [
        [c["name"], f"{c['images']:,}", _value(c), *([_value(g)] if g else [])]
        for c, g in zip(result["categories"], growing, strict=True)
    ]
    for name, what in (("mix", "mix of all"), ("floor", "all, none mirrored" if result["mirror"] else "all")):
        rows.append([what, f"{result[name]['images']:,}", _value(result[name]), *([""] if result["growing"] else [])])
    headings = [one, "images", "Fréchet distance", *(["with all classes above"] if result["growing"] else [])]
    lines = [f"  {line}" for line in aligned(headings, rows).splitlines()]
    about = (
        f"Training images{' and mirror images' if result['mirror'] else ''} of each {one} of {train['source']} against "
        f"{test['images']:,} {test['part']} images; features {extractor['name']} {extractor['fingerprint']}; "
        f"seed {result['seed']}."
    )
    notes = [f"  Note: {note}" for note in (*result["notes"], extractor["note"]) if note]
    return "\n".join([about, *lines, *notes])


def _value(measured: Mapping[str, Any]) -> str:
    if measured["value"] is None:
        return "not measured"
    return f"{number(measured['value'])} {spread(measured)}".strip()


def titled(source: str) -> str:
    """What a source of images is called for short: its name, or the last part of its path without a suffix.

    >>> titled("hf://uoft-cs/cifar10"), titled("pictures/faces.npz"), titled("mnist")
    ('cifar10', 'faces', 'mnist')
    """
    if source.startswith("hf://"):
        return "-".join(source.split("/")[3:]) or source[5:]
    path = Path(source)
    return (path.stem if path.suffix in (".npz", ".npy", ".parquet") else path.name) or path.resolve().name or "images"
