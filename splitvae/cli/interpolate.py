"""The command `interpolate`: draws the images between two images of yours."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg

from .checks import check_output_file, check_run
from .chosen_images import ImageFile, check_image_files, read_image_files
from .options import OutputFile, RunFolder, check_least, show_default

__all__ = ["Interpolate"]


@dataclass
class Interpolate:
    """Draw the images between two images of yours, with the maps and components of a split model.

    Both images are encoded, and the figure shows what is decoded on the line between their codes. They are cropped and
    resized as the images of the run were.
    """

    run: RunFolder
    first: Annotated[ImageFile, arg(metavar="A.png")]
    second: Annotated[ImageFile, arg(metavar="B.png")]
    steps: int = 10
    """Number of decoded images, with both ends."""
    out: Annotated[OutputFile, show_default("RUN/interpolation-A-B.png")] = None

    def __call__(self) -> None:
        check_least(2, steps=self.steps)
        check_run(self.run)
        check_image_files(self.first, self.second)
        out = self.out or self.run / f"interpolation-{self.first.stem}-{self.second.stem}.png"
        check_output_file(out, ".png")
        from ..figures.chosen import draw_path
        from ..figures.io import save_figure
        from ..runs import Run

        run = Run(self.run)
        figure = draw_path(run.vae, read_image_files(run, [self.first, self.second]), self.steps)
        print(f"Figure: {save_figure(figure, out, run.vae.fingerprint())}")
