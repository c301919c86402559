"""A run that is explored: its model, its latents in order, its samplers, and its images."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from ..data.images import Images
from ..errors import UserError, nearest
from ..evaluation.fitted_samplers import list_fitted_samplers
from ..evaluation.informative_latents import (
    MAX_SLIDERS,
    InformativeLatents,
    SliderRange,
    find_informative_latents,
    place_on_sliders,
    read_some_images,
)
from ..models.latents import GroupedHead
from ..models.split import Canvas
from ..probes.independent_style import find_useful_flow
from ..runs import Run
from ..samplers.base import Prior, Sampler
from ..samplers.conditional_flow import ConditionalFlow
from ..samplers.registry import load_sampler
from ..utils.text import shorten_path

__all__ = ["Session"]

DRAWS_OF_CENTRE = 1000  # whose mean is the centre of a sampler


class Session:
    """Opens a run to be explored; images and samplers are read when they are first needed.

    Arguments:
        run: The run.

    Raises:
        UserError: If the run has no model, or a damaged one.
    """

    def __init__(self, run: Run) -> None:
        self.run, self.vae = run, run.vae
        self._samplers: dict[str, tuple[Sampler, Tensor]] = {}

    @cached_property
    def images(self) -> Images:
        """Images of the run, at most 1000; where they cannot be read, as many samples of the model."""
        found = read_some_images(self.run)
        if found is not None:
            return found
        pixels = self.vae.sample(64, 0).image.mul(255).round().byte().cpu()
        return Images(pixels, None, (), "samples of the model", "samples", ())

    @property
    def has_data(self) -> bool:
        """Whether the images are those of the run's data."""
        return self.images.part != "samples"

    @cached_property
    def latents(self) -> InformativeLatents:
        """The latents, the most informative first."""
        return find_informative_latents(self.run, self.images if self.has_data else None)

    @property
    def sliders(self) -> list[int]:
        """The numbers of the latents that have a slider."""
        return self.latents.order[:MAX_SLIDERS]

    def slider_range(self, latent: int) -> SliderRange:
        """Returns the ends and the step of a latent's slider."""
        return SliderRange.of(self.latents, latent)

    @property
    def columns(self) -> list[str]:
        """The images that can be drawn of a latent: the blend, and those of a split model's components and their mix."""
        components = [f"x{k + 1}" for k in range(self.vae.split)]
        return ["blend", *components, "mix"] if self.vae.split > 1 else ["blend"]

    @property
    def swaps(self) -> bool:
        """Whether the model has a content and a style that can be swapped."""
        return isinstance(self.vae.encoder.latent, GroupedHead)

    @cached_property
    def flow(self) -> ConditionalFlow | None:
        """The flow that makes styles independent of contents, which `probe` has fitted; None where it is of no use."""
        return find_useful_flow(self.run)

    @cached_property
    def sampler_names(self) -> list[str]:
        """The prior, and the samplers of the run's folder that were fitted to this very model."""
        return ["prior", *list_fitted_samplers(self.run)]

    def draw_latent(self, sampler: str = "prior", seed: int = 0, temperature: float = 1.0) -> Tensor:
        """Returns one draw of a sampler, shape (D,).

        The draw's distance to the centre of the sampler is multiplied by the temperature. The prior's centre is 0; that of
        others is the mean of 1000 draws.

        Arguments:
            sampler: One of `sampler_names`.
            seed: The seed of the draw.
            temperature: The factor; at 0 every draw is the centre.
        """
        fitted, centre = self._find_sampler(sampler)
        return torch.lerp(centre, fitted.sample(1, int(seed))[0], float(temperature))

    def _find_sampler(self, name: str) -> tuple[Sampler, Tensor]:
        """Returns a sampler and its centre, shape (D,)."""
        if name not in self.sampler_names:
            raise UserError(f"this run has no sampler {name!r}; {nearest(name, self.sampler_names)}")
        if name not in self._samplers:
            centre = torch.zeros(self.vae.latent_dim)
            if name == "prior":
                self._samplers[name] = Prior().learn(dim_=self.vae.latent_dim), centre
            else:
                fitted = load_sampler(self.run.path / "samplers" / name)
                self._samplers[name] = fitted, fitted.sample(DRAWS_OF_CENTRE, 0).mean(0)
        return self._samplers[name]

    def place_on_sliders(self, z: Tensor) -> Tensor:
        """Returns latents (D,) whose values with a slider are a step of its range, so that sliders show what is drawn."""
        return place_on_sliders(self.latents, z)

    def describe(self) -> str:
        """Returns the run in a line: its components, latents, image and data."""
        shape = " × ".join(map(str, self.vae.shape))
        split = f"split into {self.vae.split}" if self.vae.split > 1 else "not split"
        source = shorten_path(self.run.config.data.source or "images from memory")
        return f"{split}, {self.vae.latent_dim} latents, images of {shape}, trained on {source}"

    @torch.no_grad()
    def decode(self, z: Tensor) -> Canvas:
        """Returns the canvas of latents (B, D), on the CPU."""
        return Canvas(*(part.cpu() for part in self.vae.decode(z)))

    @torch.no_grad()
    def encode(self, pixels: Tensor) -> Tensor:
        """Returns the posterior means of uint8 images (B, C, H, W), each a group of its own, shape (B, D), on the CPU."""
        return self.vae.encode(pixels.float() / 255).mean.cpu()
