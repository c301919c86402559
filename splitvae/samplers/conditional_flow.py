r"""Two flows of codes z = [style, content]: one of contents, and one of styles given the content.

    p(z) = p(content) p(style | content),        u = f(style; content) ~ N(0, I),        style = f^-1(u; content)

f is invertible for each content. Where the flow fits, u has the same distribution for every content, so that it tells
nothing of what the content says: u is the part of the style that is independent of the content. Nothing is lost, and an
image gets another content by f^-1(u; other content).

References: Neural spline flows (Durkan, Bekasov, Murray, Papamakarios, 2019), https://arxiv.org/abs/1906.04032; conditional
flows: Learning likelihoods with conditional normalizing flows (Winkler, Worrall, Hoogeboom, Welling, 2019),
https://arxiv.org/abs/1912.00042.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Self

import torch
from torch import Tensor

from ..errors import UserError
from ..utils.machine import default_device
from ..utils.settings import Option
from .flow import CODES_PER_BATCH, COUPLINGS, Flow, FlowDensity, InvertibleDensity

__all__ = ["ConditionalFlow", "ConditionalFlowDensity"]


class ConditionalFlowDensity(InvertibleDensity):
    """A flow of contents and a flow of styles given the content: `density(z)` returns -log p(z), (B, D) -> (B,), in nats.

    Arguments:
        content: The flow of the last coordinates of z.
        style: The flow of the others, whose context are standardised contents.
    """

    def __init__(self, content: FlowDensity, style: FlowDensity) -> None:
        super().__init__()
        self.content, self.style = content, style
        self.register_buffer("mean", torch.cat((style.mean, content.mean)))

    def forward(self, z: Tensor, generator: torch.Generator | None = None) -> Tensor:
        style, content = self._divide(z)
        return self.content(content) + self.style(style, context=self.content.standardise(content))

    def standardise_by(self, mean: Tensor, std: Tensor) -> None:
        """Sets what codes are standardised by; see `InvertibleDensity`."""
        self.mean.copy_(mean)
        for flow, m, s in zip((self.style, self.content), self._divide(mean), self._divide(std), strict=True):
            flow.standardise_by(m, s)

    def inverse(self, noise: Tensor) -> Tensor:
        """Returns the codes of given noise, (B, D) -> (B, D)."""
        noise, content_noise = self._divide(noise)
        return self.join(noise, self.content.inverse(content_noise))

    def separate(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Returns u = f(style; content) and the content, (B, D) -> (B, S), (B, C)."""
        style, content = self._divide(z)
        return self.style.noise(style, self.content.standardise(content)), content

    def join(self, u: Tensor, content: Tensor) -> Tensor:
        """Returns z = [f^-1(u; content), content], (B, S), (B, C) -> (B, D)."""
        return torch.cat((self.style.inverse(u, self.content.standardise(content)), content), 1)

    def _divide(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the style and the content of codes."""
        return z[..., : len(self.style.mean)], z[..., len(self.style.mean) :]


@dataclass(frozen=True)
class ConditionalFlow(Flow):
    """Creates a flow of contents and a flow of styles given the content, fitted to posterior means.

    Arguments:
        content_dim: The number of last coordinates on which the others depend; 0 is that of the run's grouped latent, and a
            half for other latents.

    The other settings are those of each of the two flows (`Flow`), whose transforms are couplings.
    """

    name = "conditional-flow"
    transforms: int | None = 4
    epochs: int | None = 20
    content_dim: Annotated[int, Option("")] = 0

    def for_run(self, epochs: int, seed: int, content_dim: int = 0) -> Self:
        """Returns this flow with the seed and the content's dimension of the run; see `Flow.for_run`."""
        return replace(super().for_run(epochs, seed), content_dim=self.content_dim or content_dim)

    @torch.no_grad()
    def separate(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Returns what in the style is independent of the content, and the content, on the CPU, (N, D) -> (N, S), (N, C).

        Arguments:
            z: The codes.
        """
        density = self.density_.to(default_device())
        parts = [density.separate(part.to(density.mean)) for part in z.split(CODES_PER_BATCH)]
        u, content = (torch.cat(column).cpu() for column in zip(*parts, strict=True))
        return u, content

    @torch.no_grad()
    def join(self, u: Tensor, content: Tensor) -> Tensor:
        """Returns the codes (N, D) of independent parts (N, S) and contents (N, C), on the CPU; it inverts `separate`."""
        density = self.density_.to(default_device())
        both = zip(u.split(CODES_PER_BATCH), content.split(CODES_PER_BATCH), strict=True)
        return torch.cat([density.join(*(part.to(density.mean) for part in parts)).cpu() for parts in both])

    def with_content(self, z: Tensor, content: Tensor) -> Tensor:
        """Returns codes (N, D) with other contents (N, C), whose styles keep what is independent of the content."""
        return self.join(self.separate(z)[0], content)

    def _build_density(self, dim: int) -> InvertibleDensity:
        """Returns untrained densities of codes of dimension `dim`."""
        content = self.content_dim or dim // 2
        if not 0 < content < dim:
            raise UserError(f"a conditional flow divides codes into style and content, and these have {dim} dimension(s).")
        sizes = self.transforms or COUPLINGS, self.width, self.depth
        styles = FlowDensity(dim - content, *sizes, context=content, coupling=True)
        return ConditionalFlowDensity(FlowDensity(content, *sizes, coupling=True), styles)
