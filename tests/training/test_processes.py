"""Several processes that train one run: an exact resume, and Ctrl-C that reaches only one of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import splitvae

SCRIPT = """
import os, signal, sys
import splitvae
from splitvae.training import trainer
from splitvae.training.interrupts import Interrupted
from splitvae.training.trainer import Trainer

out, rank = sys.argv[1], os.environ.get("LOCAL_RANK", "0")
trainer.CHECK_EVERY_STEPS = 4
settings = dict(width=4, embedding=16, latent_dim=4, batch_size=16, validation=25, preview_every=0, mirror=True)
settings |= dict(devices=3, accelerator="cpu", precision="32", epochs=3, progress=False)
digits = splitvae.load("digits", side=16)
images = splitvae.Images(digits.pixels[:325], None, (), "digits", "train", ())

def train(name, **options):
    splitvae.train("digits-svae", images, out=f"{out}/{name}", **settings, **options)

train("whole")
step = Trainer.train_step

def interrupted(self, x, group=None):
    step(self, x, group)
    if rank == "1" and self.step == 7:
        os.kill(os.getpid(), signal.SIGINT)

Trainer.train_step = interrupted
try:
    train("parts")
except Interrupted as interrupt:
    open(f"{out}/stopped-{rank}", "w").write(f"{interrupt.step} {os.path.exists(out + '/parts/state.ckpt')}")
Trainer.train_step = step
train("parts", resume=True)
"""


def test_resuming_within_an_epoch_is_the_uninterrupted_run_bit_for_bit_in_three_processes(
    same: Callable[[Any, Any], bool], tmp_path: Path
) -> None:
    script = tmp_path / "three.py"
    script.write_text(SCRIPT)
    process = subprocess.run([sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, timeout=400)
    assert process.returncode == 0, process.stderr
    # Three processes, since two gradients have the same sum in either order.
    # Ctrl-C reached the second process at step 7 alone; all stopped at the next check, after the checkpoint was written.
    assert [(tmp_path / f"stopped-{rank}").read_text() for rank in (0, 1, 2)] == ["8 True"] * 3
    whole, parts = (torch.load(tmp_path / name / "state.ckpt", weights_only=True) for name in ("whole", "parts"))
    assert same(whole, parts)
    assert splitvae.Run(tmp_path / "whole").vae.fingerprint() == splitvae.Run(tmp_path / "parts").vae.fingerprint()
    assert [row["epoch"] for row in splitvae.Run(tmp_path / "parts").history] == [1, 2, 3]
