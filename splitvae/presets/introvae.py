"""IntroVAE and Soft-IntroVAE on the data sets of the other presets, and where their settings come from.

| preset                 | settings                                                                                       |
| ---------------------- | ---------------------------------------------------------------------------------------------- |
| `introvae-readme-low`  | a run of the README of yukunchen113's public code: 256 pixels, 500,000 steps, beta .05         |
| `introvae-readme-high` | the other run there, beta .75                                                                  |
| `mnist-intro`          | measured (docs/introspection.md): one epoch of plain VAE, then alpha of the paper and a margin |
| `celeba64-intro`       | of 2 to 3 nats a latent variable, more than twice what a plain VAE's images have               |
| `mnist-soft-intro`     | the same networks, beta_rec half that beta, and beta_neg = 2 pixels / latent variables, at     |
| `celeba64-soft-intro`  | which exponentials fade where a latent variable has somewhat more than one nat                 |

The README does not name its images; here they are CelebA's, whose largest square is 178 pixels. Its run of beta .05 is one
that its own pictures show dying, between steps 134,000 and 145,000. The networks of the others are beta-VAE's: strides in
place of halvings, so that two CPU cores carry them, and no BatchNorm, which would see images and fakes in batches apart.
"""

from __future__ import annotations

from dataclasses import replace

from ..config import Config, Training
from ..networks.introvae import PlainIntroVAE
from ..networks.strided import BetaVAE
from ..objectives.introvae import Intro
from ..objectives.soft_introvae import SoftIntro

__all__ = ["introvae_presets"]


def introvae_presets(mnist: Config, celeba: Config) -> dict[str, Config]:
    """Returns the presets by name, made from the Split-VAE's for the two data sets."""
    low = celeba.override(net=PlainIntroVAE(width=16), split=1, latent_dim=512, loss=Intro(beta=0.05, margin=500))
    low = low.override(shape=(3, 256, 256), crop=178, mirror=False, batch_size=32, lr=1e-4, epochs=98)
    digits = replace(
        mnist.override(net=BetaVAE(), split=1),
        objective=Intro(beta=8, margin=60, vae_epochs=1),
        training=Training(epochs=40, batch_size=128, lr=5e-4),
    )
    faces = replace(
        celeba.override(net=BetaVAE(width=16), split=1, latent_dim=64),
        objective=Intro(beta=5, margin=180, alpha_decoder=0.5, vae_epochs=1),
        training=Training(epochs=6, batch_size=64, lr=5e-4, ema=0.998),
    )
    # The authors' weight gamma = 1e-8 of the reconstruction of fakes is lost in rounding; 0 saves two passes.
    return {
        "introvae-readme-low": low,
        "introvae-readme-high": low.override(beta=0.75, margin=1000),
        "mnist-intro": digits,
        "mnist-soft-intro": replace(digits, objective=SoftIntro(beta_rec=4, beta_neg=64, gamma=0, vae_epochs=1)),
        "celeba64-intro": faces,
        "celeba64-soft-intro": replace(faces, objective=SoftIntro(beta_rec=2.5, beta_neg=384, gamma=0, vae_epochs=1)),
    }
