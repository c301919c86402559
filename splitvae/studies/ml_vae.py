"""The experiment on the Multi-Level VAE on MNIST: what its best-known public code measures, and models that train.

The public code's models are trained and probed as in that code (ml_vae_public_code.py, ml_vae_public_probes.py), beside an
untrained network and, where they are given, the weights that its authors released. All
other systems are judged by probes of posterior means: of single images, and with the evidence of several images of a group
(probes/measure.py). The systems are listed in ml_vae_systems.py.

Reference: Multi-Level Variational Autoencoder (Bouchacourt, Tomioka, Nowozin, 2018), https://arxiv.org/abs/1705.08841
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..data.images import Images
from ..figures.groups import collect_codes, draw_swaps, select_references
from ..figures.io import read_fingerprint, save_figure
from ..figures.probes import plot_code_maps, plot_model_maps, plot_probe_accuracy
from ..figures.run import draw_run
from ..figures.training_curves import plot_training_curves
from ..models.vae import VAE
from ..presets.build import build_vae
from ..probes.classifiers import ITERATIONS
from ..probes.labelled_images import LabelledImages, load_labelled_images
from ..probes.measure import encode_posteriors, measure_swaps, probe
from ..probes.measure import read_cached_probes as current_probes
from ..runs import Run
from ..training.interrupts import ExperimentInterrupted, Interrupted
from ..training.loop import train
from ..utils.console import print_once
from ..utils.files import read_json, write_json, write_text
from ..utils.machine import versions
from ..utils.random_streams import fixed_seed
from .ml_vae_public_code import build_untrained, describe_released, initialise_as_public_code, load_released
from .ml_vae_public_probes import probe_as_public_code
from .ml_vae_systems import COMMON_CONFIG, RELEASED, SYSTEMS, SYSTEMS_WITH_FIGURES, System, released_config
from .ml_vae_tables import FUSED_MEMBERS, ml_vae_table

__all__ = ["reproduce_ml_vae"]

EVIDENCE_IMAGES = 256  # in the batch whose images give evidence in a swap grid
# Of a config, what describes neither the model nor the objective, which are given to `train` as objects.
TRAINING_FIELDS = ("data", "batch_size", "epochs", "schedule", "pictures", "precision", "seed")


def reproduce_ml_vae(
    out: Path,
    data: str = "mnist",
    epochs: int = 8,
    iterations: int = ITERATIONS,
    seed: int = 0,
    progress: bool = True,
    checkpoints: Path | None = None,
) -> dict[str, Any]:
    """Trains and probes every system in a folder of its own in `out`, and writes out/ml-vae.json and out/ml-vae.txt.

    The `SYSTEMS_WITH_FIGURES` have their figures drawn, and out/figures has those of the README's models together. What the
    folder already has is not made again, so that the same call continues after an interruption.

    Arguments:
        out: The folder of the experiment.
        data: The source of the images, MNIST or other gray images of 28x28 pixels with classes.
        epochs: The number of epochs of most systems. The public code's models and `corrected` have six times as many.
        iterations: The number of steps of each probe.
        seed: The seed of models and probes.
        progress: Whether progress is printed.
        checkpoints: The folder of the checkpoints that the public code's authors released, which are measured too.

    Returns the content of ml-vae.json.

    Raises:
        UserError: If the images do not fit, a folder holds a run with other settings, or the checkpoints are not complete.
        ExperimentInterrupted: After Ctrl-C.
    """
    released = _load_all_released(checkpoints, data, seed)
    results: dict[str, Any] = {}
    for i, (name, system) in enumerate(SYSTEMS.items()):
        print_once(progress, f"[{i + 1} of {len(SYSTEMS)}] {name}: {system.description}.")
        fields = system.fields | {"data": data, "epochs": system.epoch_factor * epochs, "seed": seed}
        run = _train_system(out / name, system, fields, progress)
        if system.public_code:
            networks = {"": run.vae.eval(), "untrained ": build_untrained(run.config)}
            if name in released:
                networks["released "] = released[name]
            result = _probe_public_code(run, networks, iterations, seed, progress)
        else:
            members = () if name == "corrected" else (FUSED_MEMBERS,)  # `corrected` has the whole curve
            result = _cached_probes(run, iterations, seed) or probe(
                run, iterations, seed, progress, members=members, independent_style=False
            )
        result["seconds"] = round(sum(row["seconds"] for row in run.history), 1)
        result["epochs"] = len(run.history)
        if name in SYSTEMS_WITH_FIGURES:
            _draw_figures(run, result, seed)
        results[name] = result
    _draw_public_models(out, released, seed)
    experiment = {
        "data": data,
        "images": {part: _describe_images(run.images(part)) for part in ("train", "test")},
        "epochs": epochs,
        "iterations": iterations,
        "seed": seed,
        "checkpoints": None if checkpoints is None else describe_released(checkpoints),
        "versions": versions(),
        "systems": results,
    }
    write_json(out / "ml-vae.json", experiment)
    write_text(out / "ml-vae.txt", ml_vae_table(experiment) + "\n")
    return experiment


def _train_system(folder: Path, system: System, fields: dict[str, Any], progress: bool) -> Run:
    """Trains a system, or continues its training, with fields of the config that differ from `COMMON_CONFIG`."""
    config = COMMON_CONFIG.override(**fields)
    with fixed_seed(config.training.seed):
        vae = build_vae(config)
        if system.public_code:
            initialise_as_public_code(vae)
    training = {name: value for name, value in config.options().items() if name in TRAINING_FIELDS}
    resume = (folder / "config.json").exists()
    try:
        return train(vae, objective=config.objective, out=folder, resume=resume, progress=progress, **training)
    except Interrupted as interrupt:
        raise ExperimentInterrupted(
            f"stopped in {folder.name} at epoch {interrupt.epoch + 1}, step {interrupt.step}, nothing lost; the same "
            "command goes on."
        ) from None


def _describe_images(images: Images) -> dict[str, Any]:
    """Returns which images were read: their source, part, number, hash and notes."""
    described = {"source": images.source, "part": images.part, "images": len(images), "sha256": images.sha256}
    return described | {"notes": list(images.notes)}


def _cached_probes(run: Run, iterations: int, seed: int) -> dict[str, Any] | None:
    """Returns what probes.json holds, or None if it is not what the table needs, such as other numbers of members."""
    probes = current_probes(run, iterations)
    if probes is None or probes["seed"] != seed:
        return None
    return probes if FUSED_MEMBERS in [point["members"] for point in probes["curve"]] else None


def _load_all_released(folder: Path | None, data: str, seed: int) -> dict[str, VAE]:
    """Returns the released models by the names of the systems that were trained alike; none without a folder."""
    if folder is None:
        return {}
    return {name: load_released(folder, std, released_config(name, data=data, seed=seed)) for name, std in RELEASED.items()}


def _probe_public_code(run: Run, networks: dict[str, VAE], iterations: int, seed: int, progress: bool) -> dict[str, Any]:
    """Returns the probes of models of the public code, from readme-probes.json if they were measured before."""
    file = run.path / "readme-probes.json"
    fingerprints = {prefix.strip() or "trained": vae.fingerprint() for prefix, vae in networks.items()}
    key = {"networks": fingerprints, "iterations": iterations, "seed": seed}
    if file.exists():
        stored: dict[str, Any] = read_json(file)
        if stored["of"] == key:
            return stored
    result = {"of": key, "readme": probe_as_public_code(run, networks, iterations, seed, progress)}
    _, test = load_labelled_images(run)
    result["use"] = {
        name: measure_swaps(vae, test, seed) for name, vae in zip(fingerprints, networks.values(), strict=True)
    }
    write_json(file, result)
    return result


def _draw_figures(run: Run, result: dict[str, Any], seed: int) -> None:
    """Draws the figures of a run and of its probes, unless they were drawn of the same model."""
    folder, fingerprint = run.path / "figures", run.vae.fingerprint()
    if read_fingerprint(folder / "code-maps.png") == fingerprint:
        return
    draw_run(run)
    if "curve" in result:
        save_figure(plot_probe_accuracy(result), folder / "probes.png", fingerprint)
    _, test = load_labelled_images(run)
    codes = {name: posterior.mean for name, posterior in encode_posteriors(run.vae, test.images.pixels).items()}
    save_figure(plot_code_maps(codes, test.labels, test.names, seed), folder / "code-maps.png", fingerprint)


def _draw_swap_grids(vae: VAE, test: LabelledImages, seed: int, folder: Path, name: str, fingerprint: str) -> None:
    """Draws each style with each content, of single images and with the evidence of a batch, in folder/NAME-swaps*.png."""
    rows = torch.randperm(len(test.labels), generator=torch.Generator().manual_seed(seed))[:EVIDENCE_IMAGES]
    references = select_references(vae, test.images.pixels[rows].float() / 255, test.labels[rows])
    save_figure(draw_swaps(vae, references), folder / f"{name}-swaps.png", fingerprint)
    save_figure(draw_swaps(vae, references, evidence=True), folder / f"{name}-swaps-evidence.png", fingerprint)


def _draw_public_models(out: Path, released: Mapping[str, VAE], seed: int) -> None:
    """Draws in out/figures t-SNE of the codes of the README's two models, ours and released, curves, and swap grids."""
    runs = {SYSTEMS[name].description.removeprefix("its model, "): Run(out / name) for name in RELEASED if name in SYSTEMS}
    models = {name: run.vae.eval() for name, run in runs.items()}
    models |= {f"released, {SYSTEMS[name].description.removeprefix('its model, ')}": vae for name, vae in released.items()}
    folder, fingerprint = out / "figures", " ".join(vae.fingerprint() for vae in models.values())
    if not runs or read_fingerprint(folder / "readme-code-maps.png") == fingerprint:
        return
    curves = plot_training_curves({name: run.history for name, run in runs.items()})
    save_figure(curves, folder / "readme-curves.png", fingerprint)
    _, test = load_labelled_images(next(iter(runs.values())))
    for system, vae in released.items():
        _draw_swap_grids(vae, test, seed, folder, f"released-{RELEASED[system]}", vae.fingerprint())
    codes = {name: collect_codes(vae, test.images.pixels, test.labels, seed) for name, vae in models.items()}
    save_figure(plot_model_maps(codes, test.labels, test.names, seed), folder / "readme-code-maps.png", fingerprint)
