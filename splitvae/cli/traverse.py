"""The command `traverse`: draws what single latents change in an image of yours."""

from dataclasses import dataclass
from typing import Annotated, Any

from tyro.conf import arg

from ..errors import UserError
from ..utils.files import read_json
from ..utils.text import count_noun
from .checks import check_output_file, check_run
from .chosen_images import ImageFile, check_image_files, read_image_files
from .options import OutputFile, RunFolder, check_least, show_default

__all__ = ["Traverse"]

CODED_IMAGES = 2000  # test images by whose codes latents are ranked


@dataclass
class Traverse:
    """Draw what single latents change in an image of yours, with the maps and components of a split model.

    Each latent moves from -3 to 3, in deviations of the prior, while the others keep the values of the image's code. The
    number beside a latent is its KL among test images in nats, the amount of information that it carries.
    """

    run: RunFolder
    file: ImageFile
    n: Annotated[int, arg(aliases=["-n"])] = 5
    """Number of latents: those that carry most information."""
    latents: Annotated[tuple[int, ...], arg(metavar="INT ..."), show_default("those that carry most information")] = ()
    """Numbers of the latents, from 0."""
    out: Annotated[OutputFile, show_default("RUN/traversal-IMAGE.png")] = None

    def __call__(self) -> None:
        check_least(1, n=self.n)
        check_run(self.run)
        self._check_latents()
        check_image_files(self.file)
        out = self.out or self.run / f"traversal-{self.file.stem}.png"
        check_output_file(out, ".png")
        from ..figures.chosen import draw_traversal
        from ..figures.io import save_figure
        from ..metrics.latents import kl_by_dimension
        from ..runs import Run

        run = Run(self.run)
        (image,) = read_image_files(run, [self.file])
        codes = self._encode_test_images(run, image)
        ranked = kl_by_dimension(codes.mean, codes.logvar).argsort(descending=True).tolist()
        figure = draw_traversal(run.vae, image, self.latents or ranked[: self.n], codes)
        print(f"Figure: {save_figure(figure, out, run.vae.fingerprint())}")

    def _check_latents(self) -> None:
        """Raises UserError for a latent that the model does not have."""
        dim = int(read_json(self.run / "model" / "config.json")["latent_dim"])
        for latent in self.latents:
            if not 0 <= latent < dim:
                raise UserError(f"--latents {latent} is none of the model; it has 0 to {dim - 1}.")
        if not self.latents and self.n > dim:
            raise UserError(f"-n {self.n} is more than the model's {count_noun(dim, 'latent')}; type -n {dim}, or less.")

    @staticmethod
    def _encode_test_images(run: Any, image: Any) -> Any:
        """Returns the codes of test images, or of the image alone where the run's images are not there."""
        from ..data.images import Images, evenly_spaced
        from ..models.codes import encode

        try:
            images = run.images("test")
            images = images[evenly_spaced(len(images), CODED_IMAGES)]
        except UserError as error:
            print(f"Note: the latents are ranked by this image alone: {error}")
            pixels = (255 * image[None]).round().byte().repeat(2, 1, 1, 1)
            images = Images(pixels, None, (), "one image", "all", ())
        return encode(run.vae, images)
