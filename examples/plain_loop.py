"""A training loop of your own, around any objective of splitvae.

python examples/plain_loop.py elbo        # or rae, intro, soft-intro
"""

import sys
from functools import partial

import torch

import splitvae


def train(vae: splitvae.VAE, objective: splitvae.Objective, pixels: torch.Tensor, epochs: int) -> None:
    """Trains a model on bytes (N, C, H, W)."""
    batch_size = 50
    steps = len(pixels) // batch_size
    loss = objective.build(steps)
    optimizers = {player: torch.optim.Adam(weights, lr=5e-4, eps=1e-7) for player, weights in loss.players(vae).items()}
    vae.train()
    for epoch in range(epochs):
        order = torch.randperm(len(pixels))
        for i in range(steps):
            x = pixels[order[i * batch_size : (i + 1) * batch_size]].to(vae.device) / 255
            # Each player makes one step of its own: "vae" for most objectives, "encoder" and "decoder" for IntroVAE.
            for player, value in loss(vae, x, step=epoch * steps + i):
                optimizers[player].zero_grad()
                value.backward()
                optimizers[player].step()
        print(f"epoch {epoch + 1}: " + ", ".join(f"{name} {float(value):.4g}" for name, value in loss.logs.items()))
    # BatchNorm's averages follow slowly (momentum .999, as in the paper's code), so they are computed anew at the end.
    batches = (x.to(vae.device) / 255 for x in pixels[:1000].split(batch_size))
    passes = (partial(loss.make_passes, vae, x, None, epochs * steps - 1) for x in batches)
    splitvae.networks.recompute_batchnorm(vae, passes)
    vae.eval()


def main(objective: str = "elbo", epochs: int = 3, width: int = 8, count: int = 1600) -> splitvae.VAE:
    """Trains a small Split-VAE on the digits of scikit-learn with the default weights of an objective."""
    torch.manual_seed(0)
    images = splitvae.as_images(splitvae.load("digits"), (1, 16, 16))
    vae = splitvae.VAE(images.shape, latent_dim=16, split=2, width=width, scales=2)
    train(vae, splitvae.objectives.OBJECTIVES[objective](), images.pixels[:count], epochs)
    return vae


if __name__ == "__main__":
    canvas = main(*sys.argv[1:2]).sample(16)
    print("samples:", tuple(canvas.image.shape), "maps:", tuple(canvas.masks.shape))
