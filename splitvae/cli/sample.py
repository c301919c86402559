"""The command `sample`: draws images from the model of a run."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg

from ..errors import UserError
from ..utils.text import count_noun
from .checks import check_components, check_output_file, check_run, check_sampler, split_of
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
    image: Annotated[str, arg(metavar="NAME")] = "blend"
    """What is drawn of each sample of a split model: the blend, a component such as x1, or mix, a random one of each."""
    seed: Seed = 0
    out: Annotated[OutputFile, show_default("RUN/samples-SAMPLER.png, or samples-SAMPLER-IMAGE.png")] = None

    def __call__(self) -> None:
        check_least(1, n=self.n)
        check_least(0, seed=self.seed)
        check_run(self.run)
        check_sampler(self.sampler)
        check_components(self.sampler, self.components)
        check_output_file(self.out, ".png", ".npz", "")
        self._check_image(split_of(self.run))
        from ..evaluation.fitted_samplers import sampler_for
        from ..evaluation.protocols import configure_sampler
        from ..figures.export import write_canvas
        from ..runs import Run
        from ..utils.progress import show_fit

        run = Run(self.run)
        sampler = configure_sampler(run, self.sampler, components=self.components)
        z = sampler_for(run, sampler, progress=show_fit(self.sampler)).sample(self.n, self.seed)
        name = self.sampler if self.image == "blend" else f"{self.sampler}-{self.image}"
        out = self.out or run.path / f"samples-{name}.png"
        write_canvas(out, run.vae, z, column=self.image, seed=self.seed)
        print(f"{count_noun(self.n, 'sample')}: {out}")

    def _check_image(self, split: int) -> None:
        """Raises UserError for images that the model does not generate."""
        names = ["blend", *(f"x{k + 1}" for k in range(split)), "mix"] if split > 1 else ["blend"]
        if self.image not in names:
            has = f"it has {', '.join(names)}" if split > 1 else "it is not split"
            raise UserError(f"this model generates no {self.image!r}; {has}.")
