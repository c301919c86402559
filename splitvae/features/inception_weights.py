"""Weights of the Inception networks: where they come from, and how they are read.

A published file is looked for in the cache, else downloaded to it, and its hash compared with the published one either
way. A file given by hand need not be the published one: the names and shapes of its tensors must agree.

**.pth** is a state dict as `torch.save` writes it, read by `weights_only`, which executes no code.

**.h5** is what Keras writes, in one of two layouts:

    layer_names = [..., "conv2d_3", ...]; conv2d_3/ with weight_names = ["conv2d_3/kernel:0"]   Keras 1 and 2, .h5
    layers/conv2d_3/vars/0                                                                      Keras 3, .weights.h5

The first may lie in model_weights/. Names are not what layers are known by: Keras pairs the k-th layer of a file with the
k-th of the model, both listed by their distance from the output, and numbers layers anew in the second layout. Kernels
are (rows, columns, inputs, outputs), and a normalisation is beta, moving mean, moving variance.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import urllib.request
from collections.abc import Collection, Iterable, Mapping, Sequence
from http.client import HTTPException
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from ..utils.download import cache_dir
from ..utils.files import atomic_write

__all__ = ["KERAS_WEIGHTS", "TF2015_WEIGHTS", "PublishedFile", "find_weights", "read_keras_h5", "read_state_dict"]


_TIMEOUT = 20  # seconds without a byte


_READ_ERRORS = (OSError, RuntimeError, ValueError, TypeError, AttributeError, LookupError, EOFError)  # of damaged files


_KERAS_TENSORS = {  # of each kind of layer Keras's tensors, and what they are called here
    "conv2d": {"kernel": "conv.weight"},
    "batch_normalization": {"beta": "bn.bias", "moving_mean": "bn.running_mean", "moving_variance": "bn.running_var"},
}


_NOT_KERAS = "it is no Inception network of Keras's."


class PublishedFile(NamedTuple):
    """A file as published."""

    url: str
    algorithm: str  # a name of hashlib's
    digest: str  # the beginning of its hash, in hex


TF2015_WEIGHTS = PublishedFile(
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    "sha256",
    "6726825d",
)


KERAS_WEIGHTS = PublishedFile(
    "https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/"
    "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "md5",
    "bcbd6486424b2319ff4ef7d526e38f63",
)


# ---------------------------------------------------------------- where they come from


def find_weights(published: PublishedFile, given: Path | None = None) -> tuple[Path, bool]:
    """The file to read: that given, else the published one; and whether it has the published hash.

    Raises:
        UserError: if the file cannot be read, if what is in the cache is damaged, or if it cannot be downloaded; the
            message says what to put where.
    """
    target = given or cache_dir() / "inception" / published.url.rpartition("/")[2]
    if given is None and not target.exists():
        _download(published, target)
    try:
        with target.open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.new(published.algorithm, usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise UserError(f"{target} cannot be read: {error.strerror}.") from None
    same = found.startswith(published.digest)
    if given is None and not same:
        raise UserError(
            f"{target} is damaged: its {published.algorithm} begins with {found[:8]} instead of {published.digest[:8]}; "
            "delete it to download it again."
        )
    return target, same


def _download(published: PublishedFile, target: Path) -> None:
    try:
        with urllib.request.urlopen(published.url, timeout=_TIMEOUT) as answer:
            content = answer.read()
        found = hashlib.new(published.algorithm, content, usedforsecurity=False).hexdigest()
        reason = "" if found.startswith(published.digest) else f"its {published.algorithm} is {found}"
    except (OSError, HTTPException) as error:
        reason = str(getattr(error, "reason", None) or error)
    if reason:
        raise UserError(
            f"Cannot download Inception's weights ({reason}): get {published.url} where there is a network and put it at "
            f"{target}, or give it where it is: --inception-weights FILE."
        )
    with atomic_write(target) as draft:
        draft.write_bytes(content)


# ---------------------------------------------------------------- how they are read


def read_state_dict(file: Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors in a checkpoint of PyTorch's, float32, called and shaped as `expected`.

    Counts of batches (num_batches_tracked) are passed over.

    Raises:
        UserError: if the file is no checkpoint, holds more than tensors, or lacks, adds or misshapes one.
    """
    cure = "write one by torch.save(model.state_dict(), FILE)."
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, *_READ_ERRORS) as error:
        if code := re.search(r"GLOBAL (\S+)", str(error)):
            raise UserError(
                f"{file} holds {code[1]} beside tensors, and was not read, since to read it would execute code; {cure}"
            ) from None
        raise UserError(f"{file} is no checkpoint of tensors, or is damaged; {cure}") from None
    if not isinstance(state, Mapping) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise UserError(f"{file} holds a {type(state).__name__} instead of tensors by name; {cure}")
    state = {name: value for name, value in state.items() if not name.endswith(".num_batches_tracked")}
    if missing := [name for name in expected if name not in state]:
        raise UserError(
            f"{file} lacks {_count_and_names(missing)} of {len(expected)} tensors: it is no Inception network of 2015."
        )
    if added := [name for name in state if name not in expected]:
        raise UserError(f"{file} holds {_count_and_names(added)} tensors too many: it is no Inception network of 2015.")
    for name, value in state.items():
        _check_tensor(file, name, value, expected[name].shape)
    return {name: state[name].detach().float() for name in expected}


def read_keras_h5(file: Path, expected: Mapping[str, Tensor], order: Sequence[str]) -> dict[str, Tensor]:
    """The tensors of Keras's Inception network in an .h5 file, float32, called and shaped as `expected`.

    Arguments:
        order: the layers' names, each a convolution and its normalisation, in Keras's order.

    Raises:
        UserError: if h5py is not installed, the file is none of Keras's, or its tensors are others than expected.
    """
    layers = _keras_layers(file)
    state: dict[str, Tensor] = {}
    for kind, parts in _KERAS_TENSORS.items():
        found = [name for name in layers if re.fullmatch(rf"{kind}(_\d+)?", name)]
        if len(found) != len(order):
            raise UserError(f"{file} holds {len(found)} layers {kind} instead of {len(order)}: {_NOT_KERAS}")
        for ours, theirs in zip(order, found, strict=True):
            if len(layers[theirs]) != len(parts):
                raise UserError(
                    f"{file} holds {len(layers[theirs])} tensors of {theirs} instead of {len(parts)}: {_NOT_KERAS}"
                )
            for (what, part), value in zip(parts.items(), layers[theirs], strict=True):
                shape = expected[f"{ours}.{part}"].shape
                _check_tensor(file, f"{theirs}/{what}", value, shape[2:] + shape[1::-1] if len(shape) == 4 else shape)
                state[f"{ours}.{part}"] = value.permute(3, 2, 0, 1).contiguous() if len(shape) == 4 else value
    return state


def _keras_layers(file: Path) -> dict[str, list[Tensor]]:
    """The tensors of each layer in a file of Keras's, float32, in its order of layers."""
    try:
        h5py: Any = import_module("h5py")
    except ImportError:
        raise UserError(f"{file} is read by h5py, which is not installed: pip install h5py.") from None
    try:
        with h5py.File(file, "r") as content:
            root = content.get("model_weights", content)
            if "layer_names" in root.attrs:
                layers = {name: root[name] for name in _decode_names(root.attrs["layer_names"])}
                return {
                    name: [_dataset_to_tensor(layer[weight]) for weight in _decode_names(layer.attrs["weight_names"])]
                    for name, layer in layers.items()
                }
            layers = {name: root["layers"][name]["vars"] for name in sorted(root["layers"], key=_trailing_number)}
            return {name: [_dataset_to_tensor(layer[k]) for k in sorted(layer, key=int)] for name, layer in layers.items()}
    except _READ_ERRORS:
        raise UserError(f"{file} is no .h5 file of Keras's weights, or is damaged.") from None


def _dataset_to_tensor(dataset: Any) -> Tensor:
    return torch.from_numpy(np.asarray(dataset[()], np.float32))


def _decode_names(names: Iterable[str | bytes]) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else name for name in names]


def _trailing_number(layer: str) -> int:
    """The number at the end of a name, 0 where there is none."""
    match = re.search(r"_(\d+)$", layer)
    return int(match[1]) if match else 0


def _check_tensor(file: Path, name: str, value: Tensor, shape: Sequence[int]) -> None:
    if tuple(value.shape) != tuple(shape):
        raise UserError(f"{name} in {file} has the shape {tuple(value.shape)} instead of {tuple(shape)}.")
    if not value.is_floating_point() or not value.isfinite().all():
        raise UserError(f"{name} in {file} holds values that are not finite floats.")


def _count_and_names(names: Collection[str]) -> str:
    """How many, and the first three.

    >>> _some(["a", "b", "c", "d"])
    '4 (a, b, c, ...)'
    """
    return f"{len(names)} ({', '.join([*list(names)[:3], *(['...'] if len(names) > 3 else [])])})"
