"""The command `push`: puts the model of a run on the Hugging Face hub, with a model card."""

import sys
from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg

from ..errors import UserError, setting
from .options import OutputFolder, RunFolder, show_default

__all__ = ["Push"]


@dataclass
class Push:
    """Put the model of a run on the Hugging Face hub, with a model card that is written from the run.

    The repository holds the model, the card and pictures of generated images, never images of the training. `--folder DIR`
    writes these files instead of uploading them.
    """

    run: RunFolder
    to: Annotated[str, arg(metavar="OWNER/NAME", help="Name of the repository."), show_default("required to upload")] = ""
    licence: Annotated[
        str, arg(metavar="ID", help="Licence of the model, such as cc-by-4.0."), show_default("asked for on a terminal")
    ] = ""
    private: Annotated[bool, arg(help="Whether a new repository is private.")] = False
    folder: OutputFolder = None

    def __call__(self) -> None:
        from ..hub.upload import push, write_repository
        from ..runs import open_run

        if not self.to and self.folder is None:
            raise UserError(
                f"say where to: {setting('to', 'OWNER/NAME')} on the hub, or {setting('folder', 'DIR')}, which writes the "
                "files here and uploads nothing."
            )
        run = open_run(self.run)
        licence = self.licence or ask_for_licence()
        if self.folder is not None:
            files = write_repository(run, self.folder, licence, self.to)
            print("\n".join([f"Nothing was uploaded. {self.folder} holds what would be:", *(f"  {f.name}" for f in files)]))
            return
        print(f"Uploaded: {push(run, self.to, licence, private=self.private)}")


def ask_for_licence() -> str:
    """Returns the licence that the user types; "" where there is no terminal to ask on."""
    if not sys.stdin.isatty():
        return ""
    from ..hub.card import LICENCES

    return input(f"Licence of the model ({', '.join(LICENCES[:2])}, cc-by-4.0, ..., other): ").strip()
