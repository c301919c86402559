"""Tensors in .h5 files that Keras wrote, in one of two layouts.

    layer_names = [..., "conv2d_3", ...]; conv2d_3/ with weight_names = ["conv2d_3/kernel:0"]   Keras 1 and 2, .h5
    layers/conv2d_3/vars/0                                                                      Keras 3, .weights.h5

The first may lie in model_weights/. A layer of it may be a model; then its weights are those of the model's layers, first
the trainable ones of all and then the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError

__all__ = ["READ_ERRORS", "read_keras_layers", "read_nested_keras_layers", "trailing_number"]

READ_ERRORS = (OSError, RuntimeError, ValueError, TypeError, AttributeError, LookupError, EOFError)  # of damaged files


def read_keras_layers(file: Path) -> dict[str, list[Tensor]]:
    """Returns the tensors of each layer, of both layouts, as float32, in the file's order of layers.

    Raises:
        UserError: If h5py is not installed, or Keras did not write the file.
    """
    h5py = _import_h5py(file)
    try:
        with h5py.File(file, "r") as content:
            root = content.get("model_weights", content)
            if "layer_names" in root.attrs:
                layers = {name: root[name] for name in _decode_names(root.attrs["layer_names"])}
                return {
                    name: [_to_tensor(layer[weight]) for weight in _decode_names(layer.attrs["weight_names"])]
                    for name, layer in layers.items()
                }
            layers = {name: root["layers"][name]["vars"] for name in sorted(root["layers"], key=trailing_number)}
            return {name: [_to_tensor(layer[k]) for k in sorted(layer, key=int)] for name, layer in layers.items()}
    except READ_ERRORS:
        raise UserError(f"{file} is no .h5 file of Keras's weights, or is damaged.") from None


def read_nested_keras_layers(file: Path) -> dict[str, dict[str, Tensor]]:
    """Returns the tensors of each layer by their names, such as "kernel", as float32; of the first layout.

    Layers of models within the model are layers as the others are. The order is that of the file.

    Raises:
        UserError: If h5py is not installed, or the file does not have this layout.
    """
    h5py = _import_h5py(file)
    layers: dict[str, dict[str, Tensor]] = {}
    try:
        with h5py.File(file, "r") as content:
            root = content.get("model_weights", content)
            for group in _decode_names(root.attrs["layer_names"]):
                for weight in _decode_names(root[group].attrs["weight_names"]):
                    *_, layer, name = weight.split("/")
                    layers.setdefault(layer, {})[name.partition(":")[0]] = _to_tensor(root[group][weight])
    except READ_ERRORS:
        raise UserError(
            f"{file} is no legacy .h5 file of Keras's weights, or is damaged; model.save_weights('x.h5') of Keras 2, or "
            "model.save('x.h5') of Keras 3, writes one."
        ) from None
    return layers


def trailing_number(name: str) -> int:
    """Returns the number at the end of a name, such as 3 of "conv2d_3"; 0 if there is none."""
    match = re.search(r"_(\d+)$", name)
    return int(match[1]) if match else 0


def _import_h5py(file: Path) -> Any:
    if not file.is_file():
        wrong = "is a folder" if file.is_dir() else "does not exist"
        raise UserError(f"{file} {wrong}; give a file of Keras's weights.")
    try:
        return import_module("h5py")
    except ImportError:
        raise UserError(
            f"{file} is read by h5py, which is not installed: `pip install h5py`, or the extra keras."
        ) from None


def _to_tensor(dataset: Any) -> Tensor:
    return torch.from_numpy(np.asarray(dataset[()], np.float32))


def _decode_names(names: Iterable[str | bytes]) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else name for name in names]
