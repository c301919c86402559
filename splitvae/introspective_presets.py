"""IntroVAE and Soft-IntroVAE on the data sets of the other presets, and where their settings come from.

| preset                 | settings                                                                                       |
| ---------------------- | ---------------------------------------------------------------------------------------------- |
| `introvae-readme-low`  | a run of the README of yukunchen113's public code: 256 pixels, 500,000 steps, beta .05         |
| `introvae-readme-high` | the other run there, beta .75                                                                  |
| `mnist-intro`          | first guesses: alpha of the paper, beta 2 (the official code's weight 1), a margin above the   |
| `celeba64-intro`       | images' own KL at that beta                                                                    |
| `mnist-soft-intro`     | the authors' for MNIST, with the beta_neg they later advised                                   |
| `celeba64-soft-intro`  | first guesses: the authors' for faces of 256 pixels, with their beta_neg of 128                |

The README does not name its images; here they are CelebA's, whose largest square is 178 pixels. Its run of beta .05 is one
that its own pictures show dying, between steps 134,000 and 145,000. On MNIST the network is the Split-VAE's, so that runs
compare with the other presets; on CelebA it is the official IntroVAE's.
"""

from __future__ import annotations

from dataclasses import replace

from .config import Config

__all__ = ["introspective"]


def introspective(mnist: Config, celeba: Config) -> dict[str, Config]:
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
    faces = replace(celeba, net="intro", split=1, width=32, latent_dim=128, loss="intro", beta=2, margin=100)
    faces = replace(faces, batch_size=64, lr=2e-4, epochs=80)
    # Their weight 1e-8 of the fakes' reconstruction is lost in rounding; 0 saves two passes of the decoder.
    soft_digits, soft_faces = (replace(c, loss="soft-intro", beta=1, margin=10, gamma=0) for c in (digits, faces))
    return {
        "introvae-readme-low": low,
        "introvae-readme-high": replace(low, beta=0.75, margin=1000),
        "mnist-intro": digits,
        "mnist-soft-intro": replace(soft_digits, beta_neg=128),
        "celeba64-intro": faces,
        "celeba64-soft-intro": replace(soft_faces, width=64, beta_kl=0.5),
    }
