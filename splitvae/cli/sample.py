"""The command `sample`: draws images from the model of a run."""

from dataclasses import dataclass
from typing import Annotated

from .options import Components, Count, OutputFile, RunFolder, SamplerName, Seed, check_least, show_default

__all__ = ["Sample"]


@dataclass
class Sample:
    """Draw images from the model of a run.

    The file is a .png with all samples, an .npz with the arrays image, images and masks, or a folder of .png files.
    """

    run: RunFolder
    n: Count = 64
    """Number of samples."""
    sampler: SamplerName = "prior"
    components: Components = 0
    seed: Seed = 0
    out: Annotated[OutputFile, show_default("RUN/samples-SAMPLER.png")] = None

    def __call__(self) -> None:
        from ..evaluation.fitted_samplers import sampler_for
        from ..evaluation.protocols import configure_sampler
        from ..figures.export import write_canvas
        from ..runs import Run

        check_least(1, n=self.n)
        check_least(0, seed=self.seed, components=self.components)
        run = Run(self.run)
        sampler = configure_sampler(run, self.sampler, components=self.components)
        z = sampler_for(run, sampler).sample(self.n, self.seed)
        out = self.out or run.path / f"samples-{self.sampler}.png"
        write_canvas(out, run.vae, z)
        print(f"{self.n} samples: {out}")
