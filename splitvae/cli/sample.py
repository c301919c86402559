"""The commands about a run: draw from it, encode with it, show it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ..errors import UserError

__all__ = ["Sample"]


# Heavy imports stand in the commands, so that --help and mistakes answer at once.


@dataclass
class Sample:
    """Draw images from a run's model."""

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 64
    """How many."""
    sampler: str = "prior"
    """Where latents come from: prior, or a density fitted to the training codes: gmm, second-stage, flow."""
    components: int = 0
    """Components of a mixture; 0 picks them by held-out likelihood."""
    seed: int = 0
    """Seed of the draw."""
    out: Path | None = None
    """A .png sheet, an .npz of arrays (image, images, masks), or a folder of PNGs; by default RUN/samples-SAMPLER.png."""

    def __call__(self) -> None:
        from ..evaluation.fitted_samplers import sampler_for, sampler_parameters
        from ..figures.export import write_canvas
        from ..runs import Run

        if self.n < 1:
            raise UserError(f"-n {self.n} asks for no image; it must be at least 1.")
        if self.seed < 0:
            raise UserError(f"--seed {self.seed} is no seed; it must be at least 0.")
        run = Run(self.run)
        parameters = sampler_parameters(run, self.sampler)
        if self.sampler == "gmm" and self.components:
            parameters["components"] = self.components
        z = sampler_for(run, self.sampler, **parameters).sample(self.n, self.seed)
        out = self.out or run.path / f"samples-{self.sampler}.png"
        write_canvas(out, run.vae, z)
        print(f"{self.n} samples: {out}")
