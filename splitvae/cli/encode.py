"""The command `encode`: writes the latent codes of images."""

from dataclasses import dataclass
from typing import Annotated

from ..utils.text import count_noun
from .checks import check_output_file, check_part, check_run
from .chosen_images import read_part
from .options import OtherImages, OutputFile, Part, RunFolder, print_notes, show_default

__all__ = ["Encode"]


@dataclass
class Encode:
    """Encode images as latent codes.

    The file is an .npz with the arrays mean, logvar (where the posterior has one), labels (where the images have them) and
    names, the paths of the images in their folder (where they were read from one). All have one row for each image.
    """

    run: RunFolder
    data: OtherImages = None
    part: Part = ""
    out: Annotated[OutputFile, show_default("RUN/codes-PART.npz")] = None

    def __call__(self) -> None:
        check_run(self.run)
        check_part(self.part)
        check_output_file(self.out, ".npz")
        import numpy as np

        from ..models.codes import encode
        from ..runs import Run
        from ..utils.files import atomic_write

        run = Run(self.run)
        images = read_part(run, self.part, self.data)
        print_notes(images)
        codes = encode(run.vae, images)
        out = self.out or run.path / f"codes-{images.part}.npz"
        arrays = {name: value.numpy() for name, value in codes._asdict().items() if value is not None}
        if images.names:
            arrays["names"] = np.array(images.names)
        with atomic_write(out) as draft, draft.open("wb") as file:
            np.savez(file, **arrays)
        print(f"{count_noun(len(codes.mean), 'code')} of dimension {codes.mean.shape[1]}: {out}")
