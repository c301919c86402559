"""Protocols: what the density of EX-POST is fitted to, and which images are compared with which.

|                         | `clean`            | `paper`            | `authors`                            |
| ----------------------- | ------------------ | ------------------ | ------------------------------------ |
| codes of                | training images    | training images    | the first 10,000 test images         |
| components of a mixture | by held-out codes  | those of the paper | 100                                  |
| compared with           | test images        | test images        | the same first 10,000 test images    |
| padding                 | cut off            | cut off            | kept                                 |
| reconstructions         | of posterior means | of posterior means | of draws from posteriors             |
| mix                     | random components  | random components  | first half from x1, second from x2   |

`clean` is the default. `paper` follows the text of the Split-VAE's paper, with one size for all systems on a data set: 20
components for gray images (its MNIST) and 100 for colour (its CIFAR-10 and CelebA), unless the run has a size of its own.
`authors` follows the paper's public code. There the density is scored against the very images it is fitted to: scores are
too good if it has enough components to repeat these images. That code also draws from its mixture in the order of
components, so that both halves of its mix come from different components.

The code's features are those of Keras's Inception (`--features inception-keras`). It scores reconstructions of all test
images, of which it counts a last incomplete batch of 50 as rows of zeros; here those of the compared images are scored.

Reference: Enhancing variational generation through self-decomposition (Asperti, Bugo, Filippini, 2022),
https://doi.org/10.1109/ACCESS.2022.3185654, and its public code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..errors import UserError, nearest, setting
from ..runs import Run
from ..samplers.base import Sampler
from ..samplers.gaussian_mixture import GaussianMixture
from ..samplers.registry import SAMPLERS

__all__ = ["PADDINGS", "PROTOCOLS", "Protocol", "configure_sampler", "find_protocol"]

PADDINGS = ("cut", "keep")
AUTHORS_CODES = 10_000  # the first test images, which the public code fits to and compares with
AUTHORS_COMPONENTS, AUTHORS_ITERATIONS = 100, 200  # of the mixture of the public code, on every data set
PAPER_COMPONENTS = {1: 20, 3: 100}  # by the channels of the images: MNIST, and CIFAR-10 and CelebA
MIN_EPOCHS = 20  # of a sampler that is trained by gradients


@dataclass(frozen=True)
class Protocol:
    """Creates a protocol.

    Arguments:
        name: The name.
        description: The protocol in one or two sentences.
        follows_code: Whether the protocol follows the public code: codes of the first test images, reconstructions of
            draws, and the mix by halves.
        padding: Whether the padding of images is cut off before features are taken, or kept: "cut" or "keep".
        generated: The number of generated images of each kind; None is the number of real images.
    """

    name: str
    description: str
    follows_code: bool = False
    padding: str = "cut"
    generated: int | None = None

    def __post_init__(self) -> None:
        if self.padding not in PADDINGS:
            raise UserError(f"padding={self.padding!r} is unknown; {nearest(self.padding, PADDINGS)}")
        if self.generated is not None and self.generated < 2:
            raise UserError(f"{self.generated} generated images leave nothing to compare; give at least 2, better 10000.")


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "clean",
            "The density is fitted to codes of training images and scored against test images; the size of a mixture is "
            "chosen by the likelihood of held-out training codes.",
        ),
        Protocol(
            "paper",
            "As in the text of the paper: the density is fitted to codes of training images and scored against test "
            "images; a mixture has the same size for every system.",
        ),
        Protocol(
            "authors",
            "As in the authors' code: the density is fitted to codes of the very test images it is scored against, which "
            "flatters if it can repeat them; a mixture has 100 components, padding is kept, reconstructions are those of "
            "draws.",
            follows_code=True,
            padding="keep",
        ),
    )
}


def find_protocol(protocol: str | Protocol) -> Protocol:
    """Returns the protocol of a name, or a protocol itself; raises UserError for an unknown name."""
    if isinstance(protocol, Protocol):
        return protocol
    if protocol not in PROTOCOLS:
        raise UserError(f"no protocol is called {protocol!r}; {nearest(protocol, PROTOCOLS)}")
    return PROTOCOLS[protocol]


def configure_sampler(run: Run, name: str = "", protocol: str | Protocol = "clean", components: int = 0) -> Sampler:
    """Returns an unfitted sampler with the settings that a protocol gives it.

    Arguments:
        run: The run, whose settings count where its own sampler is the one named.
        name: The name of the sampler; "" is that of the run.
        protocol: The protocol, which gives a mixture its size.
        components: The number of components of a mixture, which replaces that of the protocol; 0 does not.

    Raises:
        UserError: For an unknown name, and `components` for a sampler that is no mixture.
    """
    protocol = find_protocol(protocol)
    sampler = SAMPLERS.make(name or run.config.sampler.name, previous=run.config.sampler)
    epochs, content_dim = max(MIN_EPOCHS, 2 * len(run.history)), getattr(run.vae.encoder.latent, "content_dim", 0)
    sampler = sampler.for_run(epochs, run.config.training.seed, content_dim)
    if not isinstance(sampler, GaussianMixture):
        if components:
            raise UserError(
                f"{setting('components')} is of a mixture, and the sampler is {sampler.name}; "
                f"add {setting('sampler', 'gmm')}."
            )
        return sampler
    if components:
        return replace(sampler, components=components, covariance="full")
    if protocol.follows_code:
        size, iterations = AUTHORS_COMPONENTS, AUTHORS_ITERATIONS
        return replace(sampler, components=size, covariance="full", max_iterations=iterations)
    if protocol.name == "paper":
        size = sampler.components or PAPER_COMPONENTS[run.vae.shape[0]]
        return replace(sampler, components=size, covariance="full")
    return replace(sampler, components=None, covariance=None)
