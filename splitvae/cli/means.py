"""The command `means`: draws the mean images of data sets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from .checks import check_output_folder
from .options import ImageSources, Json, OutputFolder, check_least, check_not_empty, show_default

__all__ = ["Means"]


@dataclass
class Means:
    """Draw the mean images of data sets, and measure how much of the images they explain.

    The training images of each data set are averaged. The folder gets means.json and means.png.
    """

    data: ImageSources
    side: Annotated[int | None, arg(metavar="PIXELS"), show_default("that of each data set")] = None
    """Height and width to which all images are resized."""
    out: Annotated[OutputFolder, show_default("means")] = None
    json: Json = False

    def __call__(self) -> dict[str, Any]:
        check_not_empty(self.data, "images", "splitvae means mnist fashion-mnist")
        check_least(1, side=1 if self.side is None else self.side)
        check_output_folder(self.out or Path())
        from ..data.sources import check_source, load
        from ..figures.io import save_figure
        from ..figures.mean_images import describe_mean_images, draw_mean_images
        from ..studies.categories import shorten_source
        from ..studies.mean_images import mean_image, mean_image_table, measure_mean_images
        from ..utils.files import write_json

        out = self.out or Path("means")
        for source in self.data:
            check_source(source)
        sets = [load(source, "train", side=self.side) for source in self.data]
        result = measure_mean_images(sets)
        print(mean_image_table(result))
        write_json(out / "means.json", result)
        print(f"Numbers: {out / 'means.json'}")
        means = [mean_image(images) for images in sets]
        figure = draw_mean_images(means, [shorten_source(source) for source in self.data], describe_mean_images(result))
        print(f"Figure: {save_figure(figure, out / 'means.png')}")
        return result
