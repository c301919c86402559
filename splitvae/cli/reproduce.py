"""The command `reproduce`: runs a published experiment again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from ..errors import UserError, nearest
from .options import ImageSource, OutputFolder, ProbeIterations, Seed, check_least, show_default

__all__ = ["Reproduce"]


EXPERIMENTS = ("ml-vae",)


@dataclass
class Reproduce:
    """Run a published experiment again, and compare it with controls.

    The experiment ml-vae is the Multi-Level VAE on MNIST, which takes an hour on a laptop. Models that are already in
    the folder are not trained again, so that the same command continues after an interruption.
    """

    experiment: Positional[Annotated[str, arg(metavar="EXPERIMENT")]]
    """The only one is ml-vae."""
    data: ImageSource = "mnist"
    out: Annotated[OutputFolder, show_default("runs/EXPERIMENT")] = None
    epochs: int = 8
    """Number of passes over the training images, for most of the models."""
    iterations: ProbeIterations = 6000
    seed: Seed = 0
    public_weights: Annotated[Path | None, arg(metavar="FOLDER"), show_default("they are left out")] = None
    """Folder of the checkpoints that the public code's authors released, to measure them too."""

    def __call__(self) -> None:
        if self.experiment not in EXPERIMENTS:
            raise UserError(f"no experiment is called {self.experiment!r}; {nearest(self.experiment, EXPERIMENTS)}")
        check_least(1, epochs=self.epochs, iterations=self.iterations)
        check_least(0, seed=self.seed)
        from ..studies.ml_vae import reproduce_ml_vae
        from ..studies.ml_vae_tables import ml_vae_table

        out = self.out or Path("runs") / self.experiment
        result = reproduce_ml_vae(
            out, self.data, self.epochs, self.iterations, self.seed, public_weights=self.public_weights
        )
        print(ml_vae_table(result))
        print(f"Numbers: {out / 'ml-vae.json'}")
