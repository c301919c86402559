"""Checkpoint files: damage, full disks, and the good checkpoint."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import splitvae
from splitvae.errors import UserError
from splitvae.training import checkpoints

Train = Callable[..., splitvae.Run]  # the type of the fixtures that train


def test_a_full_disk_leaves_the_last_checkpoint_whole(
    train: Train, images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(images, tmp_path / "run", epochs=1)
    before = (tmp_path / "run" / "state.ckpt").read_bytes()

    def full(self: Path, content: Any) -> int:
        with open(self, "wb") as half:
            half.write(bytes(content)[:1000])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(UserError, match="No space left on device"):
            train(images, tmp_path / "run", epochs=2, resume=True)
    assert (tmp_path / "run" / "state.ckpt").read_bytes() == before
    assert not [f for f in (tmp_path / "run").iterdir() if f.name.startswith(".")]
    assert len(train(images, tmp_path / "run", epochs=2, resume=True).history) == 2


def test_reading_a_checkpoint_executes_no_code(train: Train, tmp_path: Path, images: splitvae.Images) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "sprung",))

    train(images, tmp_path / "run", epochs=1)
    torch.save(Trap(), tmp_path / "run" / "state.ckpt")
    with pytest.raises(UserError, match=r"state\.ckpt holds getattr beside tensors, and was not read.* execute code"):
        train(images, tmp_path / "run", epochs=2, resume=True)
    assert not (tmp_path / "sprung").exists()


def test_a_good_checkpoint_is_a_link_and_survives_the_next_checkpoint(healthy: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(healthy, out)
    run = splitvae.Run(out)
    checkpoints.mark_good(run.path)
    assert (out / "good.ckpt").samefile(out / "state.ckpt")
    checkpoints.mark_good(run.path)  # again, from itself
    before = (out / "good.ckpt").read_bytes()
    (out / "next").write_bytes(b"the next state")
    os.replace(out / "next", out / "state.ckpt")
    assert (out / "good.ckpt").read_bytes() == before
    assert not [f for f in out.iterdir() if f.name.startswith(".")]
