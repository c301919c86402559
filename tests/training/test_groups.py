"""Training on images in groups: every split, network and variance; resuming; images that cannot be grouped; figures."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import splitvae
from splitvae import presets
from splitvae.errors import UserError
from splitvae.figures import groups as group_figures
from splitvae.figures.run import draw_run
from splitvae.models.codes import Codes
from splitvae.networks.base import Network
from splitvae.networks.registry import NETWORKS
from splitvae.objectives.variance import VARIANCES
from splitvae.presets.images import match_config
from splitvae.runs import Run
from splitvae.training.trainer import Trainer

Sized = Callable[..., Network]  # the fixture that makes a network of given sizes

TINY = {"width": 4, "embedding": 16, "latent_dim": 6, "batch_size": 24, "epochs": 2, "preview_every": 0, "precision": "32"}
TINY |= {"accelerator": "cpu", "latent": "grouped"}


@pytest.fixture(scope="module")
def digits() -> splitvae.Images:
    images = splitvae.load("digits")
    return dataclasses.replace(images, pixels=images.pixels[:300], labels=images.labels[:300], source="array")


@pytest.fixture(scope="module")
def faces() -> splitvae.Images:
    """Colour images of 64x64 with two attributes, as CelebA's, the first of which decides their brightness."""
    draws = torch.Generator().manual_seed(0)
    attributes = torch.randint(0, 2, (60, 2), generator=draws)
    pixels = torch.randint(0, 100, (60, 3, 64, 64), dtype=torch.uint8, generator=draws)
    pixels += (attributes[:, 0] * 100).to(torch.uint8)[:, None, None, None]
    return splitvae.Images(pixels, attributes, ("Smiling", "Hat"), "array", "train", ())


@pytest.mark.parametrize("net", NETWORKS)
@pytest.mark.parametrize("split", [1, 2])
def test_every_network_and_split_learns_from_groups(net: str, split: int, sized: Sized) -> None:
    side = 32 if net.startswith("intro") else 16
    torch.manual_seed(0)
    vae = splitvae.VAE((1, side, side), 6, split, sized(net, width=4, scales=2, kernel=4, embedding=16), "grouped")
    x, labels = torch.rand(6, 1, side, side), torch.tensor([0, 0, 5, 5, 5, -3])
    for name in VARIANCES:
        vae.zero_grad()
        for _, loss in splitvae.ELBO(variance=name, ambiguity=0.1, smoothness=0.1)(vae, x, labels):
            loss.backward()
        assert [n for n, p in vae.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


@pytest.mark.parametrize(("members", "draw_as"), [(4, "group"), (0, "sample")])
def test_a_resumed_run_is_the_uninterrupted_one(
    digits: splitvae.Images, tmp_path: Path, members: int, draw_as: str
) -> None:
    fields = {**TINY, "group_members": members, "content_draw": draw_as}
    whole = splitvae.train("digits-svae", digits, out=tmp_path / "whole", progress=False, **fields)
    splitvae.train("digits-svae", digits, out=tmp_path / "halves", progress=False, **fields | {"epochs": 1})
    halves = splitvae.train("digits-svae", digits, out=tmp_path / "halves", progress=False, resume=True, epochs=2)
    assert whole.vae.fingerprint() == halves.vae.fingerprint()
    last, last_resumed = ({k: v for k, v in run.history[-1].items() if "second" not in k} for run in (whole, halves))
    assert last == last_resumed
    assert {"kl_style", "kl_content", "val_loss"} <= last.keys()


@pytest.mark.parametrize("objective", [splitvae.ELBO(), splitvae.Intro(beta=10.0, margin=20.0)], ids=lambda o: o.name)
@pytest.mark.parametrize("members", [0, 4])
def test_the_validation_loss_is_in_the_units_of_the_training_loss(
    digits: splitvae.Images, members: int, objective: splitvae.objectives.Objective
) -> None:
    config = presets.find_preset("digits-svae", **TINY, group_members=members, validation=30)
    trainer = Trainer(presets.build_vae(config), objective, match_config(digits, config), config)
    trainer.images.held_out_rows = trainer.images.training_rows[:100]  # the statistics of the images are the same
    trainer.images.held_out_labels = trainer.images.labels[:100]  # type: ignore[index]  # not None here
    held_out = trainer.validate()
    trainer.loss.eval()
    trainer.vae.eval()
    losses, kls, sizes = [], [], []
    with torch.no_grad():
        for x, group in trainer.batches():
            assert group is not None
            for _ in trainer.loss(trainer.vae, x, group, 0):
                pass
            losses.append(float(trainer.loss.logs["loss"]) * group.total / len(x))
            kls.append(float(trainer.loss.logs["kl"]) * group.total / len(x))
            sizes.append(len(x) / group.total)
    mean_size = sum(sizes) / len(sizes)
    validated = [len(x) / group.total for x, group in trainer.images.held_out_batches() if group is not None]
    assert validated == pytest.approx([mean_size] * len(validated), rel=0.15)
    assert held_out["val_loss"] == pytest.approx(sum(losses) / len(losses), rel=0.08)
    assert held_out["val_kl"] == pytest.approx(sum(kls) / len(kls), rel=0.08)


def test_held_out_images_that_make_smaller_groups_are_noted(digits: splitvae.Images) -> None:
    for validation, members, noted in ((30, 0, False), (20, 0, True), (30, 2, False), (30, 20, True)):
        config = presets.find_preset("digits-svae", **TINY, group_members=members, validation=validation)
        note = Trainer(presets.build_vae(config), config.objective, digits, config).images.note()
        assert ("smaller groups than those of training" in note) == noted


def test_each_epoch_has_new_groups_of_images_of_one_label(digits: splitvae.Images) -> None:
    config = presets.find_preset("digits-svae", **TINY, group_members=4)
    trainer = Trainer(presets.build_vae(config), config.objective, digits, config)
    # Silenced: this trainer has labels.
    pixels = trainer.images.pixels[trainer.images.training_rows]
    label_of = {x.numpy().tobytes(): int(label) for x, label in zip(pixels, trainer.images.labels, strict=True)}
    companies = []
    for epoch in range(2):
        trainer.epoch, trainer.step = epoch, epoch * trainer.steps_per_epoch
        company = set()
        for x, group in trainer.batches():
            assert group is not None
            rows = [(image * 255).round().byte().numpy().tobytes() for image in x]
            for g in range(group.total):
                members = [row for row, of in zip(rows, group.member_of.tolist(), strict=True) if of == g]
                assert len({label_of[row] for row in members}) == 1
                company.add(frozenset(members))
        companies.append(company)
    assert len(companies[0] & companies[1]) < len(companies[0]) / 4


def test_colour_images_are_grouped_by_attributes(faces: splitvae.Images, tmp_path: Path) -> None:
    fields = {**TINY, "split": 2, "batch_size": 16, "epochs": 1, "validation": 6}
    with pytest.raises(UserError, match="group_by='NAME'"):
        splitvae.train(splitvae.Config().override(shape=(3, 64, 64)), faces, out=tmp_path / "a", progress=False, **fields)
    assert not (tmp_path / "a").exists()
    run = splitvae.train(
        splitvae.Config().override(shape=(3, 64, 64)),
        faces,
        out=tmp_path / "b",
        progress=False,
        **fields,
        group_by="Smiling",
    )
    assert run.vae.reconstruct(torch.rand(2, 3, 64, 64)).image.shape == (2, 3, 64, 64)


def test_images_without_labels_are_refused_with_how_to_give_them(digits: splitvae.Images, tmp_path: Path) -> None:
    bare = dataclasses.replace(digits, labels=None, classes=())
    with pytest.raises(UserError, match=r"one subfolder a group.*latent='gaussian'"):
        splitvae.train("digits-svae", bare, out=tmp_path / "run", progress=False, **TINY)
    assert not (tmp_path / "run").exists()


def test_pairs_need_two_of_each_label_and_an_even_batch(digits: splitvae.Images, tmp_path: Path) -> None:
    fields = {**TINY, "latent": "adaptive", "epochs": 1}
    lonely = digits.labels.clone()  # type: ignore[union-attr]  # not None here
    lonely[:] = torch.arange(300) // 2
    lonely[7] = 9999
    with pytest.raises(UserError, match=r"only one image in group"):
        one = dataclasses.replace(digits, labels=lonely, classes=())
        splitvae.train("digits-svae", one, out=tmp_path / "a", progress=False, **fields)
    with pytest.raises(UserError, match="batch_size=26"):
        splitvae.train("digits-svae", digits, out=tmp_path / "b", progress=False, **fields | {"batch_size": 25})
    run = splitvae.train("digits-svae", digits, out=tmp_path / "c", progress=False, **fields)
    assert run.history[-1]["step"] in (10, 11)  # of 270 images at most ten have no partner


def test_the_history_of_pairs_is_in_nats_an_image(digits: splitvae.Images, tmp_path: Path) -> None:
    fields = {**TINY, "latent": "adaptive", "epochs": 1, "validation": 30, "v": 1.0}
    (row,) = splitvae.train("digits-svae", digits, out=tmp_path / "run", progress=False, **fields).history
    constant = 0.5 * 16 * 16 * math.log(2 * math.pi)
    assert row["loss"] == pytest.approx(row["rec"] + row["kl"] + constant, rel=0.005)
    assert row["val_loss"] == pytest.approx(0.5 * 256 * row["val_mse"] + row["val_kl"] + constant, rel=0.02)


def test_a_weight_of_independence_needs_groups() -> None:
    with pytest.raises(UserError, match="latent='grouped'"):
        presets.find_preset("digits-svae", independence=10.0)


@pytest.mark.parametrize("fusion", ["poe", "poe-prior", "mean"])
def test_the_diagonal_of_swaps_is_reconstructions_and_evidence_is_the_groups(fusion: str) -> None:
    torch.manual_seed(0)
    vae = splitvae.VAE((1, 16, 16), 6, net="mlp", latent="grouped", embedding=16, fusion=fusion).eval()
    x, labels = torch.rand(20, 1, 16, 16), torch.arange(20) % 3 + 7
    references = group_figures.select_references(vae, x, labels)
    assert torch.equal(references.images, x[:3])
    decoded = vae.decode(torch.cat((references.style, references.content), 1)).image
    torch.testing.assert_close(decoded, vae.reconstruct(x[:3]).image)
    together = vae.encode(x, labels)
    torch.testing.assert_close(references.evidence, together.mean[:3, 3:])
    figure = group_figures.draw_swaps(vae, references)
    assert figure.get_size_inches().min() > 1
    with pytest.raises(UserError, match="latent='grouped'"):
        group_figures.select_references(splitvae.VAE((1, 16, 16), 6, net="mlp"), x, labels)


def test_swaps_of_independent_styles_show_no_image_of_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    vae = splitvae.VAE((1, 16, 16), 6, net="mlp", latent="grouped", embedding=16).eval()
    x, labels = torch.rand(40, 1, 16, 16), torch.arange(40) % 2
    codes = vae.encode(x).mean.detach().repeat(10, 1)
    flow = splitvae.ConditionalFlow(content_dim=3, width=8, depth=1, epochs=2, batch=50)
    flow.fit(Codes(codes + 0.1 * torch.randn_like(codes), None))
    shown: list[torch.Tensor] = []
    monkeypatch.setattr(group_figures, "tile_images", lambda rows, **_: shown.extend(rows))
    group_figures.draw_swaps(vae, group_figures.select_references(vae, x, labels), flow=flow)
    own = vae.reconstruct(x[:2]).image.detach()
    (_, *above), *rows = shown
    for i, (left, *row) in enumerate(rows):  # with its own content, an independent style gives back the style
        for image in (above[i], left, row[i]):
            torch.testing.assert_close(image, own[i], atol=1e-4, rtol=0)


def test_codes_for_maps_are_means_of_single_images_and_one_draw_for_each_group_of_a_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(group_figures, "EVIDENCE_IMAGES", 10)
    options = {"net": "mlp", "latent": "grouped", "embedding": 16}
    vae = splitvae.VAE((1, 16, 16), 6, **options, group_eps_std=0.0).eval()
    pixels, labels = torch.randint(0, 256, (20, 1, 16, 16), dtype=torch.uint8), torch.arange(20) % 3
    codes = group_figures.collect_codes(vae, pixels, labels)
    x = pixels.float() / 255
    torch.testing.assert_close(torch.cat((codes["style"], codes["content"]), 1), vae.encode(x).mean)
    halves = torch.cat([vae.encode(x[rows], labels[rows]).mean for rows in torch.arange(20).split(10)])
    torch.testing.assert_close(codes["content, with evidence"], halves[:, 3:])
    noisy = splitvae.VAE((1, 16, 16), 6, **options).eval()
    drawn = [group_figures.collect_codes(noisy, pixels, labels, seed)["content, with evidence"] for seed in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    assert len(drawn[0].unique(dim=0)) == 6  # three groups in each of two batches
    with pytest.raises(UserError, match="latent='grouped'"):
        group_figures.collect_codes(splitvae.VAE((1, 16, 16), 6, net="mlp"), pixels, labels)


def test_figures_of_a_grouped_run_show_swaps_and_the_curves_of_its_terms(digits: splitvae.Images, tmp_path: Path) -> None:
    run = splitvae.train("digits-svae", digits, out=tmp_path, progress=False, **TINY | {"epochs": 1})
    run.remember("test", match_config(digits, run.config))
    names = {path.stem for path in draw_run(run)}
    assert {"swaps", "swaps-evidence", "style-interpolations", "content-interpolations", "curves"} <= names
    assert Run(tmp_path).config.model.latent.name == "grouped"
