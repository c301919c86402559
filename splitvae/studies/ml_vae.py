r"""The Multi-Level VAE on MNIST: what its best-known public code reports, what that code measures, and models that train.

That code, whose README is quoted in `README`, cuts the gradient of the class code, so that its heads keep their first,
random weights; and its headline accuracy is of codes that were gathered by the true label, which an untrained encoder
reaches too. Both are reproduced beside the untrained control (`readme-1`, `readme-0.1`).

All other systems train all heads, with one content KL a group and the number of groups as normaliser, and are judged by
probes of means: of single images, and with the evidence of k of them. They vary one thing each.

Reference: Multi-Level Variational Autoencoder (Bouchacourt, Tomioka, Nowozin, 2018).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import nn

from .. import __version__
from ..errors import UserError
from ..figures.io import drawn_by, save
from ..figures.probes import accuracy_curve, code_maps
from ..figures.run import draw
from ..models.fusion import fuse
from ..models.groups import grouped
from ..models.latents import GroupedLatent
from ..models.posteriors import Gaussian
from ..models.vae import VAE
from ..presets.build import objective_of, vae_of
from ..presets.registry import PRESETS, override
from ..probes.classifiers import ITERATIONS, fit_probes
from ..probes.codes import LabelledCodes, mean_and_sample_codes
from ..probes.labelled_images import LabelledImages, load_labelled_images
from ..probes.measure import encode_posteriors, probe, read_cached_probes
from ..runs import Run
from ..samplers.fit import seeded
from ..training.interrupts import Interrupted
from ..training.loop import train
from ..utils.console import say
from ..utils.files import read_json, write_json, write_text
from ..utils.text import aligned

__all__ = ["README", "SYSTEMS", "System", "reproduce", "table"]


README = {  # eps_std and evidence: % right of style (training, test) and class (training, test), as that README prints them
    (1.0, True): (78.66, 78.17, 85.93, 85.99),
    (1.0, False): (78.69, 77.82, 33.26, 33.08),
    (0.1, True): (44.61, 42.06, 99.75, 99.71),
    (0.1, False): (44.38, 42.99, 37.74, 38.55),
}


README_BATCH = 128  # images among which its probes gather evidence


README_SPREAD = 0.05  # deviation of its first weights


PAPER: dict[str, Any] = {"head_units": 0, "independence": 0.0}  # the paper's network and bound


OF_README: dict[str, Any] = {"scaling": "pixels", "schedule": "constant", "batch_size": 256}


OF_TRAINING = ("data", "batch_size", "epochs", "schedule", "pictures", "precision", "seed")  # not of model or objective


PICTURED = ("readme-1", "readme-0.1", "corrected", "plain")


MEMBERS = (4,)  # images whose evidence is fused, of all systems but `corrected`, which has the whole curve


class Stopped(UserError):
    """Ctrl-C was pressed; what is done is kept."""

    status = 130


class System(NamedTuple):
    """What is trained: in words, the fields in which it differs from `BASE`, and how many times as long as most."""

    about: str
    fields: dict[str, Any]
    longer: int = 1
    readme: bool = False


CORRECTED = PRESETS["mnist-ml-vae"]


BASE = replace(CORRECTED, preset="", pictures=0, precision="32", **PAPER)


APART = {name: getattr(CORRECTED, name) for name in PAPER}  # what keeps the class out of the style


HEADS = APART | {"independence": 0.0}


SYSTEMS = {
    "readme-1": System("its model, eps ~ N(0, 1)", OF_README, 6, readme=True),
    "readme-0.1": System("its model, eps ~ N(0, 0.1^2)", OF_README | {"eps_std": 0.1}, 6, readme=True),
    "corrected": System("the preset mnist-ml-vae", APART, 6),
    "plain": System("the paper's network and bound alone", {}),
    "heads": System("heads with a hidden layer, no independence", HEADS),
    "beta-4": System("the same, KLs weighed 4 times", HEADS | {"beta": 4.0}),
    "short": System("corrected, trained as short as these", APART),
    "batch-64": System("heads, batches of 64", HEADS | {"batch_size": 64}),
    "batch-1024": System("heads, batches of 1,024", HEADS | {"batch_size": 1024}),
    "dims-5": System("corrected with 5 + 5 dimensions", APART | {"latent_dim": 10, "content_dim": 5}),
    "dims-20": System("corrected with 20 + 20 dimensions", APART | {"latent_dim": 40, "content_dim": 20}),
}


def reproduce(
    out: Path,
    data: str = "mnist",
    epochs: int = 8,
    iterations: int = ITERATIONS,
    seed: int = 0,
    progress: bool = True,
) -> dict[str, Any]:
    """Trains and probes every system in a folder of its own in `out`, and writes out/ml-vae.json and ml-vae.txt.

    `PICTURED` systems have their figures drawn: swaps, interpolations, maps of the codes.

    What is there already is kept, so that calling it again goes on after an interruption.

    Arguments:
        data: MNIST, or other gray images of 28x28 pixels with classes.
        epochs: passes over the training images of most systems; that code's and `corrected` have six times as many.
        iterations: steps of each probe.

    Raises UserError for other images, for a folder whose runs were begun otherwise, and `Stopped` after Ctrl-C.
    """
    found: dict[str, Any] = {}
    for i, (name, system) in enumerate(SYSTEMS.items()):
        say(progress, f"[{i + 1} of {len(SYSTEMS)}] {name}: {system.about}.")
        run = _trained(out / name, system, data, system.longer * epochs, seed, progress)
        found[name] = _probed(run, name, system, iterations, seed, progress)
        found[name]["seconds"] = round(sum(row["seconds"] for row in run.history), 1)
        found[name]["epochs"] = len(run.history)
        if name in PICTURED:
            _pictured(run, found[name], seed)
    result = {
        "data": data,
        "iterations": iterations,
        "seed": seed,
        "versions": {"splitvae": __version__, "torch": torch.__version__},
        "systems": found,
    }
    write_json(out / "ml-vae.json", result)
    write_text(out / "ml-vae.txt", table(result) + "\n")
    return result


def _trained(folder: Path, system: System, data: str, epochs: int, seed: int, progress: bool) -> Run:
    fields = system.fields | {"data": data, "epochs": epochs, "seed": seed}
    config = override(BASE, **fields)
    with seeded(seed):
        vae = vae_of(config)
        if system.readme:
            begin_as_readme(vae)
    objective = objective_of(config)
    fields = {name: getattr(config, name) for name in OF_TRAINING}
    try:
        return train(
            vae, objective=objective, out=folder, resume=(folder / "config.json").exists(), progress=progress, **fields
        )
    except Interrupted as stop:
        raise Stopped(
            f"stopped in {folder.name} at epoch {stop.epoch + 1}, step {stop.step}, nothing lost; the same command goes on."
        ) from None


def begin_as_readme(vae: VAE) -> None:
    """The first weights of that code, N(0, 0.05^2) with zero biases, and its content heads that get no gradient."""
    for layer in vae.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=README_SPREAD)
            nn.init.zeros_(layer.bias)
    cast(GroupedLatent, vae.encoder.latent).train_content = False


def _pictured(run: Run, found: dict[str, Any], seed: int) -> None:
    """Draws a run's figures, and those of its probes, unless they are there."""
    folder, mark = run.path / "figures", run.vae.fingerprint()
    if drawn_by(folder / "code-maps.png") == mark:
        return
    draw(run)
    if "curve" in found:
        save(accuracy_curve(found), folder / "probes.png", mark)
    _, test = load_labelled_images(run)
    codes = {name: posterior.mean for name, posterior in encode_posteriors(run.vae, test.images.pixels).items()}
    save(code_maps(codes, test.labels, test.names, seed), folder / "code-maps.png", mark)


# ---------------------------------------------------------------- measuring


def _probed(run: Run, name: str, system: System, iterations: int, seed: int, progress: bool) -> dict[str, Any]:
    """What was measured of a run, from its folder where it was already."""
    if not system.readme:
        known = read_cached_probes(run, iterations)
        members = () if name == "corrected" else MEMBERS
        return known or probe(run, iterations, seed, progress, members=members)
    file, mark = run.path / "readme-probes.json", {"fingerprint": run.vae.fingerprint(), "iterations": iterations}
    if file.exists():
        kept: dict[str, Any] = read_json(file)
        if kept["of"] == mark:
            return kept
    found = {"of": mark, "readme": _as_readme(run, iterations, seed, progress)}
    write_json(file, found)
    return found


def _as_readme(run: Run, iterations: int, seed: int, progress: bool) -> dict[str, Any]:
    """Probes of means and of samples, the latter with and without evidence in batches of 128, trained and untrained.

    Samples without evidence are drawn with N(0, 1), those with it with the spread of training, as in that code.
    """
    train_part, test_part = load_labelled_images(run)
    spread = run.config.eps_std
    with seeded(run.config.seed):
        fresh = vae_of(run.config)
        begin_as_readme(fresh)
    jobs: dict[str, tuple[LabelledCodes, LabelledCodes]] = {}
    for prefix, vae in (("", run.vae), ("untrained ", fresh.to(run.vae.device).eval())):
        parts = [(part, encode_posteriors(vae, part.images.pixels)) for part in (train_part, test_part)]
        for code in ("style", "content"):
            alone = [mean_and_sample_codes(codes[code], part.labels) for part, codes in parts]
            for i, kind in enumerate((f"{code} means", code)):
                jobs[prefix + kind] = (alone[0][i], alone[1][i])
        evidence = [_with_evidence(part, cast(Gaussian, codes["content"]), spread, seed) for part, codes in parts]
        jobs[f"{prefix}content, evidence"] = (evidence[0], evidence[1])
    say(progress, f"Training {len(jobs)} probes of codes, {iterations:,} iterations.")
    learned, asked = zip(*jobs.values(), strict=True)
    found = fit_probes(learned, asked, iterations, seed)
    return {name: accuracy._asdict() for name, accuracy in zip(jobs, found, strict=True)}


def _with_evidence(part: LabelledImages, codes: Gaussian, spread: float, seed: int) -> LabelledCodes:
    """Samples of contents gathered by true label in random batches, one for each image."""
    order = torch.randperm(len(part.labels), generator=torch.Generator().manual_seed(seed))
    batches = order.split(README_BATCH)
    fused = [_gathered(Gaussian(codes.mean[rows], codes.logvar[rows]), part.labels[rows]) for rows in batches]
    mean, logvar = (torch.cat(column) for column in zip(*fused, strict=True))
    return mean_and_sample_codes(Gaussian(mean, logvar), part.labels[order], spread)[1]


def _gathered(members: Gaussian, labels: torch.Tensor) -> Gaussian:
    groups = grouped(labels, len(labels), labels.device)
    fused = fuse(members, groups)
    return Gaussian(fused.mean[groups.member_of], fused.logvar[groups.member_of])


# ---------------------------------------------------------------- in words


def table(result: dict[str, Any]) -> str:
    """The README's figures, ours, and the untrained control side by side; then the systems that train."""
    return "\n".join([*_readme_lines(result), "", *_trained_lines(result)])


def _readme_lines(result: dict[str, Any]) -> Iterator[str]:
    yield "The README's table: % right of a probe of SAMPLED codes, on test images (its code: classes are frozen)"
    rows = []
    for (spread, evidence), (_, style, _, content) in README.items():
        ours = result["systems"][f"readme-{spread:g}"]["readme"]
        name = "content, evidence" if evidence else "content"
        rows.append(
            [
                f"N(0, {spread:g}^2), evidence {'yes' if evidence else 'no'}",
                f"{style:.1f}",
                _percent(ours["style"]),
                f"{content:.1f}",
                _percent(ours[name]),
                _percent(ours[f"untrained {name}"]),
            ]
        )
    headings = ["noise of the class code", "style, README", "ours", "class, README", "ours", "untrained encoder"]
    yield from _indented(aligned(headings, rows))
    yield "The same models by posterior MEANS of single images, which noise does not hide:"
    rows = []
    for name in ("readme-1", "readme-0.1"):
        ours = result["systems"][name]["readme"]
        keys = ("style means", "untrained style means", "content means", "untrained content means")
        epochs = str(result["systems"][name]["epochs"])
        rows.append([name, epochs, *(_percent(ours[key]) for key in keys)])
    yield from _indented(aligned(["model", "epochs", "style", "untrained", "class", "untrained"], rows))


def _trained_lines(result: dict[str, Any]) -> Iterator[str]:
    yield "Models whose heads all train: % right of a probe of posterior MEANS, on test images"
    yield "(style should tell nothing, a content alone all; in brackets the untrained encoder)"
    rows = []
    for name, system in SYSTEMS.items():
        if system.readme:
            continue
        found = result["systems"][name]
        curve = {point["members"]: point for point in found["curve"]}
        cells = [_percent(found["codes"]["style"]["means"]), _both(curve[1]), *(_both(curve[k]) for k in MEMBERS)]
        rows.append(
            [
                name,
                system.about,
                str(found["epochs"]),
                *cells,
                f"{found['use']['mse']:.4f}",
                f"{found['use']['content_ratio']:.1f}",
            ]
        )
    fused = [f"of {k}" for k in MEMBERS]
    yield from _indented(
        aligned(["system", "", "epochs", "style", "content of 1", *fused, "MSE", "content swapped, times"], rows)
    )
    majority, probed = result["systems"]["corrected"]["majority"], f"{result['iterations']:,} iterations"
    yield f"Always the most frequent digit: {100 * majority:.1f} %. Probes of {probed}, seed {result['seed']};"
    yield "± is one standard error over test images, or groups that share none."


def _indented(text: str) -> Iterator[str]:
    yield from (f"  {line}" for line in text.splitlines())


def _percent(accuracy: dict[str, float]) -> str:
    return f"{100 * accuracy['test']:.1f} ± {100 * accuracy['error']:.1f}"


def _both(point: dict[str, Any]) -> str:
    return f"{_percent(point['means'])} ({100 * point['untrained_means']['test']:.1f})"
