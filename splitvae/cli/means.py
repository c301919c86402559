"""TODO docstring of cli.means."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from ..errors import UserError

__all__ = ["Means"]


@dataclass
class Means:
    """Show the mean images of data sets, and how much they tell of the images."""

    data: tyro.conf.Positional[tuple[str, ...]]
    """Sets of images, whose training parts are averaged: names, folders, files, or hf://org/name."""
    side: int | None = None
    """Height and width in pixels that all are brought to; by default each set has its own."""
    out: Path = Path("means")
    """Folder for means.json and means.png."""

    def __call__(self) -> None:
        if not self.data:
            raise UserError("say of which images, such as `splitvae means mnist fashion-mnist`.")
        from ..data.sources import load
        from ..figures.io import save_figure
        from ..figures.mean_images import describe_mean_images, draw_mean_images
        from ..studies.categories import shorten_source
        from ..studies.mean_images import mean_image, mean_image_table, measure_mean_images
        from ..utils.files import write_json

        sets = [load(source, "train", side=self.side) for source in self.data]
        result = measure_mean_images(sets)
        print(mean_image_table(result))
        write_json(self.out / "means.json", result)
        print(f"Numbers: {self.out / 'means.json'}")
        means = [mean_image(images) for images in sets]
        figure = draw_mean_images(means, [shorten_source(source) for source in self.data], describe_mean_images(result))
        print(f"Figure: {save_figure(figure, self.out / 'means.png')}")
