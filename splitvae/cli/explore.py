"""The command `explore`: a page in the browser on which latents are moved by hand."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg

from .options import RunFolders, check_not_empty, show_default

__all__ = ["Explore"]


@dataclass
class Explore:
    """Explore runs in the browser: move latents, encode and split a picture of your own, blend and swap pictures.

    The page is served to this machine alone, and asks no other machine for anything. It needs the extra `explore`:
    in a clone of the repository, pip install -e '.[explore]'.
    """

    runs: RunFolders = ()
    host: Annotated[str, arg(metavar="ADDRESS")] = "127.0.0.1"
    """Address at which the page is served; 0.0.0.0 also serves it to others on the network."""
    port: Annotated[int | None, arg(metavar="PORT"), show_default("the first free one from 7860 on")] = None
    """Port at which the page is served."""
    browser: bool = True
    """Whether a browser is opened."""

    def __call__(self) -> None:
        from ..explore.server import serve

        check_not_empty(self.runs, "runs", "splitvae explore runs/mnist-svae")
        serve(self.runs, self.host, self.port, self.browser)
