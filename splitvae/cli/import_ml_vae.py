"""The command `import-ml-vae`: makes runs of the checkpoints that the Multi-Level VAE's best-known public code released."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from .options import OutputFolder, show_default

__all__ = ["ImportMLVAE"]


@dataclass
class ImportMLVAE:
    """Make runs of the checkpoints that the best-known public code of the Multi-Level VAE released.

    The folder holds encoder_1_var_reparam, decoder_1_var_reparam and the same with 0.1, the standard deviations of the
    noise. They are read without executing code. OUT/readme-1 and OUT/readme-0.1 become runs on MNIST.
    """

    folder: Positional[Annotated[Path, arg(metavar="FOLDER", help="Folder of the checkpoints.")]]
    out: Annotated[OutputFolder, show_default("runs")] = None

    def __call__(self) -> None:
        from ..runs import Run
        from ..studies.ml_vae_public_code import load_released
        from ..studies.ml_vae_systems import RELEASED, released_config

        out = self.out or Path("runs")
        models = {name: load_released(self.folder, std, released_config(name)) for name, std in RELEASED.items()}
        for name, vae in models.items():
            run = Run.begin(out / name, released_config(name), vae.counts())
            run.save_model(vae)
            print(f"{RELEASED[name]}: {run.path}")
        print(f"Next: splitvae figures {out / next(iter(models))}")
