"""Probing: what classifiers read from the codes of a run, written to probes.json.

Codes are those of images seen one by one, and of a grouped latent's content also with the evidence of k = 2, 4, ... 256
images of the same label, for each of which a probe of its own is trained. Evidence by the true label is a label in
disguise: it makes the codes of almost any network separable. Every number therefore stands beside that of the same network
with fresh weights, and beside the share of the most frequent label; what a model has learned is by how much it beats both.

| key                   | a probe of                                                                              |
| --------------------- | --------------------------------------------------------------------------------------- |
| `means`               | posterior means                                                                         |
| `samples`             | draws of the posterior, the content's with the model's `eps_std` and once a group       |
| `untrained_means` ... | the same of the network with fresh weights, its BatchNorm's statistics made of images   |

A small noise hides what means tell: leakage is what a probe reads from the means.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim.swa_utils import update_bn
from tqdm import tqdm

from .. import __version__
from ..data.images import Images, batches, spaced
from ..data.labels import group_labels
from ..errors import UserError
from ..models.latents import GroupedLatent
from ..models.posteriors import Dirac, Gaussian
from ..models.vae import VAE
from ..objectives.base import squared_error
from ..presets.build import vae_of
from ..runs import Run
from ..samplers.fit import seeded
from ..utils.console import say
from ..utils.files import read_json, write_json
from ..utils.machine import device_here
from .classifiers import ITERATIONS, fit_probes
from .codes import (
    LabelledCodes,
    fuse_label_groups,
    majority_accuracy,
    mean_and_sample_codes,
    member_counts,
    rows_of_other_label,
)

__all__ = ["LabelledImages", "encode_posteriors", "load_labelled_images", "probe", "read_cached_probes"]


MAX_TRAIN_IMAGES, MAX_TEST_IMAGES = 50_000, 10_000  # most images of each part


TRAIN_GROUPS, TEST_GROUPS = 10_000, 2_000  # groups of each part, made anew of the same images where there are fewer


BATCHNORM_IMAGES = 2_000  # images that the fresh network's BatchNorm sees


CODE_KINDS = ("means", "samples", "untrained_means", "untrained_samples")


ProbeKey = tuple[str, int, str]  # code, members, kind


class LabelledImages(NamedTuple):
    """Images of one part with their labels, and what the labels are called."""

    images: Images
    labels: Tensor
    names: tuple[str, ...]


def probe(
    run: Run,
    iterations: int = ITERATIONS,
    seed: int = 0,
    progress: bool = True,
    group_by: str = "",
    members: Sequence[int] = (),
) -> dict[str, Any]:
    """Trains probes on codes of a run's training images, measures them on its test images, and writes probes.json.

    Arguments:
        iterations: steps of each probe.
        seed: of probes, groups and draws; the fresh network has the run's own seed.
        progress: show what is done.
        group_by: attributes that are told where images have no classes; by default those the run was grouped by.
        members: numbers of images whose evidence is fused, besides 1; by default 2, 4, ... 256.

    Raises UserError where the run has no model, or its images no labels.
    """
    if iterations < 1:
        raise UserError(f"iterations={iterations} trains no probe; give a number such as {ITERATIONS}.")
    if seed < 0:
        raise UserError(f"seed={seed} is no seed; it must be at least 0.")
    group_by = group_by or run.config.group_by
    train, test = load_labelled_images(run, group_by)
    rows_of_other_label(test.labels)  # which raises where there is but one label
    vae = run.vae.eval()
    say(progress, f"Encoding {len(train.labels):,} training and {len(test.labels):,} test images, and once more untrained.")
    fresh = _untrained_copy(run, train.images.pixels, seed)
    counts = _group_sizes(vae, train, test, members)
    jobs = _codes_to_probe(vae, "", train, test, counts, seed) | _codes_to_probe(
        fresh, "untrained_", train, test, counts, seed
    )
    result = {
        "model": _describe_model(run),
        "data": {
            "train": _describe_data(run, "train", train),
            "test": _describe_data(run, "test", test),
            "group_by": group_by,
        },
        "iterations": iterations,
        "seed": seed,
        "versions": {"splitvae": __version__, "torch": torch.__version__},
        "labels": len(train.labels.unique()),
        "majority": majority_accuracy(train.labels, test.labels),
    }
    found = _train_probes(jobs, iterations, seed, progress)
    names = dict.fromkeys(name for name, *_ in jobs)
    result["codes"] = {
        name: {"dimensions": jobs[name, 1, "means"][0].codes.shape[1]} | {kind: found[name, 1, kind] for kind in CODE_KINDS}
        for name in names
    }
    result["curve"] = [
        _describe_groups(jobs["content", k, "means"], k) | {kind: found["content", k, kind] for kind in CODE_KINDS}
        for k in counts
    ]
    result["use"] = _swap_errors(vae, test, seed)
    write_json(run.path / "probes.json", result)
    return result


def read_cached_probes(run: Run, iterations: int | None = None) -> dict[str, Any] | None:
    """What probes.json holds, if it is of the model as it is now (and of so many iterations); else None."""
    file = run.path / "probes.json"
    if not file.is_file():
        return None
    try:
        known = read_json(file)
        return known if known["model"] == _describe_model(run) and iterations in (None, known["iterations"]) else None
    except (UserError, KeyError, TypeError):
        raise UserError(f"{file} is damaged; delete it, and `splitvae probe {run.path}` measures anew.") from None


# ---------------------------------------------------------------- images and codes


def load_labelled_images(run: Run, group_by: str = "") -> tuple[LabelledImages, LabelledImages]:
    """At most 50,000 training and 10,000 test images of a run, evenly spaced, with labels that mean the same in both."""
    parts, given = [], []
    for split, most in (("train", MAX_TRAIN_IMAGES), ("test", MAX_TEST_IMAGES)):
        images = run.images(split)
        if images.labels is None:
            raise UserError(
                f"{images.source} has no labels, and a probe learns to tell labels from codes. Give the run's images with "
                "labels by --data: a folder with one subfolder a class, or an .npz file with `images` and `labels`."
            )
        rows = spaced(len(images), most)
        given.append(images.labels[rows])
        parts.append(dataclasses.replace(images, pixels=images.pixels[rows], labels=given[-1]))
    train, test = parts
    # Attributes are counted through anew in each set of images, so that both parts are looked at as one.
    both = torch.cat(given)
    bare = dataclasses.replace(train, pixels=torch.zeros(len(both), 1, 1, 1, dtype=torch.uint8), labels=both)
    labels = group_labels(bare, group_by)
    names = _label_names(bare, labels, group_by)
    return LabelledImages(train, labels[: len(train)], names), LabelledImages(test, labels[len(train) :], names)


def _label_names(images: Images, labels: Tensor, group_by: str) -> tuple[str, ...]:
    """What labels 0, 1, ... are called."""
    numbers = range(int(labels.max()) + 1)
    if images.labels is not None and images.labels.ndim == 2:
        parts = group_by.split(",")
        digits = [[number >> place & 1 for place in reversed(range(len(parts)))] for number in numbers]
        return tuple(", ".join(p if v else f"not {p}" for p, v in zip(parts, row, strict=True)) for row in digits)
    return (*images.classes, *map(str, numbers[len(images.classes) :]))


@torch.no_grad()
def encode_posteriors(vae: VAE, pixels: Tensor) -> dict[str, Gaussian | Dirac]:
    """The posterior of each image by itself, on the CPU: of a grouped latent "style" and "content", else "latent".

    The content is what a member says, before evidence is fused (and a prior, where the fusion has one, taken in).
    """
    latent, rows = vae.encoder.latent, []
    for x in batches(pixels, vae.device):
        if isinstance(latent, GroupedLatent):
            features = vae.encoder.features(x)
            rows.append([m.cpu() for m in (*latent(features).style, *latent.evidence(features))])
        else:
            posterior = vae.encode(x)
            rows.append([m.cpu() for m in (posterior.mean, posterior.logvar) if m is not None])
    columns = [torch.cat(column) for column in zip(*rows, strict=True)]
    if len(columns) == 4:
        return {"style": Gaussian(*columns[:2]), "content": Gaussian(*columns[2:])}
    return {"latent": Gaussian(*columns) if len(columns) == 2 else Dirac(*columns)}


def _untrained_copy(run: Run, pixels: Tensor, seed: int) -> VAE:
    """The run's network as it was before training, with BatchNorm's statistics of training images."""
    with seeded(run.config.seed):
        vae = vae_of(run.config)
    vae = vae.to(device_here())
    order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(seed))[:BATCHNORM_IMAGES]
    update_bn(batches(pixels[order], vae.device, 100), vae.encoder)
    return vae.eval()


def _group_sizes(vae: VAE, train: LabelledImages, test: LabelledImages, members: Sequence[int]) -> list[int]:
    """The numbers of members of the curve, 1 first; none where nothing is shared."""
    if not isinstance(vae.encoder.latent, GroupedLatent):
        return []
    possible = member_counts(train.labels, test.labels)
    rarest = min(int(part.labels.unique(return_counts=True)[1].min()) for part in (train, test))
    for k in members:
        if not 0 < k <= rarest:
            raise UserError(f"members={k} cannot be fused: the rarest label has {rarest} images; give 1 to {rarest}.")
    return sorted({1, *members}) if members else possible


def _codes_to_probe(
    vae: VAE, prefix: str, train: LabelledImages, test: LabelledImages, counts: Sequence[int], seed: int
) -> dict[ProbeKey, tuple[LabelledCodes, LabelledCodes]]:
    """The training and test codes of each probe of a network."""
    sets: dict[tuple[str, int], list[tuple[LabelledCodes, LabelledCodes]]] = {}  # of training and test: means and samples
    latent = vae.encoder.latent if isinstance(vae.encoder.latent, GroupedLatent) else None
    for part, least in ((train, TRAIN_GROUPS), (test, TEST_GROUPS)):
        for name, posterior in encode_posteriors(vae, part.images.pixels).items():
            if latent is None or name != "content" or isinstance(posterior, Dirac):
                sets.setdefault((name, 1), []).append(mean_and_sample_codes(posterior, part.labels))
                continue
            spread = 0.0 if latent.draw == "mean" else latent.eps_std
            for k in counts:
                found = fuse_label_groups(posterior, part.labels, k, latent.fusion, least, seed)
                sets.setdefault((name, k), []).append(mean_and_sample_codes(found[0], found[1], spread, found[2]))
    jobs = {}
    for (name, k), (learned, asked) in sets.items():
        for i, kind in enumerate(CODE_KINDS[:2]):
            jobs[name, k, prefix + kind] = learned[i], asked[i]
    return jobs


def _train_probes(
    jobs: Mapping[ProbeKey, tuple[LabelledCodes, LabelledCodes]], iterations: int, seed: int, progress: bool
) -> dict[ProbeKey, dict[str, float]]:
    """The accuracies of all probes, those of one dimension trained together, samples without noise not again."""
    sizes = sorted({train.codes.shape[1] for train, _ in jobs.values()})
    found: dict[ProbeKey, dict[str, float]] = {}
    for dim in sizes:
        keys = [key for key, (train, _) in jobs.items() if train.codes.shape[1] == dim]
        own = [key for key in keys if not key[2].endswith("samples") or jobs[key][0].noise is not None]
        say(progress, f"Training {len(own)} probes of codes of {dim} dimensions, {iterations:,} iterations.")
        with tqdm(total=iterations, unit="step", leave=False, dynamic_ncols=True, disable=not progress) as bar:
            train, test = zip(*(jobs[key] for key in own), strict=True)
            accuracies = fit_probes(train, test, iterations, seed, progress=lambda *_, bar=bar: bar.update())
        found |= {key: accuracy._asdict() for key, accuracy in zip(own, accuracies, strict=True)}
        for name, k, kind in set(keys) - set(own):
            found[name, k, kind] = found[name, k, kind.replace("samples", "means")]
    return found


def _describe_model(run: Run) -> dict[str, Any]:
    """What codes follow from: weights, and how contents are fused and drawn."""
    about = {"preset": run.config.preset, "fingerprint": run.vae.fingerprint()}
    return about | {name: getattr(run.config, name) for name in ("latent", "fusion", "content_draw", "eps_std")}


def _describe_groups(parts: tuple[LabelledCodes, LabelledCodes], count: int) -> dict[str, Any]:
    """Of how many groups a row of the curve is."""
    train, test = parts
    groups = {"train": len(train.labels), "test": len(test.labels), "independent": test.independent}
    return {"members": count, "groups": groups, "majority": majority_accuracy(train.labels, test.labels)}


def _describe_data(run: Run, split: str, part: LabelledImages) -> dict[str, Any]:
    images = run.images(split)
    return {
        "source": images.source,
        "part": images.split,
        "images": len(part.labels),
        "available": len(images),
        "sha256": images.sha256,
        "notes": list(images.notes),
    }


# ---------------------------------------------------------------- whether the decoder uses its codes


@torch.no_grad()
def _swap_errors(vae: VAE, test: LabelledImages, seed: int) -> dict[str, Any] | None:
    """MSE of images decoded from means, and with the style or content mean of an image of another label; None if no groups.

    Each image takes both from the same other one, and no evidence is shared.
    """
    latent = vae.encoder.latent
    if not isinstance(latent, GroupedLatent):
        return None
    others = rows_of_other_label(test.labels, seed)
    pixels = test.images.pixels
    mean = torch.cat([vae.encode(x).mean.cpu() for x in batches(pixels, vae.device)])
    style, content = mean.split((vae.latent_dim - latent.content_dim, latent.content_dim), 1)
    codes = {
        "mse": mean,
        "content_shuffled": torch.cat((style, content[others]), 1),
        "style_shuffled": torch.cat((style[others], content), 1),
    }
    found: dict[str, Any] = {"images": len(pixels)}
    for name, z in codes.items():
        parts = zip(batches(pixels, vae.device), z.split(500), strict=True)
        errors = torch.cat([squared_error(vae.decode(part).image, x).cpu() for x, part in parts])
        found[name] = float(errors.double().mean()) / pixels[0].numel()
    for name in ("content", "style"):
        found[f"{name}_ratio"] = found[f"{name}_shuffled"] / max(found["mse"], 1e-12)
    return found
