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

from ..config import Config

__all__ = ["introvae_presets"]


def introvae_presets(mnist: Config, celeba: Config) -> dict[str, Config]:
    """The presets by name, made from the Split-VAE's for the two data sets."""
    low = replace(
        celeba,
        net="intro-plain",
        split=1,
        shape=(3, 256, 256),
        crop=178,
        mirror=False,
        latent_dim=512,
        width=16,
        loss="intro",
        alpha=0.25,
        beta=0.05,
        margin=500,
        batch_size=32,
        lr=1e-4,
        epochs=98,
    )
    digits = replace(mnist, net="higgins", split=1, width=32, kernel=4, embedding=256, loss="intro", beta=8, margin=60)
    digits = replace(digits, vae_epochs=1, batch_size=128, lr=5e-4, epochs=40)
    faces = replace(digits, data=celeba.data, shape=celeba.shape, pad=0, crop=celeba.crop, mirror=True, components=100)
    faces = replace(faces, width=16, latent_dim=64, beta=5, margin=180, alpha_decoder=0.5, batch_size=64)
    faces = replace(faces, ema=0.998, epochs=6)
    # Their weight 1e-8 of the fakes' reconstruction is lost in rounding; 0 saves two passes of the decoder.
    soft_digits, soft_faces = (
        replace(c, loss="soft-intro", beta_rec=c.beta / 2, gamma=0, beta=1, margin=10, alpha_decoder=None)
        for c in (digits, faces)
    )
    return {
        "introvae-readme-low": low,
        "introvae-readme-high": replace(low, beta=0.75, margin=1000),
        "mnist-intro": digits,
        "mnist-soft-intro": replace(soft_digits, beta_neg=64),
        "celeba64-intro": faces,
        "celeba64-soft-intro": replace(soft_faces, beta_neg=384),
    }
