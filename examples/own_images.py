"""From arrays of your own to samples: training, codes, a density of the codes, and pictures.

python examples/own_images.py OUT
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import splitvae


def draw_discs(count: int, side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Returns images of discs, uint8 (N, side, side, 3), and the number of the colour of each; put your images here."""
    random = np.random.default_rng(0)
    colours = np.array([(230, 60, 50), (60, 150, 230), (240, 190, 40)], np.uint8)
    labels = random.integers(len(colours), size=count)
    x, y = random.uniform(side / 4, 3 * side / 4, (2, count, 1, 1))
    radius = random.uniform(side / 8, side / 4, (count, 1, 1))
    rows, columns = np.mgrid[:side, :side]
    inside = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
    return np.where(inside[..., None], colours[labels][:, None, None], np.uint8(20)), labels


def main(out: str | Path, count: int = 2000, epochs: int = 10, side: int = 32, **settings: Any) -> splitvae.Run:
    """Trains a Split-VAE on the discs and writes samples beside the run."""
    out = Path(out)
    pixels, labels = draw_discs(count, side)
    # Any images in memory: arrays, images of Pillow, lists of them, with labels or without, data sets of PyTorch.
    images = splitvae.as_images((pixels, labels))
    test, train = images[: count // 10], images[count // 10 :]

    vae = splitvae.VAE(images.shape, split=2, **({"latent_dim": 8, "width": 16} | settings))
    run = splitvae.train(vae, train, splitvae.ELBO(beta=1), out=out / "run", epochs=epochs, validation=count // 20)

    codes = vae.encode(test).mean  # or of one picture: vae.encode(PIL.Image.open("disc.png"))
    error = (vae.reconstruct(test).image - test.pixels / 255).square().mean()
    print(f"codes {tuple(codes.shape)}, error of reconstructions {error:.4f}")

    mixture = splitvae.GaussianMixture(components=10).fit(run.codes("train"))
    samples = vae.decode(mixture.sample(64)).image  # (64, 3, 32, 32) in [0, 1]
    sheet = (samples * 255).round().byte().unflatten(0, (8, 8)).permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    Image.fromarray(sheet.detach().cpu().numpy()).resize((768, 768), Image.Resampling.NEAREST).save(out / "samples.png")
    return run


if __name__ == "__main__":
    print(main(sys.argv[1] if len(sys.argv) > 1 else "runs/discs"))
