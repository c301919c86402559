"""The repository of a model: written to a folder, or put on the Hugging Face hub.

| file               | content                                                                   |
| ------------------ | ------------------------------------------------------------------------- |
| README.md          | the model card                                                            |
| config.json        | the settings of the model                                                 |
| model.safetensors  | its weights                                                               |
| samples.png, ...   | generated images; never images of the training                            |
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError, is_in_shell, setting
from ..figures.io import read_fingerprint, save_figure
from ..figures.samples import draw_components, draw_sheet
from ..models.pretrained import check_is_no_run, write_model
from ..models.split import Canvas
from ..models.vae import VAE
from ..runs import Run
from ..utils.files import write_text
from .card import CARD_MARK, check_licence, write_card

__all__ = ["push", "write_repository"]

SAMPLES, DECOMPOSED = 64, 10


def push(
    source: Run | VAE, to: str, licence: str = "", *, private: bool = False, token: str | None = None, message: str = ""
) -> str:
    """Puts a run's model, or a model, on the Hugging Face hub, with a model card, and returns the address.

    Arguments:
        source: The run, from which the card is written, or a model, of which it says only what the model itself knows.
        to: The name of the repository, "owner/name"; it is created if it does not exist.
        licence: The licence of the model, such as "cc-by-4.0", which must be given.
        private: Whether a new repository is private.
        token: The token of the hub; by default that of `hf auth login`.
        message: The message of the commit.

    Raises:
        UserError: For no licence, a name that is none of the hub, a missing login, and where the hub cannot be reached.
    """
    owner, _, name = to.partition("/")
    if not owner or not name or "/" in name:
        raise UserError(f"{to!r} names no model of the hub; type owner/name, such as {setting('to', 'me/digits')}.")
    check_licence(licence)
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    with tempfile.TemporaryDirectory() as folder:
        write_repository(source, Path(folder), licence, to)
        api = HfApi(token=token)
        try:
            repository = api.create_repo(to, private=private, exist_ok=True, repo_type="model").repo_id
            text = message or f"Upload {name} by splitvae"
            api.upload_folder(repo_id=repository, folder_path=folder, repo_type="model", commit_message=text)
        except HFValidationError as error:
            raise UserError(f"{to!r} is no name of the hub ({_first_line(error)}); type owner/name.") from None
        except HfHubHTTPError as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            remedy = "try again later"
            if status in (401, 403):
                remedy = f"type `hf auth login` with a token that may write to {owner}"
            raise UserError(f"{to} was not uploaded ({_first_line(error)}); {remedy}.") from None
        except Exception as error:  # the network can raise anything
            here = (
                setting("folder", "DIR") if is_in_shell() else "splitvae.hub.write_repository(model, Path('DIR'), licence)"
            )
            raise UserError(
                f"{to} was not uploaded, since the hub cannot be reached ({_first_line(error)}); "
                f"{here} writes the files here, to be uploaded elsewhere by `hf upload`."
            ) from None
    return f"https://huggingface.co/{repository}"


def write_repository(source: Run | VAE, folder: Path, licence: str = "", name: str = "") -> list[Path]:
    """Writes what `push` would upload, and returns the files.

    Arguments:
        source: The run, or a model.
        folder: The folder, which is created if it is missing; other files in it stay.
        licence: The licence of the model, such as "cc-by-4.0", which must be given.
        name: The name under which the card loads the model; by default the folder.

    Raises:
        UserError: For no licence, and for the folder of a run, or one with a README.md that is no card of this library.
    """
    check_licence(licence)
    check_is_no_run(folder)
    card = folder / "README.md"
    if card.exists() and CARD_MARK not in card.read_text(encoding="utf-8", errors="replace"):
        raise UserError(f"{card} is no model card of splitvae and would be overwritten; give another folder.")
    run = source if isinstance(source, Run) else None
    vae = source.vae if isinstance(source, Run) else source
    folder.mkdir(parents=True, exist_ok=True)
    write_model(vae, folder)
    training = vae.training
    vae.eval()
    try:
        pictures = _draw(vae, folder) + (_copy_samples(run, vae, folder) if run is not None else [])
    finally:
        vae.train(training)
    write_text(card, write_card(vae, name or folder.name, licence, run, [picture.name for picture in pictures]))
    return [card, folder / "config.json", folder / "model.safetensors", *pictures]


@torch.no_grad()
def _draw(vae: VAE, folder: Path) -> list[Path]:
    """Draws samples of the prior, and of a split model their components."""
    canvas, fingerprint = vae.sample(SAMPLES, seed=0), vae.fingerprint()
    paths = [save_figure(draw_sheet(canvas.image), folder / "samples.png", fingerprint)]
    if vae.split > 1:
        parts = draw_components(Canvas(canvas.images[:DECOMPOSED], canvas.masks[:DECOMPOSED]))
        paths.append(save_figure(parts, folder / "components.png", fingerprint))
    return paths


def _copy_samples(run: Run, vae: VAE, folder: Path) -> list[Path]:
    """Copies the sheets of samples of fitted densities that the run has of these weights."""
    sheets = sorted((run.path / "figures").glob("samples-*.png"))
    found = [sheet for sheet in sheets if read_fingerprint(sheet) == vae.fingerprint()]
    return [Path(shutil.copy(sheet, folder / sheet.name)) for sheet in found]


def _first_line(error: Any) -> str:
    """Returns the first line of an error's message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
