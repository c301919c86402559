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
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

from .config import Config
from .data.images import Images
from .data.resize import resize
from .data.sources import load
from .errors import UserError, nearest
from .models.codes import Codes, encode
from .models.vae import VAE
from .utils.files import atomic_write, read_json, write_json
from .utils.machine import default_device

__all__ = ["Run", "images_for"]


class Run:
    """Opens the run in a folder; raises UserError where there is none."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not (self.path / "config.json").is_file():
            raise UserError(
                f"{self.path} holds no run (config.json is missing); `splitvae train PRESET --out {self.path}` makes one."
            )
        values = read_json(self.path / "config.json")
        if not isinstance(values, dict):
            raise UserError(f"{self.path}/config.json is damaged (no settings in it); restore it or train the run anew.")
        known = {f.name for f in dataclasses.fields(Config)}
        values.pop("parameters", None)
        for name in values:
            if name not in known:
                raise UserError(f"{self.path}/config.json has a field {name!r} unknown here; {nearest(name, known)}")
        if values.get("shape"):
            values["shape"] = tuple(values["shape"])
        try:
            self.config = Config(**values)
        except TypeError as error:
            raise UserError(f"{self.path}/config.json is damaged ({error}); restore it or train the run anew.") from None
        self._images: dict[str, Images] = {}

    @staticmethod
    def begin(path: str | os.PathLike[str], config: Config, counts: dict[str, int]) -> Run:
        """Makes a folder into a new run."""
        folder = Path(path)
        if (folder / "config.json").exists():
            raise UserError(f"{folder} already holds a run; continue it with --resume, or give another folder with --out.")
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f"{folder} exists and is no run; give another folder with --out.")
        write_json(folder / "config.json", {**dataclasses.asdict(config), "parameters": counts})
        return Run(folder)

    def reconfigure(self, config: Config, counts: dict[str, int]) -> None:
        """Writes a changed config."""
        write_json(self.path / "config.json", {**dataclasses.asdict(config), "parameters": counts})
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
            return images_for(dataclasses.replace(self.config, data=data), split)
        if split not in self._images:
            if self.config.data is None:
                raise UserError(f"{self.path} was trained on images from memory; say which to read with --data.")
            self._images[split] = images_for(self.config, split)
        return self._images[split]

    def remember(self, split: str, images: Images) -> None:
        """Keeps images in memory, in the network's shape, so that they are not read again."""
        self._images[split] = images

    def codes(self, split: str = "train") -> Codes:
        """Posterior means and log-variances of its images, on the CPU."""
        return encode(self.vae, self.images(split))


def images_for(config: Config, split: str) -> Images:
    """Reads the part of a config's images, padded and resized to its shape."""
    assert config.data is not None
    side = channels = None
    if config.shape is not None:
        side = config.shape[1] - 2 * config.pad
        # Training images must fit the network by themselves; a test part of gray images alone may stand beside colour.
        channels = None if split == "train" else config.shape[0]
    images = load(config.data, split, side=side, crop=config.crop, channels=channels)
    return fitted(images, config)


def fitted(images: Images, config: Config) -> Images:
    """Images in the shape of a config; raises UserError where gray meets colour."""
    if config.shape is None:
        return images
    if images.shape[0] != config.shape[0]:
        have = {1: "gray", 3: "colour"}
        asked = config.preset or "the network"
        raise UserError(
            f"{images.source} holds {have[images.shape[0]]} images ({images.shape[0]} channels), {asked} paints "
            f"{have.get(config.shape[0], 'images')} of {config.shape[0]}; type --shape {images.shape[0]} "
            f"{config.shape[1]} {config.shape[2]} to build the network for them."
        )
    channels, side, _ = config.shape
    inner = resize(images.pixels, (channels, side - 2 * config.pad, side - 2 * config.pad))
    return dataclasses.replace(images, pixels=resize(inner, config.shape, config.pad))


def grouped(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Runs by name: a folder of seed-N runs is one group, a run one by itself."""
    groups: dict[str, list[Path]] = {}
    for path in paths:
        seeds = sorted(path.glob("seed-*/config.json"), key=lambda file: (len(file.parent.name), file.parent.name))
        alone = (path / "config.json").exists() or not seeds
        groups.setdefault(str(path), []).extend([path] if alone else [file.parent for file in seeds])
    return groups
