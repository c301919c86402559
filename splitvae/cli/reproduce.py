"""The command that runs a published experiment again."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from ..errors import UserError, nearest

__all__ = ["Reproduce"]


# Heavy imports stand in the commands, so that --help and mistakes answer at once.

EXPERIMENTS = ("ml-vae",)


@dataclass
class Reproduce:
    """Run a published experiment again, beside controls: ml-vae, the Multi-Level VAE on MNIST (45 minutes on a laptop)."""

    experiment: tyro.conf.Positional[str]
    """ml-vae."""
    data: str = "mnist"
    """Where the images come from."""
    out: Path | None = None
    """Folder of its runs, by default runs/EXPERIMENT; what is there is kept, so that the same command goes on."""
    epochs: int = 8
    """Passes over the training images of most models."""
    iterations: int = 6000
    """Steps of each probe."""
    seed: int = 0
    """Seed of models and probes."""

    def __call__(self) -> None:
        if self.experiment not in EXPERIMENTS:
            raise UserError(f"no experiment is called {self.experiment!r}; {nearest(self.experiment, EXPERIMENTS)}")
        for name, least in (("epochs", 1), ("iterations", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise UserError(f"--{name} {getattr(self, name)} must be at least {least}.")
        from ..studies.ml_vae import reproduce_ml_vae
        from ..studies.ml_vae_tables import ml_vae_table

        out = self.out or Path("runs") / self.experiment
        result = reproduce_ml_vae(out, self.data, self.epochs, self.iterations, self.seed)
        print(ml_vae_table(result))
        print(f"Numbers: {out / 'ml-vae.json'}")
