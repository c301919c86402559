"""The command `import-keras`: makes a run of the weights that the Split-VAE's public code saved."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from ..errors import UserError
from .options import OutputFolder, show_default

__all__ = ["ImportKeras"]


@dataclass
class ImportKeras:
    """Make a run of the weights of the Split-VAE's public code, a legacy .h5 file of Keras.

    All sizes of the network are read from the file; how images are prepared is that of the preset. The run can be sampled,
    evaluated and reported as any other, and `VAE.from_pretrained` opens its model. No code in the file is executed.
    """

    file: Positional[Annotated[Path, arg(metavar="FILE", help="The .h5 file.")]]
    preset: Positional[Annotated[str, arg(metavar="PRESET", help="A preset of the Split-VAE, such as mnist-svae.")]]
    out: Annotated[OutputFolder, show_default("runs/FILE")] = None

    def __call__(self) -> None:
        from ..models.keras_weights import read_keras_split_vae
        from ..networks.residual import Residual
        from ..presets.registry import find_preset
        from ..runs import Run

        config = find_preset(self.preset)
        if not isinstance(config.model.net, Residual):
            raise UserError(f"{self.preset} has another network than the Split-VAE; give its preset, such as mnist-svae.")
        vae = read_keras_split_vae(self.file)
        if config.model.shape is not None and vae.shape != config.model.shape:
            raise UserError(
                f"{self.file} is a model of images of {describe_shape(vae.shape)}, and {self.preset} prepares images of "
                f"{describe_shape(config.model.shape)}; give the preset of its data set."
            )
        config = dataclasses.replace(config, model=vae.settings)
        run = Run.begin(self.out or Path("runs") / self.file.stem, config, vae.counts())
        run.save_model(vae)
        sizes = f"{describe_shape(vae.shape)}, {vae.latent_dim} latent dimensions, {vae.split} components"
        print(f"Model: {sizes}, {vae.counts()['total']:,} parameters: {run.path}")
        print(f"Next: splitvae sample {run.path}")


def describe_shape(shape: tuple[int, int, int]) -> str:
    """Returns the shape of an image as it is read: "3 x 64 x 64"."""
    return " x ".join(map(str, shape))
