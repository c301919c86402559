"""Several processes that train one run: equal to one process, an exact resume, Ctrl-C and a kill that reach only one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

import splitvae
from splitvae.errors import UserError

# One script, since each start of Python takes seconds. Of three processes, since two gradients have the same sum in either
# order.
SCRIPT = """
import hashlib, json, os, signal, sys, time
import torch, splitvae
from splitvae.errors import UserError
from splitvae.training import trainer
from splitvae.training.batches import TrainingImages
from splitvae.training.interrupts import Interrupted
from splitvae.training.trainer import Trainer
from splitvae.utils.processes import print_error

out, rank = sys.argv[1], os.environ.get("LOCAL_RANK", "0")
trainer.CHECK_EVERY_STEPS = 4
common = dict(width=4, embedding=16, latent_dim=4, validation=25, preview_every=0)
common |= dict(devices=3, accelerator="cpu", precision="32", progress=False)
settings = common | dict(batch_size=16, mirror=True, epochs=3)
digits = splitvae.load("digits", side=16)
images = splitvae.Images(digits.pixels[:325], None, (), "digits", "train", ())

def write(name, value):
    open(f"{out}/{name}-{rank}", "w").write(json.dumps(value))

# Without noise and without statistics of batches: the same as one process with the joined batch.
batch, rows = TrainingImages.batch, []

def recorded(self, order, start):
    if torch.is_grad_enabled():
        rows.append(order.rows[start : start + self.batch_size].tolist())
    return batch(self, order, start)

TrainingImages.batch = recorded
splitvae.train("digits-svae", images, out=f"{out}/joined", **common | json.loads(sys.argv[2]))
TrainingImages.batch = batch
write("rows", rows)

def train(name, **options):
    return splitvae.train("digits-svae", images, out=f"{out}/{name}", **settings, **options)

# Ctrl-C in the second process.
train("whole")
step = Trainer.train_step

def interrupted(self, x, group=None):
    step(self, x, group)
    if rank == "1" and self.step == 7:
        os.kill(os.getpid(), signal.SIGINT)
    if self.step == 8:
        weights = torch.cat([p.detach().flatten() for p in self.vae.parameters()])
        write("weights", hashlib.sha256(weights.numpy().data).hexdigest())

Trainer.train_step = interrupted
try:
    train("parts")
except Interrupted as interrupt:
    write("stopped", [interrupt.step, os.path.exists(f"{out}/parts/state.ckpt")])
Trainer.train_step = step
train("parts", resume=True)

# The second process is killed.
def killed(self, x, group=None):
    step(self, x, group)
    if rank == "1" and self.step == 7:
        write("killed", time.time())
        os.kill(os.getpid(), signal.SIGKILL)

Trainer.train_step = killed
try:
    train("lost")
except UserError as error:
    print_error(str(error), error.raised_by_all)  # as the command line does
    sys.exit(error.status)
"""
DETERMINISTIC = {"loss": "rae", "latent": "deterministic", "norm": "group", "epochs": 2}


class Outcome(NamedTuple):
    """What the three processes left: the folder, the exit status and the messages of the first, and when it ended."""

    folder: Path
    status: int
    errors: str
    ended: float

    def read(self, name: str) -> list[Any]:
        """What each process that wrote it found."""
        files = [self.folder / f"{name}-{rank}" for rank in range(3)]
        return [json.loads(file.read_text()) for file in files if file.exists()]


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("three")
    script = folder / "three.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(folder), json.dumps(DETERMINISTIC | {"batch_size": 50})]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        _, errors = process.communicate(timeout=400)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return Outcome(folder, process.returncode, errors, time.time())


def test_processes_have_different_images_and_together_an_epoch(three: Outcome) -> None:
    rows = three.read("rows")
    epochs = []
    for epoch in (0, 1):  # of two steps of 50 images in each process
        seen = [row for own in rows for batch in own[2 * epoch : 2 * epoch + 2] for row in batch]
        assert len(seen) == len(set(seen)) == 300
        epochs.append(set(seen))
    assert epochs[0] == epochs[1]  # all but those that are held out


def test_a_step_of_three_processes_is_that_of_one_with_the_joined_batch(three: Outcome, tmp_path: Path) -> None:
    digits = splitvae.Images(splitvae.load("digits", side=16).pixels[:325], None, (), "digits", "train", ())
    settings = DETERMINISTIC | {"batch_size": 150, "width": 4, "embedding": 16, "latent_dim": 4, "validation": 25}
    one = splitvae.train(
        "digits-svae", digits, out=tmp_path / "one", progress=False, preview_every=0, precision="32", **settings
    )
    joined = splitvae.Run(three.folder / "joined")
    for row, expected in zip(joined.history, one.history, strict=True):
        own = {"seconds", "images_per_second", "spread"}  # the spread is that of images in one process
        assert {k: row[k] for k in row.keys() - own} == pytest.approx({k: expected[k] for k in expected.keys() - own}, 1e-3)
    # The first moment of Adam is the mean of the gradients so far.
    moments = [
        torch.cat([v["exp_avg"].flatten() for v in state["optimizers"]["vae"]["state"].values()])
        for state in (torch.load(run.path / "state.ckpt", weights_only=True) for run in (joined, one))
    ]
    torch.testing.assert_close(moments[0], moments[1], rtol=0, atol=1e-3 * float(moments[1].abs().max()))


def test_resuming_within_an_epoch_is_the_uninterrupted_run_bit_for_bit_in_three_processes(
    same: Callable[[Any, Any], bool], three: Outcome
) -> None:
    # Ctrl-C reached the second process at step 7 alone; all stopped at the next check, after the checkpoint was written.
    assert three.read("stopped") == [[8, True]] * 3
    assert len(three.read("weights")) == 3 and len(set(three.read("weights"))) == 1  # at that step
    whole, parts = (torch.load(three.folder / name / "state.ckpt", weights_only=True) for name in ("whole", "parts"))
    assert same(whole, parts)
    runs = [splitvae.Run(three.folder / name) for name in ("whole", "parts")]
    assert runs[0].vae.fingerprint() == runs[1].vae.fingerprint()
    assert [row["epoch"] for row in runs[1].history] == [1, 2, 3]


def test_another_number_of_processes_cannot_continue_a_run(three: Outcome, images: splitvae.Images) -> None:
    message = r"state.ckpt was written by 3 processes, and now there is 1; .* Type devices=3"
    with pytest.raises(UserError, match=message):
        splitvae.train("digits-svae", images, out=three.folder / "parts", resume=True, progress=False, devices=1, epochs=4)


def test_a_process_that_is_killed_ends_the_others_with_a_sentence_and_the_checkpoint(three: Outcome) -> None:
    assert three.status == 1, three.errors
    assert three.ended - three.read("killed")[0] < 60
    assert three.errors.count("splitvae: another process of this training has ended") == 1
    assert "with resume=True and out=" in three.errors
    assert "Traceback" not in three.errors
    assert torch.load(three.folder / "lost" / "state.ckpt", weights_only=True)["epoch"] == 1
