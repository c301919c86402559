"""The trainer: orders, averages, the best weights, statistics of BatchNorm, and precision."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import splitvae
from splitvae import presets
from splitvae.evaluation.diagnostics import saved_epoch_row
from splitvae.training.recovery import TrainingStopped
from splitvae.training.trainer import Trainer

Train = Callable[..., splitvae.Run]  # the type of the fixtures that train
ReadCheckpoint = Callable[[Path], dict[str, Any]]


def test_every_epoch_has_another_order_and_every_image_once(tiny: dict[str, Any], images: splitvae.Images) -> None:
    config = presets.find_preset("digits-svae", **{**tiny, "batch_size": 45}, precision="32")
    trainer = Trainer(presets.build_vae(config), config.objective, images, config)
    first = torch.cat([x for x, _ in trainer.batches()])
    trainer.epoch, trainer.step = 1, trainer.steps_per_epoch
    second = torch.cat([x for x, _ in trainer.batches()])
    assert not torch.equal(first, second)
    order = [x.flatten(1).sum(1).sort().values for x in (first, second)]
    assert len(first) == len(trainer.images) == 315
    torch.testing.assert_close(order[0], order[1])


def test_evaluation_mode_reconstructs_as_well_as_training_mode(
    train: Train, images: splitvae.Images, tmp_path: Path
) -> None:
    run = train(images, tmp_path / "run", epochs=15, width=8, latent_dim=8, v=0.05)
    x = images.pixels.float() / 255
    error = {}
    for mode in (True, False):
        vae = run.vae.train(mode)
        with torch.no_grad():
            error[mode] = (vae.decode(vae.encode(x).mean).image - x).square().mean().item()
    assert error[False] == pytest.approx(error[True], rel=0.05)


def test_without_recomputed_statistics_it_reconstructs_differently(
    train: Train, images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "recompute_batchnorm", lambda self: None)
    run = train(images, tmp_path / "run", epochs=15, width=8, latent_dim=8, v=0.05)
    x = images.pixels.float() / 255
    with torch.no_grad():
        error = [(run.vae.train(m).decode(run.vae.encode(x).mean).image - x).square().mean().item() for m in (True, False)]
    assert abs(error[1] / error[0] - 1) > 0.05


def test_the_average_of_the_weights_is_saved(
    train: Train, images: splitvae.Images, tmp_path: Path, last_checkpoint: ReadCheckpoint
) -> None:
    run = train(images, tmp_path / "run", ema=0.9)
    state = last_checkpoint(tmp_path / "run")
    name = "decoder.head.weight"
    saved = run.vae.state_dict()[name]
    assert torch.equal(saved, state["average"][name])
    assert not torch.equal(saved, state["vae"][name])


def test_an_average_has_the_singular_values_that_spectral_normalisation_promises(
    tiny: dict[str, Any], images: splitvae.Images, tmp_path: Path
) -> None:
    dense = {name: value for name, value in tiny.items() if name not in ("width", "embedding")} | {"net": "mlp"}
    settings = {**dense, "ema": 0.9, "spectral_norm": True, "epochs": 4, "lr": 0.01}
    run = splitvae.train("digits-svae", images, out=tmp_path / "run", progress=False, **settings)
    layers = [layer for layer in run.vae.encoder.modules() if hasattr(layer, "parametrizations")]
    with torch.no_grad():
        largest = [float(torch.linalg.matrix_norm(layer.weight, 2)) for layer in layers]  # type: ignore[arg-type]  # a tensor
    assert len(layers) > 2 and largest == pytest.approx([1] * len(layers), abs=0.005)


def test_the_average_soon_forgets_the_untrained_weights(tiny: dict[str, Any], images: splitvae.Images) -> None:
    config = presets.find_preset("digits-svae", **tiny, precision="32", ema=0.999)
    trainer = Trainer(presets.build_vae(config), config.objective, images, config)
    assert trainer.ema_model is not None
    parameter, average = (next(model.decoder.parameters()) for model in (trainer.vae, trainer.ema_model))
    weights = [parameter.detach().clone()]
    for x, _ in trainer.batches():
        trainer.train_step(x)
        weights.append(parameter.detach().clone())
    expected = weights[0]
    for t, weight in enumerate(weights[1:]):
        expected = torch.lerp(expected, weight, 1 - min(0.999, (1 + t) / (10 + t)))
    torch.testing.assert_close(average, expected)


def test_the_best_weights_are_those_of_the_lowest_validation_loss(
    same: Callable[[Any, Any], bool], train: Train, images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses, weights = iter([3.0, 1.0, 2.0, 1.5]), []

    def validate(self: Trainer) -> dict[str, float]:
        weights.append(copy.deepcopy(self.vae.state_dict()))
        return {"val_loss": next(losses)}

    monkeypatch.setattr(Trainer, "validate", validate)
    run = train(images, tmp_path / "run", epochs=4, best=True)
    assert same(dict(run.vae.state_dict()), dict(weights[1]))  # of the second epoch
    assert not any(same(dict(run.vae.state_dict()), dict(other)) for other in (weights[0], *weights[2:]))


def test_a_validation_that_is_not_finite_is_an_alarm(
    train: Train, images: splitvae.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = {"val_loss": float("nan"), "val_mse": 0.5, "val_kl": float("inf")}
    monkeypatch.setattr(Trainer, "validate", lambda self: dict(terms))
    with pytest.raises(TrainingStopped, match="val_loss, val_kl of held-out images became non-finite"):
        train(images, tmp_path / "run", epochs=2)
    run = train(images, tmp_path / "warned", epochs=2, on_alarm="warn", schedule="plateau", best=True)
    assert all("val_kl" not in row and row["val_mse"] == 0.5 and "Warning" in row["notes"][0] for row in run.history)
    assert saved_epoch_row(run)["epoch"] == 1  # none is better


def test_validation_has_the_weight_of_the_kl_at_the_end_of_its_schedule(
    tiny: dict[str, Any], images: splitvae.Images
) -> None:
    losses = []
    for kl in ("constant", "warmup", "cyclical"):
        config = presets.find_preset("digits-svae", **tiny, kl=kl, precision="32")
        torch.manual_seed(0)
        trainer = Trainer(presets.build_vae(config), config.objective, images, config)
        losses.append(trainer.validate()["val_loss"])
    assert losses[0] == losses[1] == losses[2]


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("32", torch.float32)])
def test_a_step_computes_in_the_chosen_precision_and_losses_in_float32(
    tiny: dict[str, Any], images: splitvae.Images, precision: str, dtype: torch.dtype
) -> None:
    config = presets.find_preset("digits-svae", **tiny, precision=precision)
    trainer = Trainer(presets.build_vae(config), config.objective, images, config)
    dtypes: dict[str, Any] = {}
    convolutions = [m for m in trainer.vae.modules() if isinstance(m, torch.nn.Conv2d)]
    for i, m in enumerate(convolutions):
        m.register_forward_hook(lambda _m, _i, out, i=i: dtypes.__setitem__(f"conv {i}", out.dtype))
    trainer.vae.encoder.register_forward_hook(lambda _m, _i, q: dtypes.update(mean=q.mean.dtype, logvar=q.logvar.dtype))
    trainer.train_step(*next(iter(trainer.batches())))
    assert dtypes.pop("mean") == dtypes.pop("logvar") == torch.float32
    assert len(dtypes) == len(convolutions)
    assert set(dtypes.values()) == {dtype}
    assert trainer.loss.logs["loss"].dtype == torch.float32
