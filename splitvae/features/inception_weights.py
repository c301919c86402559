"""Weights of the Inception networks: where they come from, and how they are read.

A published file is taken from the cache, or else downloaded to it. Its hash is compared with the published one in both
cases. A file that the user gives need not be the published one: the names and shapes of its tensors must agree.

**.pth** is a state dict as `torch.save` writes it. It is read with `weights_only`, which executes no code.

**.h5** is what Keras writes, in one of two layouts:

    layer_names = [..., "conv2d_3", ...]; conv2d_3/ with weight_names = ["conv2d_3/kernel:0"]   Keras 1 and 2, .h5
    layers/conv2d_3/vars/0                                                                      Keras 3, .weights.h5

The first may lie in model_weights/. Layers are not identified by their names: Keras pairs the k-th layer of a file with
the k-th of the model, both listed by their distance from the output, and numbers layers anew in the second layout. Kernels
are (rows, columns, inputs, outputs), and a normalisation is beta, moving mean, moving variance.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import UserError, setting
from ..utils.download import Checksum, cache_dir, fetch
from ..utils.files import code_beside_tensors
from ..utils.keras_h5 import READ_ERRORS, read_keras_layers

__all__ = ["KERAS_WEIGHTS", "TF2015_WEIGHTS", "PublishedFile", "find_weights", "read_keras_h5", "read_state_dict"]

_KERAS_TENSORS = {  # for each kind of layer the names of Keras's tensors, and what they are called here
    "conv2d": {"kernel": "conv.weight"},
    "batch_normalization": {"beta": "bn.bias", "moving_mean": "bn.running_mean", "moving_variance": "bn.running_var"},
}

_NOT_KERAS = "it is no Inception network of Keras's."


class PublishedFile(NamedTuple):
    """The address and the checksum of a published file."""

    url: str
    checksum: Checksum


TF2015_WEIGHTS = PublishedFile(
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    Checksum("sha256", "6726825d"),
)

KERAS_WEIGHTS = PublishedFile(
    "https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/"
    "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
    Checksum("md5", "bcbd6486424b2319ff4ef7d526e38f63"),
)


# ---------------------------------------------------------------- where they come from


def find_weights(published: PublishedFile, given: Path | None = None) -> tuple[Path, bool]:
    """Returns the file to read, and whether it has the published hash.

    Arguments:
        published: The published file, which is downloaded if the cache lacks it and none is given.
        given: A file that the user gives instead.

    Raises:
        UserError: If the file cannot be read, the file in the cache is damaged, or it cannot be downloaded. The message
            says which file to put where.
    """
    checksum = published.checksum
    target = given or cache_dir() / "inception" / published.url.rpartition("/")[2]
    if given is None and not target.exists():
        fetch(
            [published.url],
            target,
            checksum,
            title="Inception's weights",
            advice=f"get {published.url} where there is a network and put it at {target}, or give it where it is: "
            f"{setting('inception_weights', 'FILE')}.",
        )
    try:
        digest = checksum.compute(target.read_bytes())
    except OSError as error:
        raise UserError(f"{target} cannot be read: {error.strerror}.") from None
    is_published = digest.startswith(checksum.digest)
    if given is None and not is_published:
        raise UserError(
            f"{target} is damaged: its {checksum.algorithm} begins with {digest[:8]} instead of {checksum.digest[:8]}; "
            "delete it to download it again."
        )
    return target, is_published


# ---------------------------------------------------------------- how they are read


def read_state_dict(file: Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Reads the tensors of a state dict that PyTorch wrote, as float32 with the names and shapes of `expected`.

    Counts of batches (num_batches_tracked) are ignored.

    Raises:
        UserError: If the file is no state dict, holds more than tensors, or lacks, adds or misshapes one.
    """
    remedy = "write one by torch.save(model.state_dict(), FILE)."
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, *READ_ERRORS) as error:
        if code := code_beside_tensors(error):
            raise UserError(
                f"{file} holds {code} beside tensors, and was not read, since to read it would execute code; {remedy}"
            ) from None
        raise UserError(f"{file} is no checkpoint of tensors, or is damaged; {remedy}") from None
    if not isinstance(state, Mapping) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise UserError(f"{file} holds a {type(state).__name__} instead of tensors by name; {remedy}")
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
    """Reads the tensors of Keras's Inception network, as float32 with the names and shapes of `expected`.

    Arguments:
        file: An .h5 file that Keras wrote.
        expected: Tensors of the names and shapes to return.
        order: The names of the layers, each a convolution with its normalisation, in Keras's order.

    Raises:
        UserError: If h5py is not installed, Keras did not write the file, or its tensors are not the expected ones.
    """
    layers = read_keras_layers(file)
    state: dict[str, Tensor] = {}
    for kind, tensor_names in _KERAS_TENSORS.items():
        keras_names = [name for name in layers if re.fullmatch(rf"{kind}(_\d+)?", name)]
        if len(keras_names) != len(order):
            raise UserError(f"{file} holds {len(keras_names)} layers {kind} instead of {len(order)}: {_NOT_KERAS}")
        for layer, keras_layer in zip(order, keras_names, strict=True):
            values = layers[keras_layer]
            if len(values) != len(tensor_names):
                raise UserError(
                    f"{file} holds {len(values)} tensors of {keras_layer} instead of {len(tensor_names)}: {_NOT_KERAS}"
                )
            for (keras_name, name), value in zip(tensor_names.items(), values, strict=True):
                shape = expected[f"{layer}.{name}"].shape
                keras_shape = shape[2:] + shape[1::-1] if len(shape) == 4 else shape
                _check_tensor(file, f"{keras_layer}/{keras_name}", value, keras_shape)
                state[f"{layer}.{name}"] = value.permute(3, 2, 0, 1).contiguous() if len(shape) == 4 else value
    return state


def _check_tensor(file: Path, name: str, value: Tensor, shape: Sequence[int]) -> None:
    """Raises UserError if a tensor has another shape, or holds values that are not finite floats."""
    if tuple(value.shape) != tuple(shape):
        raise UserError(f"{name} in {file} has the shape {tuple(value.shape)} instead of {tuple(shape)}.")
    if not value.is_floating_point() or not value.isfinite().all():
        raise UserError(f"{name} in {file} holds values that are not finite floats.")


def _count_and_names(names: Collection[str]) -> str:
    """Returns how many names there are, and the first three.

    >>> _count_and_names(["a", "b", "c", "d"])
    '4 (a, b, c, ...)'
    """
    return f"{len(names)} ({', '.join([*list(names)[:3], *(['...'] if len(names) > 3 else [])])})"
