"""Batches of training images: mirroring, and orders by groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import splitvae
from splitvae import presets
from splitvae.data.mapped import find_origin
from splitvae.training.batches import grouped_epoch_order
from splitvae.training.trainer import Trainer


def test_mirroring_flips_some_images_and_no_others(tiny: dict[str, Any], images: splitvae.Images) -> None:
    config = presets.find_preset("digits-svae", **tiny, mirror=True, precision="32")
    trainer = Trainer(presets.build_vae(config), config.objective, images, config)
    order = trainer.images.epoch_order(0)
    x, _ = trainer.images.batch(order, 0)
    plain = trainer.images.pixels[order.rows[: len(x)]].float() / 255
    flipped = [torch.equal(a, b.flip(2)) for a, b in zip(x, plain, strict=True)]
    straight = [torch.equal(a, b) for a, b in zip(x, plain, strict=True)]
    assert all(f or s for f, s in zip(flipped, straight, strict=True))
    assert 10 < sum(flipped) < 40


@pytest.mark.parametrize("members", [0, 1, 3, 50])
def test_an_order_has_every_image_once_in_groups_of_one_label(members: int) -> None:
    labels = torch.randint(0, 4, (103,), generator=torch.Generator().manual_seed(0))
    rows, groups = grouped_epoch_order(labels, members, torch.Generator().manual_seed(1))
    assert groups is not None
    assert rows.sort().values.tolist() == list(range(103))
    for group in groups.unique():
        assert len(labels[rows[groups == group]].unique()) == 1
    if members:
        sizes = groups.unique_consecutive(return_counts=True)[1]  # members of a group follow one another
        assert sizes.max() <= members
        assert (sizes == members).sum() == (labels.bincount() // members).sum()


def test_orders_follow_from_the_seed_and_differ_between_epochs() -> None:
    labels = torch.arange(60) % 3
    first, again, other = (grouped_epoch_order(labels, 4, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert first.groups is not None
    assert other.groups is not None
    assert torch.equal(first.rows, again.rows)
    # Silenced: these orders have groups.
    company = [{frozenset(o.rows[o.groups == g].tolist()) for g in range(15)} for o in (first, other)]
    assert len(company[0]) == 15
    assert len(company[0] & company[1]) < 3  # groups are composed anew, not only shuffled


def test_whole_groups_leave_out_the_remaining_images() -> None:
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2])
    order = grouped_epoch_order(labels, 2, torch.Generator().manual_seed(0), whole_groups=True)
    assert len(order.rows) == 8
    for start in range(0, 8, 4):
        _, group = order.part(start, 4)
        assert group is not None
        assert group.members == 2


def test_a_batch_cuts_a_group_in_two() -> None:
    order = grouped_epoch_order(torch.zeros(10, dtype=torch.int64), 5, torch.Generator().manual_seed(0))
    _, group = order.part(3, 4)
    assert group is not None
    assert group.sizes.sort().values.tolist() == [2, 2]


def test_pairs_are_held_out_whole(tiny: dict[str, Any], images: splitvae.Images) -> None:
    pairs = splitvae.Images(images.pixels[:60], labels=torch.arange(60) // 2, source="pairs")
    options = tiny | {"validation": 6, "latent": "adaptive", "latent_dim": 4, "batch_size": 6, "split": 1}
    for seed in range(5):
        config = presets.find_preset("digits-svae", **options | {"seed": seed})
        trainer = Trainer(presets.build_vae(config), config.objective, pairs, config).images
        assert (len(trainer), trainer.held_out_count) == (54, 6)
        assert sorted(trainer.held_out_order().rows.tolist()) == list(range(6))
        assert sorted(trainer.epoch_order(0).rows.tolist()) == trainer.training_rows.tolist()  # all have their partner


def test_training_copies_no_pixels_and_holds_out_the_same_images(tiny: dict[str, Any], images: splitvae.Images) -> None:
    config = presets.find_preset("digits-svae", **tiny | {"validation": 30})
    trainer = Trainer(presets.build_vae(config), config.objective, images, config).images
    assert trainer.pixels.data_ptr() == images.pixels.data_ptr()
    assert (len(trainer), trainer.held_out_count) == (len(images) - 30, 30)
    shuffled = torch.randperm(len(images), generator=torch.Generator().manual_seed(config.training.seed))
    assert sorted(trainer.epoch_order(0).rows.tolist()) == sorted(shuffled[30:].tolist())
    held_out = torch.cat([x for x, _ in trainer.held_out_batches()])
    assert torch.equal(held_out, images.pixels[shuffled[:30].sort().values].float() / 255)


def test_a_training_from_a_file_is_that_from_memory(
    tiny: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for i in range(60):
        Image.fromarray(rng.integers(0, 256, (24, 24), np.uint8)).save(tmp_path / f"{i:02}.png")
    options = {**tiny, "shape": (1, 32, 32), "pad": 4, "epochs": 1, "batch_size": 10, "preview_every": 0}
    runs = []
    for cache in (False, True):
        loaded = splitvae.load(tmp_path, side=24, cache=cache)
        assert (find_origin(loaded.pixels) is not None) == cache
        runs.append(splitvae.train("digits-svae", loaded, out=tmp_path / str(cache), progress=False, **options))
    memory, file = runs
    assert memory.vae.fingerprint() == file.vae.fingerprint()
    assert memory.training_sha256 == file.training_sha256
