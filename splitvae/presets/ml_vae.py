"""Presets of the Multi-Level VAE, whose images are in groups (docs/groups.md).

| preset              | network and origin of the settings                                                               |
| ------------------- | ------------------------------------------------------------------------------------------------ |
| `mnist-ml-vae`      | the paper's dense network; what else keeps the digit out of the style was found by measurements   |
| `mnist-ml-vae-conv` | convolutions, with all weights of independence; `--split 2` makes it a split Multi-Level VAE     |
| `celeba-ml-vae`     | faces whose content is their attributes; no weight of independence, see docs/groups.md           |

Where two members of a group give evidence (`evidence_members`), the content of a single image is what training needs:
many members would hide the errors of each other.
"""

from __future__ import annotations

from ..config import Config, Data, Training
from ..models.latents import Grouped
from ..models.vae import Model
from ..networks.dense import Dense
from ..networks.strided import InfoGAN
from ..objectives.elbo import ELBO
from ..objectives.variance import Fixed

__all__ = ["ml_vae_presets"]


def ml_vae_presets(mnist: Config, celeba: Config) -> dict[str, Config]:
    """Returns the presets by name.

    Arguments:
        mnist: The preset of the Split-VAE for MNIST.
        celeba: The preset of the Split-VAE for CelebA.
    """
    dense = Config(
        data=Data("mnist"),
        model=Model(
            (1, 28, 28), latent_dim=20, split=1, net=Dense(embedding=500), latent=Grouped(content_dim=10, head_units=500)
        ),
        objective=ELBO(variance=Fixed(v=0.5), independence=40),
        training=Training(epochs=48, batch_size=128, schedule="cosine"),
    )
    conv = mnist.override(
        net=InfoGAN(width=16, embedding=256),
        split=1,
        latent_dim=18,
        latent=Grouped(content_dim=10, head_units=256, evidence_members=2),
        loss=ELBO(
            variance=Fixed(v=0.15),
            independence=20,
            independence_steps=500,
            independence_moments=5,
            independence_pairs=3000,
        ),
        epochs=24,
        batch_size=256,
        schedule="cosine",
    )
    faces = celeba.override(
        group_by="Bangs,Eyeglasses,Smiling,No_Beard",
        net=InfoGAN(width=16, embedding=256),
        split=1,
        latent_dim=48,
        latent=Grouped(content_dim=12, head_units=256, evidence_members=2),
        loss=ELBO(variance=Fixed(v=0.15)),
        epochs=20,
        batch_size=128,
        schedule="cosine",
    )
    return {
        "mnist-ml-vae": dense,
        "mnist-ml-vae-conv": conv,
        "celeba-ml-vae": faces,
    }
