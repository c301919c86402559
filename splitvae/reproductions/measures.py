"""What a page says of the images alone, without any model: the distances of categories, and the mean image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..data.images import Images
from ..features.base import Extractor
from ..figures.categories import plot_categories
from ..figures.io import save_figure
from ..figures.mean_images import describe_mean_images, draw_mean_images
from ..studies.categories import category_table, compare_categories, shorten_source
from ..studies.mean_images import mean_image, mean_image_table, measure_mean_images

__all__ = ["MEASURES", "measure_section"]

Measure = Callable[[Images, Images, Extractor, Path], dict[str, Any]]


def _measure_categories(train: Images, test: Images, extractor: Extractor, folder: Path) -> dict[str, Any]:
    """Measures the distance of each category of training images from the test images, and draws a chart."""
    train, test = _named(train), _named(test)
    result = compare_categories(train, test, extractor)
    save_figure(plot_categories(result), folder / "categories.png")
    return {"text": category_table(result), "figures": {"categories.png": "distances of categories"}, "numbers": result}


def _measure_means(train: Images, test: Images, extractor: Extractor, folder: Path) -> dict[str, Any]:
    """Measures how much of the variance of the training images their mean image explains, and draws it."""
    train = _named(train)
    result = measure_mean_images([train])
    figure = draw_mean_images([mean_image(train)], [train.source], describe_mean_images(result))
    save_figure(figure, folder / "mean-image.png")
    return {"text": mean_image_table(result), "figures": {"mean-image.png": "the mean image"}, "numbers": result}


def _named(images: Images) -> Images:
    """Returns images whose source is a name instead of a path."""
    return replace(images, source=shorten_source(images.source))


MEASURES: dict[str, Measure] = {"categories": _measure_categories, "means": _measure_means}
TITLES = {
    "categories": "Each category against the whole (Table 2 of the paper)",
    "means": "The mean image (Figure 9 of the paper)",
}


def measure_section(name: str, measured: Mapping[str, Any], folder: str) -> Sequence[str]:
    """Returns the lines of Markdown about a measure.

    Arguments:
        name: Its name.
        measured: What it returned.
        folder: The folder of the figures, relative to the page.
    """
    figures = [f"![{caption}]({folder}/{file})" for file, caption in measured["figures"].items()]
    text = [f"    {line}" for line in measured["text"].splitlines()]
    return [f"## {TITLES[name]}", "", *text, "", *figures, ""]
