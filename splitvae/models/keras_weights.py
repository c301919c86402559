r"""The weights of the paper's public code: a legacy .h5 file of its Keras model becomes a `VAE`.

Layers of one kind stand in the file in an order that depends on Keras; the numbers at the end of their names say in which
order they were created, and that is the order of the modules here:

| kind               | encoder                                     | latent              | decoder                         |
| ------------------ | ------------------------------------------- | ------------------- | ------------------------------- |
| Conv2D             | stem; each scale two, a shortcut, a down    |                     | two and a shortcut; the image   |
| Conv2DTranspose    |                                             |                     | one for each doubling           |
| Dense              | two and a shortcut                          | mean, log-variance  | to the embedding, to the map    |
| BatchNormalization | before each layer of a block                |                     | the same                        |

Kernels are (rows, columns, inputs, outputs) in Keras, with inputs and outputs exchanged in a transposed convolution. The
channels of the logits are the map, then the components, as here.

Reference: https://doi.org/10.1109/ACCESS.2022.3185654 and its public code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..networks.residual import Residual
from ..utils.keras_h5 import read_nested_keras_layers, trailing_number
from .vae import VAE

__all__ = ["read_keras_split_vae"]

NOT_A_SPLIT_VAE = "it is not the model of the Split-VAE's public code"
CONVOLUTIONS_PER_SCALE = 4  # of the encoder: two of a residual block, its shortcut, and the next halving
CONVOLUTIONS_PER_DOUBLING = 3  # of the decoder
NAMES = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}

Layers = Sequence[Mapping[str, Tensor]]


def read_keras_split_vae(file: Path) -> VAE:
    """Returns the model in a legacy .h5 file, in evaluation mode; all sizes are read from the file.

    Arguments:
        file: The file, of a network with one residual block of depth two at each scale.

    Raises:
        UserError: If h5py is not installed, Keras did not write the file, or it holds another model.
    """
    layers = read_nested_keras_layers(file)
    kinds = {
        "transposed": _by_number(layers, "conv2d_transpose"),
        "convolutions": _by_number(layers, "conv2d"),
        "dense": _by_number(layers, "dense"),
        "norms": _by_number(layers, "batch_normalization"),
    }
    if unknown := set(layers) - {name for found in kinds.values() for name in found}:
        raise UserError(f"{file} holds the layer {sorted(unknown)[0]}: {NOT_A_SPLIT_VAE}.")
    try:
        vae = _build(**{kind: list(found.values()) for kind, found in kinds.items()})
        _fill(vae, kinds)
    except (KeyError, IndexError, ValueError) as error:
        raise UserError(f"{file}: {NOT_A_SPLIT_VAE}, or it has other blocks ({error}).") from None
    return vae.eval()


def _by_number(layers: Mapping[str, Mapping[str, Tensor]], kind: str) -> dict[str, Mapping[str, Tensor]]:
    """Returns the layers of a kind in the order in which they were created."""
    found = [name for name in layers if name == kind or name.removeprefix(f"{kind}_").isdigit()]
    return {name: layers[name] for name in sorted(found, key=trailing_number)}


def _build(convolutions: Layers, transposed: Layers, dense: Layers, norms: Layers) -> VAE:
    """Returns an untrained model with the sizes of the layers."""
    kernel, _, channels, width = convolutions[0]["kernel"].shape
    halvings, rest = divmod(len(convolutions) - 2 - CONVOLUTIONS_PER_DOUBLING * len(transposed), CONVOLUTIONS_PER_SCALE)
    outputs = convolutions[-1]["kernel"].shape[-1]
    split, remainder = divmod(outputs + 1, channels + 1)
    if rest or remainder or len(dense) != 7:
        counts = f"{len(convolutions)} convolutions, {len(transposed)} transposed ones, {len(dense)} dense layers"
        raise ValueError(f"{counts}, {outputs} outputs")
    embedding, latent_dim = dense[3]["kernel"].shape
    net = Residual(width=width, scales=halvings + 1, kernel=kernel, embedding=embedding)
    side = 4 * 2 ** len(transposed)
    return VAE((channels, side, side), latent_dim, split, net)


def _fill(vae: VAE, kinds: Mapping[str, Mapping[str, Mapping[str, Tensor]]]) -> None:
    """Copies the tensors of the layers to the modules of a model."""
    modules: dict[str, list[nn.Module]] = {kind: [] for kind in kinds}
    for module in _modules(vae):
        modules[_kind_of(module)].append(module)
    for kind, layers in kinds.items():
        for (name, tensors), module in zip(layers.items(), modules[kind], strict=True):
            state = {NAMES.get(key, key): value for key, value in tensors.items()}
            if "kernel" in state:
                state["weight"] = _to_torch(state.pop("kernel"))
            expected = {key: value for key, value in module.state_dict().items() if key != "num_batches_tracked"}
            for key, value in expected.items():
                if state[key].shape != value.shape:
                    raise ValueError(f"{name} has {key} of shape {tuple(state[key].shape)}, not {tuple(value.shape)}")
            module.load_state_dict(state, strict=False)


def _modules(vae: VAE) -> Iterator[nn.Module]:
    """Yields the modules with weights, in the order in which Keras creates its layers."""
    for part in (vae.encoder.features, vae.encoder.latent, vae.decoder):
        for module in part.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.BatchNorm1d | nn.BatchNorm2d):
                yield module


def _kind_of(module: Any) -> str:
    """Returns which kind of Keras's layers a module is."""
    kinds = {nn.ConvTranspose2d: "transposed", nn.Conv2d: "convolutions", nn.Linear: "dense"}
    return next((kind for kind_class, kind in kinds.items() if isinstance(module, kind_class)), "norms")


def _to_torch(kernel: Tensor) -> Tensor:
    """Returns a kernel of Keras with the axes of PyTorch; transposed or not, the last two come first, exchanged."""
    return kernel.T if kernel.dim() == 2 else torch.permute(kernel, (3, 2, 0, 1)).contiguous()
