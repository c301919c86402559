"""A run: the folder of a training and its results, which can be moved to another place.

    config.json         the settings              history.jsonl    one row for each epoch
    model/              the model                 state.ckpt       the last checkpoint, for an exact resume
    samplers/           fitted samplers           good.ckpt        the last checkpoint without an alarm (training/alarms.py)
    evaluation.json     measurements              figures/         pictures
    report.html         all of it on one page     tensorboard/     the history for TensorBoard (training/loggers.py)
    training.lock       exists while a training writes in the folder (utils/lock.py)

No file is a pickle that could run code: weights are safetensors, and checkpoints are read with `weights_only=True`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from .config import Config
from .data.convert import as_images
from .data.geometry import ResizeOptions, crop_and_resize
from .data.images import Images
from .errors import UserError, nearest, setting
from .models.codes import Codes, encode
from .models.pretrained import read_model, write_model
from .models.vae import VAE
from .presets.images import load_for_config
from .run_images import read_images_of_run
from .utils.files import read_json, write_json
from .utils.lock import LOCK
from .utils.machine import default_device, describe_device, describe_versions
from .utils.versions import describe_newer, note_newer, own_version

__all__ = ["Run", "group_runs_by_seed", "open_run"]

NON_SETTINGS = ("splitvae", "parameters", "images", "divided", "changed_by_alarms", "machine")  # of config.json


def open_run(path: str | os.PathLike[str]) -> Run:
    """Opens the run in a folder, and so in one step its model, codes, history, measurements and settings.

        run = splitvae.open_run("runs/first")
        run.vae, run.codes("test"), run.history, run.evaluation, run.config, run.images("test"), run.prepare(photo)

    Nothing is read before it is asked for, except the settings.

    Arguments:
        path: The folder.

    Raises:
        UserError: For a folder that is no run, with the runs that are near, and for a run of a newer version.
    """
    folder = Path(path).expanduser()
    if not (folder / "config.json").is_file():
        if folder.is_file():
            raise UserError(f"{folder} is a file; give the folder of a run, such as {folder.parent}.")
        if not folder.is_dir():
            near = _find_runs(folder.parent)
            hint = nearest(folder.name, near) if near else "`splitvae train` makes runs, in the folder runs."
            raise UserError(f"{folder} does not exist; {hint}")
        if inside := _find_runs(folder):
            raise UserError(f"{folder} is no run, but holds runs; give one of them, such as {folder / inside[0]}.")
    elif (folder / "model.safetensors").is_file():
        raise UserError(f"{folder} is a model without its run; `splitvae.VAE.from_pretrained({str(folder)!r})` reads it.")
    return Run(folder)


def _find_runs(folder: Path) -> list[str]:
    """Returns the names of the runs in a folder."""
    return sorted(file.parent.name for file in folder.glob("*/config.json") if file.parent.name != "model")


class Run:
    """The folder of a training, and access to its files; `splitvae.open_run` opens it.

    Arguments:
        path: The folder.
        config: The settings, if the file names a choice that is in no registry, such as a network of the user's own.

    Raises:
        UserError: For a folder without a run, and a config.json that is damaged or has a newer format.
    """

    def __init__(self, path: str | os.PathLike[str], config: Config | None = None) -> None:
        self.path = Path(path)
        file = self.path / "config.json"
        if not file.is_file():
            raise UserError(
                f"{self.path} holds no run (config.json is missing); `splitvae train PRESET --out {self.path}` makes one."
            )
        values = read_json(file)
        if not isinstance(values, dict):
            raise UserError(f"{file} is damaged (it holds no settings); restore it or train the run anew.")
        settings = {name: value for name, value in values.items() if name not in NON_SETTINGS}
        self.changed_by_alarms: dict[str, list[Any]] = values.get("changed_by_alarms", {})
        try:
            self.config = Config.from_json(settings)
        except UserError as error:
            if config is None:
                raise UserError(f"{file} {error}{describe_newer(values.get('splitvae'))}") from None
            self.config = config
        except (TypeError, ValueError, AttributeError) as error:
            raise UserError(f"{file} is damaged ({error}); restore it or train the run anew.") from None
        note_newer(values.get("splitvae"), file)
        self._images: dict[str, Images] = {}
        self.training_sha256 = str(values.get("images") or "")
        self.divided: int | None = values.get("divided")  # the number of images of which a part was held out as test
        self.machine: dict[str, str] = values.get("machine", {})  # where it was begun: the device, the versions
        self.version = str(values.get("splitvae") or "")  # of splitvae, which wrote the settings

    @staticmethod
    def begin(
        path: str | os.PathLike[str], config: Config, counts: dict[str, int], images: str = "", divided: int | None = None
    ) -> Run:
        """Creates a run in a folder and returns it.

        Arguments:
            path: The folder, which must be empty or not exist.
            config: The settings.
            counts: The numbers of parameters of the model, as `VAE.counts` returns them.
            images: The hash of the training images, as `Images.sha256` returns it.
            divided: The number of images of a source without parts, of which some were held out as test.

        Raises:
            UserError: For a folder that is not empty.
        """
        folder = Path(path)
        if (folder / "config.json").exists():
            raise UserError(f"{folder} already holds a run; give another folder with {setting('out')}.")
        if folder.exists() and (not folder.is_dir() or {file.name for file in folder.iterdir()} - {LOCK}):
            raise UserError(f"{folder} exists and holds no run; give another folder with {setting('out')}.")
        machine = {"device": describe_device(config.hardware.accelerator), "versions": describe_versions()}
        _write_config(folder, config, counts, images, divided, machine=machine)
        return Run(folder, config)

    def reconfigure(self, config: Config, counts: dict[str, int], alarmed: Sequence[str] = (), images: str = "") -> None:
        """Replaces the settings, also in config.json.

        Arguments:
            config: The new settings.
            counts: The numbers of parameters of the model.
            alarmed: The flat names of the settings that an alarm changed; what they were before is kept.
            images: The hash of the training images; "" keeps the present one.
        """
        old, new, known = self.config.options(), config.options(), self.changed_by_alarms
        before = {name: known[name][0] if name in known and known[name][1] == old[name] else old[name] for name in alarmed}
        self.changed_by_alarms = known | {name: [value, new[name]] for name, value in before.items()}
        self.training_sha256 = images or self.training_sha256
        _write_config(self.path, config, counts, self.training_sha256, self.divided, self.changed_by_alarms, self.machine)
        self.config = config

    def begun_config(self) -> Config:
        """Returns the settings without the changes that alarms made; those that a user made later remain."""
        present = self.config.options()
        changed = {name: old for name, (old, new) in self.changed_by_alarms.items() if present.get(name) == new}
        return self.config.override(**changed)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.path.resolve().name

    @cached_property
    def vae(self) -> VAE:
        """The model in evaluation mode, on the accelerator if there is one; UserError if it is missing or damaged."""
        folder = self.path / "model"
        if not (folder / "model.safetensors").is_file():
            raise UserError(
                f"{self.path} has no trained model; `splitvae train --resume --out {self.path}` trains it or writes it "
                "again from the last checkpoint."
            )
        remedy = f"`splitvae train --resume --out {self.path}` writes it again from the last checkpoint."
        return read_model(VAE, folder, remedy).to(default_device())

    def has_model(self) -> bool:
        """Returns whether there is a model that can be read."""
        try:
            return bool(self.vae)
        except UserError:
            return False

    def save_model(self, vae: VAE) -> None:
        """Writes the model, each file in one piece."""
        write_model(vae, self.path / "model")
        self.__dict__.pop("vae", None)

    def remove_model(self) -> None:
        """Removes the model, if there is one."""
        shutil.rmtree(self.path / "model", ignore_errors=True)
        self.__dict__.pop("vae", None)

    @property
    def history(self) -> list[dict[str, Any]]:
        """The rows of history.jsonl, one for each epoch, but for a last row that is cut; empty if there is no file."""
        file = self.path / "history.jsonl"
        if not file.exists():
            return []
        lines = [line for line in file.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        rows = []
        for number, line in enumerate(lines, start=1):
            try:
                rows.append(dict(json.loads(line)))
            except (ValueError, TypeError):
                if number < len(lines):
                    raise UserError(
                        f"{file} is damaged in line {number}; delete it, and `splitvae train --resume --out {self.path}` "
                        "writes it again from the last checkpoint."
                    ) from None
                _say_that_a_row_is_cut(file)
        return rows

    @property
    def evaluation(self) -> dict[str, Any]:
        """The content of evaluation.json; empty if there is no file."""
        file = self.path / "evaluation.json"
        try:
            return read_json(file) if file.exists() else {}
        except UserError:
            raise UserError(f"{file} is damaged; delete it, and `splitvae evaluate {self.path}` measures anew.") from None

    def images(self, part: str = "train", data: str | None = None) -> Images:
        """Returns images in the model's shape; those of the run are read once.

        Arguments:
            part: The part, such as "train" or "test"; see `splitvae.load`.
            data: Another source of images; None is that of the run.

        Raises:
            UserError: If the run was trained on an array, so that it has no source.
        """
        if data is not None:
            return load_for_config(self.config.override(data=data), part)
        if part not in self._images:
            self._images[part] = read_images_of_run(self.path, self.config, part, self.divided, self.training_sha256)
        return self._images[part]

    def push_to_hub(self, to: str, licence: str = "", **options: Any) -> str:
        """Puts the model on the Hugging Face hub with a model card that is written from the run; returns the address.

        Arguments:
            to: The name of the repository, "owner/name".
            licence: The licence of the model, such as "cc-by-4.0", which must be given.
            options: Further arguments of `splitvae.hub.push`, such as `private=True`.
        """
        return str(import_module("splitvae.hub").push(self, to, licence, **options))

    def prepare(self, images: Any) -> Images:
        """Returns images of any kind in memory, cropped, padded and resized as those of the run were, for `vae.encode`.

        Arguments:
            images: The images, as `splitvae.as_images` takes them.
        """
        model, data = self.config.model, self.config.data
        result = as_images(images)
        if data.crop is not None:
            cropped, notes = crop_and_resize(result.pixels, ResizeOptions(crop=data.crop))
            result = dataclasses.replace(result, pixels=cropped, notes=(*result.notes, *notes))
        return as_images(result, model.shape, data.pad)

    @property
    def images_in_memory(self) -> frozenset[str]:
        """The parts whose images were read already."""
        return frozenset(self._images)

    def remember(self, part: str, images: Images) -> None:
        """Keeps the images of a part in memory, so that they are not read again.

        Arguments:
            part: The part.
            images: The images, in the model's shape.
        """
        self._images[part] = images

    def codes(self, part: str = "train") -> Codes:
        """Returns the posterior means and log-variances of the images of a part, on the CPU."""
        return encode(self.vae, self.images(part))


@cache
def _say_that_a_row_is_cut(file: Path) -> None:
    """Prints once that the last row of a history is left out."""
    print(
        f"Note: the last row of {file} is cut, and is left out; {setting('resume', True)} writes it again.", file=sys.stderr
    )


def _write_config(
    folder: Path,
    config: Config,
    counts: dict[str, int],
    images: str,
    divided: int | None,
    changed: Mapping[str, list[Any]] | None = None,
    machine: Mapping[str, str] | None = None,
) -> None:
    """Writes config.json: version, settings, parameters, the hash of the images, what alarms changed, and the machine."""
    others: dict[str, Any] = {"parameters": counts, "images": images, "divided": divided}
    others |= {"changed_by_alarms": changed} if changed else {}
    others |= {"machine": machine} if machine else {}
    write_json(folder / "config.json", {"splitvae": own_version(), **config.to_json(), **others})


def group_runs_by_seed(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Returns the runs in folders, by the path of the folder.

    A folder that is a run is a group of one; a folder of runs seed-0, seed-1, ... is a group of these, in this order.

    Arguments:
        paths: The folders.
    """
    groups: dict[str, list[Path]] = {}
    for path in paths:
        seeds = sorted(path.glob("seed-*/config.json"), key=lambda file: (len(file.parent.name), file.parent.name))
        is_single = (path / "config.json").exists() or not seeds
        groups.setdefault(str(path), []).extend([path] if is_single else [file.parent for file in seeds])
    return groups
