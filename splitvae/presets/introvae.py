"""Presets of IntroVAE and Soft-IntroVAE, and the origin of their settings.

| preset                 | origin of the settings                                                                        |
| ---------------------- | --------------------------------------------------------------------------------------------- |
| `introvae-readme-low`  | a run in the README of yukunchen113's public code: 256 pixels, 500,000 steps, beta = .05      |
| `introvae-readme-high` | the other run in that README: beta = .75                                                      |
| `mnist-intro`          | measurements (docs/introspection.md): an epoch of the plain VAE, then the paper's alpha, and  |
| `celeba64-intro`       | a margin of 2 to 3 nats for each latent variable, more than twice the KL in a plain VAE       |
| `mnist-soft-intro`     | the same networks, beta_rec = beta / 2, and beta_neg = 2 pixels / latent_dim, with which      |
| `celeba64-soft-intro`  | exponentials nearly vanish if fakes have more than one nat for each latent variable           |

The README does not name its images; here they are those of CelebA, whose largest square has 178 pixels. Its pictures show
that the run with beta = .05 collapsed between steps 134,000 and 145,000. The other presets have the network of beta-VAE for
two reasons: it has strides in place of poolings, which makes it fast enough for two CPU cores, and it has no BatchNorm,
which would compute different statistics for images and for fakes.
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
    """Returns the presets by name.

    Arguments:
        mnist: The preset of the Split-VAE for MNIST.
        celeba: The preset of the Split-VAE for CelebA.
    """
    low = celeba.override(net=PlainIntroVAE(width=16), split=1, latent_dim=512, loss=Intro(beta=0.05, margin=500))
    low = low.override(shape=(3, 256, 256), crop=178, batch_size=32, lr=1e-4, epochs=98)
    digits = replace(
        mnist.override(net=BetaVAE(), split=1),
        objective=Intro(beta=8, margin=60, vae_epochs=1),
        training=Training(epochs=40, batch_size=128, lr=5e-4),
    )
    faces = replace(
        celeba.override(net=BetaVAE(width=16), split=1, latent_dim=64, mirror=True),
        objective=Intro(beta=5, margin=180, alpha_decoder=0.5, vae_epochs=1),
        training=Training(epochs=6, batch_size=64, lr=5e-4, ema=0.998),
    )
    # gamma = 1e-8, the authors' weight of the reconstruction of fakes, has no effect beyond rounding; 0 saves two passes.
    return {
        "introvae-readme-low": low,
        "introvae-readme-high": low.override(beta=0.75, margin=1000),
        "mnist-intro": digits,
        "mnist-soft-intro": replace(digits, objective=SoftIntro(beta_rec=4, beta_neg=64, gamma=0, vae_epochs=1)),
        "celeba64-intro": faces,
        "celeba64-soft-intro": replace(faces, objective=SoftIntro(beta_rec=2.5, beta_neg=384, gamma=0, vae_epochs=1)),
    }
