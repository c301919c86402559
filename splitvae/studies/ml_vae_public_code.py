"""What the best-known public code of the Multi-Level VAE does differently: its first weights, and its released ones.

The code cuts the gradient of the class code, so that the heads of the content keep their first, random weights. How it
measures them stands in ml_vae_public_probes.py.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..config import Config
from ..errors import UserError
from ..models.latents import GroupedHead
from ..models.vae import VAE
from ..presets.build import build_vae
from ..utils.random_streams import fixed_seed

__all__ = ["build_untrained", "describe_released", "initialise_as_public_code", "load_released"]

WEIGHT_STD = 0.05  # of the first weights

RELEASED_LAYERS = {  # files of the public code, with the names of their layers and ours
    "encoder": {
        "linear_model.linear_1": "encoder.features.hidden",
        "style_mu": "encoder.latent.style_mean",
        "style_logvar": "encoder.latent.style_logvar",
        "class_mu": "encoder.latent.content_mean",
        "class_logvar": "encoder.latent.content_logvar",
    },
    "decoder": {"linear_model.linear_1": "decoder.hidden", "linear_model.linear_2": "decoder.head"},
}
KINDS = ("weight", "bias")


def initialise_as_public_code(vae: VAE) -> None:
    """Draws the weights of all dense layers from N(0, 0.05^2), sets biases to 0, and freezes the heads of the content."""
    for layer in vae.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=WEIGHT_STD)
            nn.init.zeros_(layer.bias)
    cast(GroupedHead, vae.encoder.latent).train_content = False


def build_untrained(config: Config) -> VAE:
    """Returns a model of the public code with the weights that its training begins with, in evaluation mode."""
    with fixed_seed(config.training.seed):
        vae = build_vae(config)
        initialise_as_public_code(vae)
    return vae.eval()


def load_released(folder: Path, name: str, config: Config) -> VAE:
    """Returns a model that the public code's authors trained, from the files that they published, in evaluation mode.

    Arguments:
        folder: The folder with the files encoder_NAME_var_reparam and decoder_NAME_var_reparam.
        name: The standard deviation in the files' names, "1" or "0.1".
        config: The config of our model of the same kind.

    Raises:
        UserError: If a file is missing, or does not hold these weights.
    """
    state: dict[str, Tensor] = {}
    for part, layers in RELEASED_LAYERS.items():
        file = folder / f"{part}_{name}_var_reparam"
        if not file.is_file():
            raise UserError(
                f"{file} does not exist; give the folder of the public code's checkpoints, encoder_1_var_reparam "
                "and three others."
            )
        try:
            given = torch.load(file, weights_only=True, map_location="cpu")
            state |= {f"{ours}.{kind}": given[f"{theirs}.{kind}"] for theirs, ours in layers.items() for kind in KINDS}
        except Exception as error:  # torch.load raises errors of many types for a file of other content
            raise UserError(
                f"{file} does not hold the weights of the public code ({type(error).__name__}); download it again."
            ) from None
    vae = build_vae(config)
    try:
        vae.load_state_dict(state)
    except RuntimeError:
        raise UserError(
            f"the weights in {folder} have other sizes than the public code's network; download them again."
        ) from None
    return vae.eval()


def describe_released(folder: Path) -> dict[str, Any]:
    """Returns the folder of the released files, and the SHA-256 of each file that begins with encoder or decoder."""
    files = sorted(file for part in RELEASED_LAYERS for file in folder.glob(f"{part}_*_var_reparam"))
    return {"folder": str(folder), "sha256": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}}
