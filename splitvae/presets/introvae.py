"""Presets of IntroVAE and Soft-IntroVAE, and the origin of their settings.

| preset                   | origin of the settings                                                                      |
| ------------------------ | ------------------------------------------------------------------------------------------- |
| `introvae-readme-low`    | a run in the README of yukunchen113's public code: 256 pixels, 500,000 steps, beta = 0.05   |
| `introvae-readme-high`   | the other run in that README: beta = 0.75                                                   |
| `introvae-readme64-low`  | the same at 64 pixels: beta times 16, the ratio of the pixels, with which the terms of the  |
| `introvae-readme64-high` | loss have the same proportions, so that the margins stay; half the channels                 |
| `mnist-soft-intro`       | measurements (docs/introspection.md): epochs of the plain VAE, a beta at which its latent   |
| `celeba64-soft-intro`    | variables tell something (beta_rec = beta / 2), a rate that falls to zero, averaged weights |
| `mnist-intro`            | the same networks; the margin 1.5 times to twice the KL of images in the plain VAE, and     |
| `celeba64-intro`         | compared with the KL of each image; faces in dense layers up to maps of 16 pixels           |

The README does not name its images; here they are those of CelebA, whose largest square has 178 pixels. Its pictures show
that the run with beta = 0.05 collapsed between steps 134,000 and 145,000. The other presets have a small network for two
CPU cores, whose decoder draws no checkerboards, and which has no BatchNorm: that would compute different statistics for
images and for fakes.
"""

from __future__ import annotations

from dataclasses import replace

from ..config import Config, Training
from ..networks.introvae import PlainIntroVAE
from ..networks.upsampled import Upsampled
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
    small = low.override(shape=(3, 64, 64), net=PlainIntroVAE(width=8), beta=0.05 * 16, epochs=5)
    digits = replace(
        mnist.override(net=Upsampled(), split=1),
        objective=Intro(alpha=0.5, beta=3, margin=24, hinge="sample", vae_epochs=1),
        training=Training(epochs=10, batch_size=128, lr=5e-4, schedule="cosine", ema=0.998),
    )
    faces = replace(
        celeba.override(net=Upsampled(doubling="bilinear", smallest_map=16), split=1, latent_dim=48, mirror=True),
        objective=Intro(alpha=0.5, alpha_decoder=0.25, beta=3, margin_ratio=1.5, hinge="sample", vae_epochs=3),
        training=Training(epochs=8, batch_size=32, lr=5e-4, schedule="cosine", ema=0.998),
    )
    # gamma = 1e-8, the authors' weight of the reconstruction of fakes, has no effect beyond rounding; 0 saves two passes.
    return {
        "introvae-readme-low": low,
        "introvae-readme-high": low.override(beta=0.75, margin=1000),
        "introvae-readme64-low": small,
        "introvae-readme64-high": small.override(beta=0.75 * 16, margin=1000),
        "mnist-intro": digits,
        "mnist-soft-intro": replace(digits, objective=SoftIntro(beta_rec=1.5, beta_neg=160, gamma=0, vae_epochs=1)),
        "celeba64-intro": faces,
        "celeba64-soft-intro": replace(  # faces have coloured specks after more epochs
            faces.override(epochs=6), objective=SoftIntro(beta_rec=3.3, beta_neg=192, gamma=0, vae_epochs=3)
        ),
    }
