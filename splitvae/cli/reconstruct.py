"""The command `reconstruct`: encodes images and decodes them again."""

from dataclasses import dataclass
from typing import Annotated

from ..utils.text import count_noun
from .checks import check_output_file, check_part, check_run
from .chosen_images import read_part
from .options import Count, OtherImages, OutputFile, Part, RunFolder, check_least, print_notes, show_default

__all__ = ["Reconstruct"]


@dataclass
class Reconstruct:
    """Encode images and decode them again.

    The file is a .png with the images and their reconstructions, an .npz with the arrays image, images and masks, or a
    folder of .png files.
    """

    run: RunFolder
    data: OtherImages = None
    part: Part = ""
    n: Count = 64
    """Number of images, counted from the first."""
    out: Annotated[OutputFile, show_default("RUN/reconstructions.png")] = None

    def __call__(self) -> None:
        check_least(1, n=self.n)
        check_run(self.run)
        check_part(self.part)
        check_output_file(self.out, ".png", ".npz", "")
        import torch

        from ..figures.export import write_canvas
        from ..models.codes import encode
        from ..runs import Run

        run = Run(self.run)
        images = read_part(run, self.part, self.data)
        print_notes(images)
        first = images[: self.n]
        out = self.out or run.path / "reconstructions.png"
        write_canvas(out, run.vae, encode(run.vae, first).mean, originals=first.pixels.to(torch.float32) / 255)
        print(f"{count_noun(len(first), 'reconstruction')}: {out}")
