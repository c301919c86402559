"""Any objective of splitvae as a LightningModule.

pip install pytorch-lightning
python examples/lightning_module.py elbo        # or rae, intro, soft-intro
"""

import sys
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

import splitvae


class ObjectiveModule(pl.LightningModule):
    """A model and an objective. Each player of the objective has an optimizer, so optimization is manual."""

    def __init__(self, vae: splitvae.VAE, objective: splitvae.Objective, lr: float = 5e-4) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.vae, self.loss, self.lr, self.steps = vae, objective.build(), lr, 0
        self.players = self.loss.players(vae)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.Adam(parameters, lr=self.lr, eps=1e-7) for parameters in self.players.values()]

    def training_step(self, batch: torch.Tensor, index: int) -> None:
        found = self.optimizers()
        optimizers = dict(zip(self.players, found if isinstance(found, list) else [found], strict=True))
        for player, value in self.loss(self.vae, batch / 255, step=self.steps):
            optimizers[player].zero_grad()
            self.manual_backward(value)
            optimizers[player].step()
        self.steps += 1
        self.log_dict(self.loss.logs, prog_bar=True)

    def on_train_end(self) -> None:
        # BatchNorm's averages follow slowly (momentum .999, as in the paper's code), so they are computed anew.
        batches = (batch.to(self.device) / 255 for batch in self.trainer.train_dataloader)
        passes = (partial(self.loss.make_passes, self.vae, x, None, self.steps - 1) for x in batches)
        splitvae.networks.recompute_batchnorm(self.vae, passes)


def main(objective: str = "elbo", width: int = 8, **options: Any) -> ObjectiveModule:
    """Trains a small Split-VAE on the digits of scikit-learn; `options` are those of `pl.Trainer`."""
    torch.manual_seed(0)
    images = splitvae.as_images(splitvae.load("digits"), (1, 16, 16))  # a data set of bytes (C, H, W)
    vae = splitvae.VAE(images.shape, latent_dim=16, split=2, width=width, scales=2)
    module = ObjectiveModule(vae, splitvae.objectives.OBJECTIVES[objective]())
    loader = DataLoader(images, batch_size=50, shuffle=True, drop_last=True)
    pl.Trainer(**{"max_epochs": 3} | options).fit(module, loader)
    return module


if __name__ == "__main__":
    print("samples:", tuple(main(*sys.argv[1:2]).vae.eval().sample(16).image.shape))
