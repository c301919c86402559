"""Models as folders: config.json, the settings, and model.safetensors, the weights; here, in a run, or on the hub.

A model of somebody else executes nothing: its settings choose among the networks that splitvae knows, and its weights are
read as safetensors alone. Pickles, such as pytorch_model.bin, and code in a repository are never opened.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import nn

from ..errors import UserError, nearest
from ..utils.files import atomic_write, read_json, write_json
from ..utils.versions import describe_newer, note_newer, own_version

__all__ = ["CONFIG", "WEIGHTS", "check_is_no_run", "find_model_folder", "read_model", "write_model"]

CONFIG, WEIGHTS = "config.json", "model.safetensors"
M = TypeVar("M", bound=nn.Module)
_HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def check_is_no_run(folder: Path) -> None:
    """Raises UserError for the folder of a run, whose own settings are in its config.json."""
    if any((folder / name).exists() for name in ("model", "history.jsonl", "state.ckpt")):
        raise UserError(f"{folder} is a run, which has its model in {folder / 'model'}; give another folder.")


def write_model(model: Any, folder: Path) -> None:
    """Writes the files of a model, each in one piece.

    Arguments:
        model: The model, which has `settings`.
        folder: The folder, which is created if it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    with atomic_write(folder / WEIGHTS) as draft:
        draft.write_bytes(to_bytes(tensors))
    write_json(folder / CONFIG, {"splitvae": own_version(), **model.settings.to_json()})


def read_model(build: Callable[..., M], folder: Path, remedy: str = "") -> M:
    """Returns the model in a folder, in evaluation mode.

    Arguments:
        build: The function that builds the model of some settings.
        folder: The folder.
        remedy: The end of a message on damaged files: what to do.

    Raises:
        UserError: For files that are missing or damaged, unknown settings, and weights of another model.
    """
    settings = read_json(folder / CONFIG)
    if not isinstance(settings, dict) or "shape" not in settings:
        raise UserError(f"{folder / CONFIG} holds no settings of a model of splitvae.")
    version = settings.pop("splitvae", None)
    note_newer(version, folder / CONFIG)
    end = describe_newer(version) or f" {remedy}".rstrip()
    try:
        model = build(**settings)
    except UserError as error:
        raise UserError(f"{folder / CONFIG} cannot be used: {error}{end}") from None
    except (TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise UserError(f"{folder / CONFIG} is damaged ({_first_line(error)}).{end}") from None
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
    except Exception as error:  # a damaged file may raise an exception of any of three libraries
        raise UserError(f"{folder / WEIGHTS} is damaged or of another model ({_first_line(error)}).{end}") from None
    return model.eval()


def find_model_folder(source: str | os.PathLike[str], **options: Any) -> Path:
    """Returns the folder of a model: of a model here, of a run, or of one of the hub, which is downloaded.

    Arguments:
        source: The folder of a model, that of a run, or the name of a model of the hub, "owner/name".
        options: The arguments `revision`, `token`, `cache_dir`, `local_files_only` and `force_download` of
            `huggingface_hub.hf_hub_download`.

    Raises:
        UserError: If there is no model, with the nearest name.
    """
    name = os.fspath(source)
    path = Path(os.path.expanduser(name))
    if path.exists():
        return _find_in_folder(path)
    is_path = not isinstance(source, str) or name.startswith((".", "~")) or os.path.isabs(name)
    parent = path.parent
    if is_path or not _HUB_NAME.fullmatch(name) or (parent != Path() and parent.is_dir()):
        names = [each.name for each in parent.iterdir()] if parent.is_dir() else []
        close = nearest(path.name, names) if names and len(names) < 100 else ""
        hint = (
            close
            if close.startswith("did you mean")
            else "give the folder of a model or of a run, or owner/name of the hub."
        )
        raise UserError(f"{name} does not exist; {hint}")
    return _download(name, **options)


def _find_in_folder(path: Path) -> Path:
    """Returns the folder of a model: the given one, or that of the run which it is."""
    for folder in (path, path / "model"):
        if (folder / WEIGHTS).is_file() and (folder / CONFIG).is_file():
            return folder
    if path.is_file():
        raise UserError(f"{path} is a file; give the folder of a model, which holds {CONFIG} and {WEIGHTS}.")
    if ((path / CONFIG).is_file() and (path / "model").is_dir()) or (path / "state.ckpt").is_file():
        raise UserError(f"{path} has no trained model; `splitvae train --resume --out {path}` trains or restores it.")
    pickles = sorted(file.name for file in path.iterdir() if file.suffix in (".bin", ".pt", ".pth", ".ckpt", ".pkl"))
    if pickles:
        raise UserError(
            f"{path} holds {pickles[0]}, which is not read, since a pickle can execute code; a model of splitvae is "
            f"{CONFIG} and {WEIGHTS}."
        )
    raise UserError(f"{path} holds no model, which is {CONFIG} and {WEIGHTS}, and no run with one.")


def _download(name: str, revision: str | None = None, token: Any = None, **options: Any) -> Path:
    """Downloads the two files of a model of the hub, and returns their folder; without a network, as it is in the cache."""
    import huggingface_hub
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    failure, files = "", {CONFIG, WEIGHTS}
    try:
        if not options.get("local_files_only"):  # asked once, where a download would try again for half a minute
            info = huggingface_hub.HfApi(token=token).model_info(name, revision=revision, timeout=20)
            files, revision = {each.rfilename for each in info.siblings or ()}, info.sha
    except GatedRepoError:
        remedy = f"accept them on https://hf.co/{name}, and type `hf auth login`"
        raise UserError(f"{name} has conditions for its users; {remedy}.") from None
    except RevisionNotFoundError:
        raise UserError(f"{name} has no revision {revision!r}.") from None
    except RepositoryNotFoundError:
        raise UserError(
            f"{name} is no folder here and no public model of the hub; for a private one, type `hf auth login` first."
        ) from None
    except Exception as error:  # the network and the hub can raise anything
        failure, options["local_files_only"] = _first_line(error), True
    if not {CONFIG, WEIGHTS} <= files:
        raise UserError(
            f"{name} is no model of splitvae, which is {CONFIG} and {WEIGHTS}; other files, such as pickles, are not read."
        )
    try:
        download = huggingface_hub.hf_hub_download
        paths = [download(name, file, revision=revision, token=token, **options) for file in (CONFIG, WEIGHTS)]
    except Exception as error:  # as above
        raise UserError(
            f"{name} is no folder here, the hub cannot be asked for it ({failure or _first_line(error)}), and the cache "
            "does not hold it; give the folder of a model or of a run, or check the network."
        ) from None
    return Path(paths[0]).parent


def _first_line(error: Exception) -> str:
    """Returns the first line of an error's message."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
