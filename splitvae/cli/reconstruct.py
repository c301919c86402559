"""TODO docstring of cli.reconstruct."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ..errors import UserError
from .options import print_notes

__all__ = ["Reconstruct"]


@dataclass
class Reconstruct:
    """Encode images and decode them again."""

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    data: str | None = None
    """Images to reconstruct; by default the test images of the run."""
    split: str = ""
    """train, test or all; by default all images of --data, or the test part of the run's."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 64
    """How many, from the first."""
    out: Path | None = None
    """A .png sheet, an .npz of arrays, or a folder of PNGs; by default RUN/reconstructions.png."""

    def __call__(self) -> None:
        import torch

        from ..figures.export import write_canvas
        from ..models.codes import encode
        from ..runs import Run

        run = Run(self.run)
        if self.n < 1:
            raise UserError(f"-n {self.n} asks for no image; it must be at least 1.")
        images = run.images(self.split or ("all" if self.data else "test"), self.data)
        print_notes(images)
        some = dataclasses.replace(images, pixels=images.pixels[: self.n], labels=None)
        out = self.out or run.path / "reconstructions.png"
        write_canvas(out, run.vae, encode(run.vae, some).mean, originals=some.pixels.to(torch.float32) / 255)
        print(f"{len(some)} reconstructions: {out}")
