"""A run: a folder that can be moved or mailed.

    config.json         what was asked for        history.jsonl    one row an epoch
    model/              the model                 state.ckpt       everything an exact resume needs
    samplers/           fitted samplers           figures/         pictures
    evaluation.json     measurements              report.html      all of it on one page
    good.ckpt           the last state that no alarm spoke against, of trainings that may die (alarms.py)

Nothing in it is a pickle that runs code: weights are safetensors, the state is read with `weights_only=True`.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

from .config import Config
from .data.geometry import resize
from .data.images import Images
from .data.sources import load
from .errors import UserError
from .models.codes import Codes, encode
from .models.vae import VAE
from .utils.files import atomic_write, read_json, write_json
from .utils.machine import default_device

PROVENANCE = ("splitvae", "parameters")  # entries of config.json that are no settings

__all__ = ["Run", "images_for"]


class Run:
    """A training's folder and what is in it.

    Arguments:
        path: The folder.

    Raises:
        UserError: For a folder that holds no run, a damaged config.json, or one of a newer format.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        file = self.path / "config.json"
        if not file.is_file():
            raise UserError(
                f"{self.path} holds no run (config.json is missing); `splitvae train PRESET --out {self.path}` makes one."
            )
        values = read_json(file)
        if not isinstance(values, dict):
            raise UserError(f"{file} is damaged (no settings in it); restore it or train the run anew.")
        settings = {name: value for name, value in values.items() if name not in PROVENANCE}
        try:
            self.config = Config.from_json(settings)
        except UserError as error:
            raise UserError(f"{file} {error}") from None
        except (TypeError, ValueError, AttributeError) as error:
            raise UserError(f"{file} is damaged ({error}); restore it or train the run anew.") from None
        self._images: dict[str, Images] = {}

    @staticmethod
    def begin(path: str | os.PathLike[str], config: Config, counts: dict[str, int]) -> Run:
        """Makes a folder into a new run and returns it.

        Arguments:
            path: The folder, which is empty or does not exist.
            config: The settings.
            counts: The numbers of parameters of the model.

        Raises:
            UserError: For a folder in use.
        """
        folder = Path(path)
        if (folder / "config.json").exists():
            raise UserError(f"{folder} already holds a run; continue it with --resume, or give another folder with --out.")
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f"{folder} exists and is no run; give another folder with --out.")
        _write_config(folder, config, counts)
        return Run(folder)

    def reconfigure(self, config: Config, counts: dict[str, int]) -> None:
        """Writes changed settings."""
        _write_config(self.path, config, counts)
        self.config = config

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @cached_property
    def vae(self) -> VAE:
        """The model, on this machine's accelerator where there is one, in evaluation mode."""
        folder = self.path / "model"
        if not (folder / "model.safetensors").is_file():
            raise UserError(f"{self.path} has no model yet; `splitvae train --out {self.path} --resume` trains it.")
        try:
            vae = VAE(**read_json(folder / "config.json"))
            vae.load_state_dict(load_file(folder / "model.safetensors"))
            return vae.eval().to(default_device())
        except UserError:
            raise
        except Exception as error:  # a damaged file may fail in any of three libraries
            raise UserError(f"{folder} is damaged ({str(error).splitlines()[0]}); resume or train the run anew.") from None

    def save_model(self, vae: VAE) -> None:
        """Writes the model, each file in one piece."""
        folder = self.path / "model"
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: value.detach().cpu().contiguous() for name, value in vae.state_dict().items()}
        with atomic_write(folder / "model.safetensors") as draft:
            draft.write_bytes(to_bytes(tensors))
        write_json(folder / "config.json", vae._hub_mixin_config)
        self.__dict__.pop("vae", None)

    @property
    def history(self) -> list[dict[str, Any]]:
        """One row an epoch, as in history.jsonl."""
        file = self.path / "history.jsonl"
        if not file.exists():
            return []
        rows = file.read_text(encoding="utf-8").splitlines()
        try:
            return [json.loads(row) for row in rows if row]
        except ValueError:
            raise UserError(f"{file} is damaged; delete it, the run goes on without.") from None

    @property
    def evaluation(self) -> dict[str, Any]:
        """What was measured, as in evaluation.json; empty if nothing was."""
        file = self.path / "evaluation.json"
        try:
            return read_json(file) if file.exists() else {}
        except UserError:
            raise UserError(f"{file} is damaged; delete it, and `splitvae evaluate {self.path}` measures anew.") from None

    def images(self, split: str = "train", data: str | None = None) -> Images:
        """Images in the network's shape: the run's own to train on ("train") or measure on ("test"), or others."""
        if data is not None:
            return images_for(self.config.override(data=data), split)
        if split not in self._images:
            if self.config.data.source is None:
                raise UserError(f"{self.path} was trained on images from memory; say which to read with --data.")
            self._images[split] = images_for(self.config, split)
        return self._images[split]

    def remember(self, split: str, images: Images) -> None:
        """Keeps images in memory, in the network's shape, so that they are not read again."""
        self._images[split] = images

    def codes(self, split: str = "train") -> Codes:
        """Posterior means and log-variances of its images, on the CPU."""
        return encode(self.vae, self.images(split))


def _write_config(folder: Path, config: Config, counts: dict[str, int]) -> None:
    """Writes config.json: the settings, the version that wrote them, and the numbers of parameters."""
    write_json(folder / "config.json", {"splitvae": version("splitvae"), **config.to_json(), "parameters": counts})


def images_for(config: Config, split: str) -> Images:
    """Reads one part of a configuration's images, padded and resized to its shape."""
    data, shape = config.data, config.model.shape
    assert data.source is not None
    side = channels = None
    if shape is not None:
        side = shape[1] - 2 * data.pad
        # Training images must fit the network by themselves; a test part of gray images alone may stand beside colour.
        channels = None if split == "train" else shape[0]
    images = load(data.source, split, side=side, crop=data.crop, channels=channels)
    return match_config(images, config)


def match_config(images: Images, config: Config) -> Images:
    """Returns images in the shape of a configuration; raises UserError where gray meets colour."""
    shape, pad = config.model.shape, config.data.pad
    if shape is None:
        return images
    if images.shape[0] != shape[0]:
        have = {1: "gray", 3: "colour"}
        network = config.preset or "the network"
        raise UserError(
            f"{images.source} holds {have[images.shape[0]]} images ({images.shape[0]} channels), {network} generates "
            f"{have.get(shape[0], 'images')} of {shape[0]}; type --shape {images.shape[0]} {shape[1]} {shape[2]} "
            "to build the network for them."
        )
    channels, side, _ = shape
    inner = resize(images.pixels, (channels, side - 2 * pad, side - 2 * pad))
    return dataclasses.replace(images, pixels=resize(inner, shape, pad))


def group_runs_by_seed(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Runs by name: a folder of seed-N runs is one group, a run one by itself."""
    groups: dict[str, list[Path]] = {}
    for path in paths:
        seeds = sorted(path.glob("seed-*/config.json"), key=lambda file: (len(file.parent.name), file.parent.name))
        alone = (path / "config.json").exists() or not seeds
        groups.setdefault(str(path), []).extend([path] if alone else [file.parent for file in seeds])
    return groups
